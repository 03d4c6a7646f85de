//! Collecting what is wrong.

use std::{collections::HashSet, fmt};

use crate::config::ConfigProblem;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(in crate::config) struct Report {
    problems: Vec<ConfigProblem>,
}

impl Report {
    pub(in crate::config) fn at(&mut self, path: impl Into<String>, message: impl fmt::Display) {
        self.push(path.into(), message, None);
    }

    pub(in crate::config) fn hint(
        &mut self,
        path: impl Into<String>,
        message: impl fmt::Display,
        hint: impl Into<String>,
    ) {
        self.push(path.into(), message, Some(hint.into()));
    }

    /// Takes the value out of a result, and reports the error if there is one.
    pub(in crate::config) fn check<T, E: fmt::Display>(
        &mut self,
        path: impl Into<String>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.at(path, error)).ok()
    }

    /// Of keys that exclude each other one may be set; whether one is.
    pub(super) fn alternatives(&mut self, at: &str, keys: &[(&str, bool)]) -> bool {
        let mut set = keys.iter().filter(|(_, is_set)| *is_set);
        let (first, second) = (set.next(), set.next());
        if let (Some((first, _)), Some((second, _))) = (first, second) {
            self.at(
                format!("{at}.{second}"),
                format_args!("cannot stand beside `{first}`"),
            );
        }
        first.is_some()
    }

    fn push(&mut self, path: String, message: impl fmt::Display, hint: Option<String>) {
        // As many as the loader collects: more are one problem, the wrong file.
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(ConfigProblem {
                path,
                place: None,
                message: message.to_string(),
                hint,
            });
        }
    }

    /// The places of the routes with which something is wrong.
    pub(super) fn routes(&self) -> HashSet<usize> {
        let places = self.problems.iter().filter_map(|problem| {
            let (place, _) = problem.path.strip_prefix("routes[")?.split_once(']')?;
            place.parse().ok()
        });
        places.collect()
    }

    pub(in crate::config) const fn len(&self) -> usize {
        self.problems.len()
    }

    pub(in crate::config) fn into_problems(self) -> Vec<ConfigProblem> {
        self.problems
    }
}

/// The known name that was probably meant.
pub(in crate::config) fn nearest<'a>(
    wanted: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let near = known.into_iter().filter(|name| name.len() <= COMPARED_MAX);
    let near = near.map(|name| (strsim::damerau_levenshtein(wanted, name), name));
    let (distance, name) = near.min()?;
    // One slip in three characters is a typo; more is another word.
    let allowed = wanted.chars().count().min(name.chars().count()).div_ceil(3);
    (wanted.len() <= COMPARED_MAX && distance <= allowed).then_some(name)
}

const PROBLEMS_MAX: usize = 100;
/// The distance costs the product of both lengths.
const COMPARED_MAX: usize = 64;

//! The environment layer: `MSF__SERVER__BIND` is `server.bind`.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
};

use super::assign::{Assignment, MAX_NAMES};
use crate::config::{
    error::{Problem, Report},
    key::Key,
    source::Source,
};

/// The variables a loader was given. `Debug` shows how many, since values may be secrets.
#[derive(Clone, Default)]
pub(in crate::config) struct Environment(pub(in crate::config) Vec<(OsString, OsString)>);

impl Environment {
    pub(in crate::config) fn get(&self, name: &str) -> Option<OsString> {
        self.value(name).map(OsStr::to_owned)
    }

    /// The file that `{prefix}_CONFIG` names; an empty variable names none.
    pub(in crate::config) fn config_file(&self, prefix: &str) -> Option<(Source, &OsStr)> {
        let name = format!("{prefix}_CONFIG");
        let path = self.value(&name).filter(|path| !path.is_empty())?;
        Some((Source::Env(name.into()), path))
    }

    fn value(&self, name: &str) -> Option<&OsStr> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_os_str())
    }

    /// Every variable under the prefix, outer keys before the keys inside them.
    pub(in crate::config) fn assignments(
        &self,
        prefix: &str,
        report: &mut Report,
    ) -> Vec<Assignment> {
        let mut found = BTreeMap::new();
        for (name, value) in &self.0 {
            let Some(variable) = Variable::of(name, prefix) else {
                continue;
            };
            match variable.assignment(name, value) {
                Err(problem) => report.push(problem),
                Ok(assignment) => {
                    let position = (assignment.names.len(), assignment.names.clone());
                    let source = assignment.source.clone();
                    if let Some(earlier) = found.insert(position, assignment) {
                        report.push(Problem::new(
                            Key::default(),
                            source,
                            format_args!("is set a second time, as {}", earlier.source),
                        ));
                    }
                }
            }
        }
        found.into_values().collect()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} variables", self.0.len())
    }
}

/// How a key is spelled as a variable.
pub(in crate::config) fn variable_name<'a>(
    prefix: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> String {
    names.into_iter().fold(prefix.to_owned(), |name, part| {
        name + "__" + &part.to_uppercase()
    })
}

/// The part of a variable's name behind the prefix.
struct Variable(String);

impl Variable {
    /// `None` if the variable is not ours. Names are compared without case, as on Windows.
    fn of(name: &OsStr, prefix: &str) -> Option<Self> {
        // Lossy, so that a broken name with our prefix is reported and others are left alone.
        let name = name.to_string_lossy();
        let (start, rest) = name.split_at_checked(prefix.len())?;
        let rest = rest.strip_prefix("__")?;
        start
            .eq_ignore_ascii_case(prefix)
            .then(|| Self(rest.to_owned()))
    }

    fn assignment(&self, name: &OsStr, value: &OsStr) -> Result<Assignment, Problem> {
        let source = Source::Env(name.to_string_lossy().into());
        let problem = |message: &str| Err(Problem::new(Key::default(), source.clone(), message));
        let (Some(_), Some(text)) = (name.to_str(), value.to_str()) else {
            return problem("is not valid UTF-8");
        };
        let names: Vec<_> = self.0.split("__").map(str::to_lowercase).collect();
        if names.iter().any(String::is_empty) {
            return problem("names no key: two underscores stand where a name should be");
        }
        if names.len() > MAX_NAMES {
            return problem("names no key: it has too many parts");
        }
        Ok(Assignment {
            names,
            text: text.to_owned(),
            source,
        })
    }
}

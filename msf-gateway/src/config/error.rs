//! Everything that is wrong with a configuration.

use std::fmt;

use super::places::Places;

/// One thing to put right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigProblem {
    /// The path of the key, such as `routes[2].match.path`; empty if no key is at fault.
    pub path: String,
    /// The file with the line, where that is known, or the variable that set the key.
    pub place: Option<String>,
    /// What is wrong; never with the value of a secret.
    pub message: String,
    /// The way out, if one is known.
    pub hint: Option<String>,
}

/// Everything that is wrong with a configuration, at once; there is at least one problem.
///
/// ```
/// use msf_gateway::config::GatewayConfig;
///
/// let errors = GatewayConfig::load("gateway.toml", "
///     [[listeners]]
///     bnd = \"127.0.0.1:8080\"
/// ").unwrap_err();
/// let problem = &errors.problems()[0];
/// assert_eq!(problem.path, "listeners[0].bnd");
/// assert_eq!(problem.place.as_deref(), Some("gateway.toml:3"));
/// assert_eq!(problem.hint.as_deref(), Some("did you mean listeners[0].bind?"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigProblem>);

impl ConfigErrors {
    pub(crate) fn new(problems: Vec<ConfigProblem>) -> Self {
        debug_assert!(!problems.is_empty(), "errors are made of problems");
        Self(problems)
    }

    pub(crate) fn one(message: impl fmt::Display) -> Self {
        Self(vec![ConfigProblem {
            path: String::new(),
            place: None,
            message: message.to_string(),
            hint: None,
        }])
    }

    /// With the lines of the keys, as far as they are not known yet.
    pub(crate) fn located(mut self, places: &Places) -> Self {
        for problem in &mut self.0 {
            let place = || places.find(&problem.path);
            problem.place.get_or_insert_with(place);
        }
        self
    }

    /// The problems, in the order of the report.
    #[must_use]
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.0
    }

    /// The problems as a table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let places = width("PLACE", self.0.iter().map(place));
        let paths = width("KEY", self.0.iter().map(path));
        let mut table = format!("{:places$}  {:paths$}  PROBLEM", "PLACE", "KEY");
        for problem in &self.0 {
            let line = format!(
                "\n{:places$}  {:paths$}  {}",
                place(problem),
                path(problem),
                problem.message
            );
            table.push_str(&line);
            if let Some(hint) = &problem.hint {
                table.push_str("; ");
                table.push_str(hint);
            }
        }
        table
    }
}

/// One line: the place, the key, the problem and the way out.
impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the configuration has 1 problem:")?,
            count => write!(f, "the configuration has {count} problems:")?,
        }
        for problem in self.0.iter().take(SHOWN_MAX) {
            write!(f, "\n  {problem}")?;
        }
        match self.0.len().checked_sub(SHOWN_MAX) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\n  and {more} more"),
        }
    }
}

impl std::error::Error for ConfigErrors {}

fn place(problem: &ConfigProblem) -> &str {
    problem.place.as_deref().unwrap_or("-")
}

fn path(problem: &ConfigProblem) -> &str {
    if problem.path.is_empty() {
        "-"
    } else {
        &problem.path
    }
}

fn width<'a>(head: &str, cells: impl Iterator<Item = &'a str>) -> usize {
    let widths = cells.map(|cell| cell.chars().count());
    let widths = widths.filter(|width| *width <= COLUMN_MAX);
    widths.fold(head.len(), usize::max)
}

/// About one screen.
const SHOWN_MAX: usize = 32;
/// Cells up to here share a column.
const COLUMN_MAX: usize = 48;

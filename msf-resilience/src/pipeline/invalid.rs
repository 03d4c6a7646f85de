//! What is wrong with a pipeline, all at once.

use std::{fmt, sync::Arc};

/// A pipeline that could not work as it was asked to: every part at fault, with its path.
///
/// Displayed on one line.
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidPipeline {
    name: Arc<str>,
    problems: Vec<InvalidPart>,
}

/// One part at fault, or a setting of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPart {
    path: String,
    message: String,
}

impl InvalidPipeline {
    /// The name of the pipeline.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong, in the order of the parts. There is at least one.
    #[must_use]
    pub fn problems(&self) -> &[InvalidPart] {
        &self.problems
    }
}

impl InvalidPart {
    /// The path of the setting within the pipeline, such as `breaker.window`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong with it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// An error of a part's builder that knows which setting is at fault.
pub(super) trait Knob: fmt::Display {
    /// The setting by the name that it has in the part's configuration; empty if it is the part as a whole.
    fn knob(&self) -> &'static str;
}

/// Collects what is wrong with the parts of one pipeline.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<InvalidPart>);

impl Findings {
    pub(super) fn report(&mut self, path: impl Into<String>, message: impl fmt::Display) {
        self.0.push(InvalidPart {
            path: path.into(),
            message: message.to_string(),
        });
    }

    /// Takes the value out of what a part's builder gave.
    pub(super) fn check<T>(&mut self, part: &str, result: Result<T, impl Knob>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let path = match error.knob() {
            "" => part.to_owned(),
            knob => format!("{part}.{knob}"),
        };
        self.report(path, error);
        None
    }

    pub(super) fn into_result(self, name: &Arc<str>) -> Result<(), InvalidPipeline> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(InvalidPipeline {
            name: Arc::clone(name),
            problems: self.0,
        })
    }
}

impl fmt::Display for InvalidPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            let gap = if number == 0 { "" } else { "; " };
            write!(
                f,
                "{gap}{}.{}: {}",
                self.name, problem.path, problem.message
            )?;
        }
        Ok(())
    }
}

/// As `Display`, for that is what `main` shows.
impl fmt::Debug for InvalidPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for InvalidPipeline {}

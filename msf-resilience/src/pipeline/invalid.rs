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

//! What is wrong with a pipeline, all at once.

use std::{fmt, sync::Arc};

use msf_core::config::Problems;

use super::part::Knob;
use crate::name;

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

impl InvalidPipeline {
    /// Reports every problem to a loader, at its key.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use msf_core::config::{Config, Loader, Problems};
    /// use msf_resilience::pipeline::{ClientConfig, http_client};
    ///
    /// #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// #[serde(default)]
    /// struct Settings {
    ///     resilience: BTreeMap<String, ClientConfig>,
    /// }
    ///
    /// impl Config for Settings {
    ///     type Resolved = Self;
    ///
    ///     fn resolve(self, problems: &mut Problems<'_>) -> Option<Self> {
    ///         for (name, config) in &self.resilience {
    ///             if let Err(invalid) = http_client(name.as_str()).config(config).build() {
    ///                 invalid.report(&mut problems.nested(&format!("resilience.{name}")));
    ///             }
    ///         }
    ///         Some(self)
    ///     }
    /// }
    ///
    /// let file = "\n[resilience.payments.bulkhead]\nmax_concurrent = 0";
    /// let error = Loader::new().file_text("shop.toml", file).load::<Settings>().err().unwrap();
    /// assert_eq!(
    ///     error.problems()[0].to_string(),
    ///     "shop.toml:3: resilience.payments.bulkhead.max_concurrent: `max_concurrent` must be from 1 to 1000000, not 0",
    /// );
    /// ```
    pub fn report(&self, problems: &mut Problems<'_>) {
        for InvalidPart { path, message } in &self.problems {
            problems.report(path, message);
        }
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

/// Collects what is wrong with the parts of one pipeline.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<InvalidPart>);

impl Findings {
    /// None yet, but for a name that cannot be: every part would say the same of it again.
    pub(super) fn of_name(name: &Arc<str>) -> Result<Self, InvalidPipeline> {
        let mut findings = Self::default();
        if !name::is_name(name) {
            let message = "the name must be 1 to 128 bytes without control characters";
            findings.report("", message);
        }
        findings.into_result(name).map(|()| Self::default())
    }

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

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_result(self, name: &Arc<str>) -> Result<(), InvalidPipeline> {
        if self.is_empty() {
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
            // A name may be what is wrong, so it may have anything in it.
            write!(f, "{gap}{}", self.name.escape_debug())?;
            if !problem.path.is_empty() {
                write!(f, ".{}", problem.path)?;
            }
            write!(f, ": {}", problem.message)?;
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

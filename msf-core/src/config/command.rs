//! What loading comes to: settings to run with, or something to print.

use std::fmt;

use super::{explain::Explanation, help::Help};

/// What the command line asked for. The library neither prints nor exits; the caller does.
///
/// `Display` is the text to print; for [`Run`](Self::Run) it is empty.
///
/// ```
/// use msf_core::config::{Command, Loader, Plain};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # #[serde(default)]
/// # struct Settings { workers: u16 }
/// fn main() -> Result<(), msf_core::config::ConfigError> {
///     # let loader = Loader::new();
///     # /*
///     let loader = Loader::from_process();
///     # */
///     let settings = match loader.load::<Plain<Settings>>()? {
///         Command::Run(loaded) => loaded.settings,
///         other => {
///             println!("{other}");
///             return Ok(());
///         }
///     };
///     assert_eq!(settings.workers, 0);
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[must_use]
pub enum Command<T> {
    /// Run with these settings.
    Run(Loaded<T>),
    /// `--print-config`: print every key, and do not run.
    PrintConfig(Explanation),
    /// `--check-config`: the configuration was loaded and is valid; do not run.
    CheckConfig,
    /// `--help`: print how to configure the program, and do not run. Nothing was loaded.
    Help(Help),
}

impl<T> Command<T> {
    /// The settings, if the program is to run.
    #[must_use]
    pub fn into_loaded(self) -> Option<Loaded<T>> {
        match self {
            Self::Run(loaded) => Some(loaded),
            Self::PrintConfig(_) | Self::CheckConfig | Self::Help(_) => None,
        }
    }
}

impl<T> fmt::Display for Command<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(_) => Ok(()),
            Self::PrintConfig(explanation) => explanation.fmt(f),
            Self::CheckConfig => f.write_str("the configuration is valid"),
            Self::Help(help) => help.fmt(f),
        }
    }
}

/// Settings, and where each came from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded<T> {
    /// What a program runs on.
    pub settings: T,
    /// Every key with its value and its source.
    pub explanation: Explanation,
}

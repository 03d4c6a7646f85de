//! From text to a configuration.

use std::ffi::OsString;

use msf_core::config::{Config, Loader, Problem, Problems};

use super::{ConfigErrors, ConfigProblem, GatewayConfig, build::check};

impl GatewayConfig {
    /// Reads and checks a configuration: JSON if the name ends in `.json`, TOML otherwise.
    ///
    /// Secrets that are written as `env:NAME` are looked up in the environment of the process.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn load(name: &str, text: &str) -> Result<Self, ConfigErrors> {
        Self::load_with(name, text, std::env::vars_os())
    }

    /// As [`load`](Self::load), with variables in place of those of the process.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_with<K: Into<OsString>, V: Into<OsString>>(
        name: &str,
        text: &str,
        env: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigErrors> {
        let env = env
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        // What this text says is what counts, whatever file the environment names.
        let env =
            env.filter(|(name, _): &(OsString, OsString)| name.to_str() != Some(FILE_VARIABLE));
        let loader = Loader::new()
            .env_prefix(PREFIX)
            .env(env)
            .file_text(name, text);
        match loader.load::<Self>() {
            Ok(command) => command
                .into_loaded()
                .map(|loaded| loaded.settings)
                .ok_or_else(|| ConfigErrors::one("the configuration was not read")),
            Err(error) => {
                let problems = error.problems().iter().map(ConfigProblem::from);
                Err(ConfigErrors::new(problems.collect()))
            }
        }
    }
}

impl Config for GatewayConfig {
    type Resolved = Self;

    fn resolve(self, problems: &mut Problems<'_>) -> Option<Self> {
        for problem in check(&self).into_problems() {
            match problem.hint {
                Some(hint) => problems.report_with_hint(&problem.path, problem.message, hint),
                None => problems.report(&problem.path, problem.message),
            }
        }
        Some(self)
    }
}

impl From<&Problem> for ConfigProblem {
    fn from(problem: &Problem) -> Self {
        let place = problem.source().filter(|source| !source.is_default());
        Self {
            path: problem.key(),
            place: place.map(ToString::to_string),
            message: problem.message().to_owned(),
            hint: problem.hint().map(str::to_owned),
        }
    }
}

/// Of variables that set a key, such as `MSF_GATEWAY__WORKERS`.
const PREFIX: &str = "MSF_GATEWAY";
const FILE_VARIABLE: &str = "MSF_GATEWAY_CONFIG";

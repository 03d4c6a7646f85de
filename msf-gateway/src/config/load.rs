//! From text to a configuration.

use std::ffi::OsString;

use msf_core::config::{Config, ConfigError, Loader, Problem, Problems};
use serde::{Deserialize, Serialize};

use super::{
    ConfigErrors, ConfigProblem, GatewayConfig,
    build::{Report, check, found},
    places::Places,
};

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
            Ok(command) => {
                let loaded = command.into_loaded();
                let loaded =
                    loaded.ok_or_else(|| ConfigErrors::one("the configuration was not read"))?;
                let found = found(&loaded.settings, &Report::default());
                if found.is_empty() {
                    return Ok(loaded.settings);
                }
                Err(ConfigErrors::new(found).located(&Places::of(name, text)))
            }
            // An element of a list that cannot be read is left out, and what is said of those after it would be
            // said of the wrong ones.
            Err(error) => Err(ConfigErrors::new(match loader.load::<Counted>() {
                Err(shape) if !Counted::is_complete(&shape, name, text) => {
                    told(Counted::others(&shape))
                }
                Err(shape) => {
                    let mut problems = told(error.problems().iter());
                    // A key that is unknown may be what would have made two routes differ.
                    if !Counted::others(&shape).any(|problem| is_of_routes(&problem.key())) {
                        problems.extend(Counted::found(&shape));
                    }
                    problems
                }
                Ok(_) => told(error.problems().iter()),
            })
            // A key that is missing has no line, and what it is missing in has one.
            .located(&Places::of(name, text))),
        }
    }
}

fn told<'a>(problems: impl Iterator<Item = &'a Problem>) -> Vec<ConfigProblem> {
    problems.map(ConfigProblem::from).collect()
}

/// Whether what a route says depends on a key.
fn is_of_routes(key: &str) -> bool {
    ["routes", "defaults", "auth"]
        .iter()
        .any(|section| key.starts_with(section))
}

/// Reads the shape alone, and reports how long the lists were that could be read, and what a builder would find.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Counted(GatewayConfig);

impl Counted {
    /// What is wrong with the shape.
    fn others(error: &ConfigError) -> impl Iterator<Item = &Problem> {
        let own = |problem: &&Problem| {
            let message = problem.message();
            !message.starts_with(COUNTS) && !message.starts_with(FOUND)
        };
        error.problems().iter().filter(own)
    }

    /// What a builder would find.
    fn found(error: &ConfigError) -> impl Iterator<Item = ConfigProblem> {
        error.problems().iter().filter_map(|problem| {
            let message = problem.message().strip_prefix(FOUND)?;
            Some(ConfigProblem {
                message: message.to_owned(),
                ..ConfigProblem::from(problem)
            })
        })
    }

    /// Whether every element of the lists was read.
    fn is_complete(error: &ConfigError, name: &str, text: &str) -> bool {
        let json: serde_json::Value = if name.ends_with(".json") {
            serde_json::from_str(text).unwrap_or_default()
        } else {
            toml::from_str(text).unwrap_or_default()
        };
        let len = |pointer| {
            json.pointer(pointer)
                .and_then(|it| Some(it.as_array()?.len()))
        };
        let lens = ["/routes", "/listeners", "/auth/issuers"].map(|list| len(list).unwrap_or(0));
        let counts = format!("{COUNTS}{lens:?}");
        let mut problems = error.problems().iter();
        problems.any(|problem| problem.message() == counts)
    }
}

impl Config for Counted {
    type Resolved = ();

    fn resolve(self, problems: &mut Problems<'_>) -> Option<()> {
        for problem in found(&self.0, &check(&self.0)) {
            let message = format!("{FOUND}{}", problem.message);
            match problem.hint {
                Some(hint) => problems.report_with_hint(&problem.path, message, hint),
                None => problems.report(&problem.path, message),
            }
        }
        let issuers = self.0.auth.map_or(0, |auth| auth.issuers.len());
        let lens = [self.0.routes.len(), self.0.listeners.len(), issuers];
        // At a key of its own: what is reported at the root goes with the first problem of another key.
        problems.report(COUNTS.trim(), format_args!("{COUNTS}{lens:?}"));
        None
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
/// Begins what [`Counted`] reports, and no other message.
const COUNTS: &str = "$counts ";
/// Begins what it found in place of a builder, and no other message.
const FOUND: &str = "$found ";

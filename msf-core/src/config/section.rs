//! The types that a configuration is read into, and what it is resolved to.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{error::Problem, key::Key};

/// Settings as they are written, and how they become the values a program runs on.
///
/// The raw type is plain serde: `#[serde(default)]`, so that every key has a value, and public
/// fields of simple types. [`resolve`](Self::resolve) checks it once and for all; whoever holds the
/// resolved type never checks again. For a type that needs no check there is [`Plain`].
///
/// The keys of `Default::default()`, serialized, are the keys that environment variables and flags
/// are matched with and that `--help` lists. So a field should not be skipped when it is empty.
///
/// ```
/// use msf_core::config::{Config, Loader, Problems};
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize)]
/// #[serde(default)]
/// struct PoolSettings {
///     min: u32,
///     max: u32,
/// }
///
/// impl Default for PoolSettings {
///     fn default() -> Self {
///         Self { min: 1, max: 8 }
///     }
/// }
///
/// #[derive(Debug)]
/// struct Pool {
///     range: std::ops::RangeInclusive<u32>,
/// }
///
/// impl Config for PoolSettings {
///     type Resolved = Pool;
///
///     fn resolve(self, problems: &mut Problems<'_>) -> Option<Pool> {
///         if self.min > self.max {
///             problems.report("min", format_args!("must not exceed max, which is {}", self.max));
///         }
///         Some(Pool { range: self.min..=self.max })
///     }
/// }
///
/// let error = Loader::new().args(["--min=9"]).load::<PoolSettings>().unwrap_err();
/// assert_eq!(error.problems()[0].to_string(), "flag --min: min: must not exceed max, which is 8");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be loaded as a configuration",
    label = "`Config` is not implemented for this type",
    note = "implement `Config` to check and resolve the settings, or load `Plain<{Self}>` if they \
            need no resolving"
)]
pub trait Config: Serialize + DeserializeOwned + Default {
    /// What a program runs on.
    type Resolved;

    /// Checks the settings and turns them into [`Self::Resolved`], reporting every problem.
    ///
    /// Loading fails if anything was reported, whatever is returned, and also if `None` is returned
    /// and nothing was reported. If keys could not be read, this still runs, with the defaults in
    /// their place, so that all problems appear at once; what it reports about those keys is
    /// dropped.
    fn resolve(self, problems: &mut Problems<'_>) -> Option<Self::Resolved>;
}

/// Settings that are used as they were read.
///
/// ```
/// use msf_core::config::{Loader, Plain};
///
/// #[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
/// #[serde(default)]
/// struct Settings {
///     greeting: String,
/// }
///
/// let loader = Loader::new().env([("MSF__GREETING", "hello")]);
/// let loaded = loader.load::<Plain<Settings>>()?.into_loaded().expect("no flag asked otherwise");
/// assert_eq!(loaded.settings.greeting, "hello");
/// # Ok::<(), msf_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a transparent wrapper has one field for ever"
)]
pub struct Plain<T>(pub T);

impl<T: Serialize + DeserializeOwned + Default> Config for Plain<T> {
    type Resolved = T;

    fn resolve(self, _: &mut Problems<'_>) -> Option<T> {
        Some(self.0)
    }
}

/// No settings at all.
impl Config for () {
    type Resolved = ();

    fn resolve(self, _: &mut Problems<'_>) -> Option<()> {
        Some(())
    }
}

/// Where [`Config::resolve`] reports what is wrong, each problem at a key.
///
/// Paths are relative to the section, with dots and indices: `"bind"`, `"tls.cert"`,
/// `"routes[1].weight"`. An empty path is the section as a whole.
///
/// ```
/// use msf_core::config::{Config, Problems};
/// # #[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
/// # struct Raw { name: String, port: String }
/// # struct Resolved { name: std::num::NonZeroU8, port: u16 }
/// # impl Config for Raw {
/// #     type Resolved = Resolved;
/// // Both are checked, and both are reported, before either is missed.
/// fn resolve(self, problems: &mut Problems<'_>) -> Option<Resolved> {
///     let name = problems.check("name", self.name.parse());
///     let port = problems.check("port", self.port.parse());
///     Some(Resolved { name: name?, port: port? })
/// }
/// # }
/// ```
pub struct Problems<'a> {
    prefix: Key,
    found: &'a mut Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(super) const fn new(found: &'a mut Vec<Problem>) -> Self {
        Self {
            prefix: Key(Vec::new()),
            found,
        }
    }

    /// Reports that the key at `path` is wrong.
    pub fn report(&mut self, path: &str, message: impl fmt::Display) {
        let key = self.prefix.join(Key::parse(path));
        self.found.push(Problem::new(key, None, message));
    }

    /// As [`report`](Self::report), with the way out.
    pub fn report_with_hint(
        &mut self,
        path: &str,
        message: impl fmt::Display,
        hint: impl Into<String>,
    ) {
        let key = self.prefix.join(Key::parse(path));
        let problem = Problem::new(key, None, message);
        self.found.push(problem.with_hint(Some(hint.into())));
    }

    /// Takes the value out of a result, and reports the error at `path` if there is one.
    pub fn check<T, E: fmt::Display>(&mut self, path: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.report(path, error)).ok()
    }

    /// Problems whose paths are relative to `path`, for a nested section to resolve itself.
    pub fn nested(&mut self, path: &str) -> Problems<'_> {
        Problems {
            prefix: self.prefix.join(Key::parse(path)),
            found: self.found,
        }
    }
}

impl fmt::Debug for Problems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problems")
            .field("prefix", &self.prefix.to_string())
            .field("found", &self.found)
            .finish()
    }
}

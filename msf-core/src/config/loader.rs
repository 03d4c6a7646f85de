//! The builder: which layers there are.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use super::{
    command::Command,
    error::ConfigError,
    layer::Environment,
    load::{self, One, Pair},
    section::Config,
};

/// Loads a configuration from its layers: defaults, then a file, then the environment, then flags;
/// a later layer wins, key by key.
///
/// [`from_process`](Self::from_process) reads the environment and the arguments of this process.
/// [`new`](Self::new) reads nothing that it was not given, which is what tests want.
///
/// The file is the one that `--config FILE` names, else `MSF_CONFIG`, else [`file`](Self::file); a
/// file that was named must exist. Only [`default_file`](Self::default_file) may be missing.
///
/// ```
/// use msf_core::config::{Loader, Plain};
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize)]
/// #[serde(default)]
/// struct Settings {
///     workers: u16,
/// }
///
/// impl Default for Settings {
///     fn default() -> Self {
///         Self { workers: 2 }
///     }
/// }
///
/// let loader = Loader::new().env([("MSF__WORKERS", "4")]).args(["--workers=8"]);
/// let loaded = loader.load::<Plain<Settings>>()?.into_loaded().expect("no --help");
/// assert_eq!(loaded.settings.workers, 8);
/// # Ok::<(), msf_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Loader {
    pub(super) program: String,
    pub(super) prefix: String,
    pub(super) env: Environment,
    pub(super) args: Vec<OsString>,
    pub(super) file: Option<NamedFile>,
    pub(super) default_file: Option<PathBuf>,
}

impl Loader {
    /// A loader of the defaults alone.
    pub fn new() -> Self {
        Self {
            program: "PROGRAM".to_owned(),
            prefix: "MSF".to_owned(),
            env: Environment::default(),
            args: Vec::new(),
            file: None,
            default_file: None,
        }
    }

    /// A loader with the environment and the arguments of this process.
    pub fn from_process() -> Self {
        let mut args = env::args_os();
        let program = args.next().map(PathBuf::from);
        let program = program
            .as_deref()
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy());
        let loader = Self::new().env(env::vars_os()).args(args);
        match program {
            Some(name) => Self {
                program: name.into_owned(),
                ..loader
            },
            None => loader,
        }
    }

    /// Replaces the environment. It is also where [`Secret`](super::Secret)s that are written as
    /// `env:NAME` are looked up.
    pub fn env<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.env = Environment(
            variables
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        );
        self
    }

    /// Replaces the arguments, which do not include the name of the program.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// The file to read unless the environment or a flag names another. It must exist.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(NamedFile {
            path: path.into(),
            text: None,
        });
        self
    }

    /// As [`file`](Self::file), with the text at hand, for tests and for settings that are compiled
    /// in. The name appears in messages.
    pub fn file_text(mut self, name: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.file = Some(NamedFile {
            path: name.into(),
            text: Some(text.into()),
        });
        self
    }

    /// The file to read, if it exists, when no other was named; relative to the working directory.
    pub fn default_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.default_file = Some(path.into());
        self
    }

    /// The prefix of variables in place of `MSF`: with `ORDERS` they are `ORDERS__SERVER__BIND` and
    /// `ORDERS_CONFIG`.
    pub fn env_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Loads one section, which claims every key.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem there is: files that cannot be read, unknown keys, values
    /// of the wrong type, and whatever [`Config::resolve`] reports.
    pub fn load<C: Config>(&self) -> Result<Command<C::Resolved>, ConfigError> {
        load::load::<One<C>>(self)
    }

    /// Loads two sections that share one file, each claiming the top-level keys of its defaults.
    ///
    /// This is how a host's settings and those of the application on it live side by side. A key
    /// that neither claims is unknown.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and if both types claim the same key.
    ///
    /// ```
    /// use msf_core::config::{Loader, Plain};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # #[serde(default)]
    /// # struct Host { workers: u16 }
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # #[serde(default)]
    /// # struct App { greeting: String }
    /// let loader = Loader::new().args(["--workers=8", "--greeting=hello"]);
    /// let loaded = loader.load_pair::<Plain<Host>, Plain<App>>()?.into_loaded().expect("no --help");
    /// let (host, app) = loaded.settings;
    ///
    /// assert_eq!((host.workers, app.greeting.as_str()), (8, "hello"));
    /// # Ok::<(), msf_core::config::ConfigError>(())
    /// ```
    pub fn load_pair<A: Config, B: Config>(
        &self,
    ) -> Result<Command<(A::Resolved, B::Resolved)>, ConfigError> {
        load::load::<Pair<A, B>>(self)
    }
}

/// A file that the program names.
#[derive(Clone)]
pub(super) struct NamedFile {
    pub(super) path: PathBuf,
    /// What it contains, if it is not to be read.
    pub(super) text: Option<String>,
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows no value, since any of them may be a secret.
impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("program", &self.program)
            .field("prefix", &self.prefix)
            .field("env", &self.env)
            .field("args", &format_args!("{} arguments", self.args.len()))
            .field("file", &self.file.as_ref().map(|file| &file.path))
            .field("default_file", &self.default_file)
            .finish()
    }
}

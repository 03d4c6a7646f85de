//! Layered configuration: defaults, then a TOML file, then environment variables, then flags.
//!
//! A service is configured by three kinds of people: its author by defaults, its operator by a file,
//! and whoever has to change one thing right now by a variable or a flag. What goes wrong is always
//! the same: a key with a typo does nothing, a variable is nested one underscore short, the first
//! error hides the next four, nobody can say where a value came from, and the password ends up in
//! the log. So here
//!
//! - an unknown key is an error in every layer, with the name that was probably meant;
//! - all problems are reported at once, each with its key and the line, variable or flag it is from;
//! - `--print-config` shows every key, its value, and where that came from;
//! - a [`Secret`] is never printed, and can be a reference to a variable or a file.
//!
//! # Example
//!
//! The settings are plain serde types. Their `Default` says which keys there are, so nothing has to
//! be declared twice.
//!
//! ```
//! use std::{net::SocketAddr, time::Duration};
//!
//! use msf_core::config::{Loader, Plain, Secret};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Default, Serialize, Deserialize)]
//! #[serde(default)]
//! struct Settings {
//!     server: Server,
//!     database: Database,
//! }
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! #[serde(default)]
//! struct Server {
//!     bind: SocketAddr,
//!     #[serde(with = "msf_core::config::duration")]
//!     header_timeout: Duration,
//! }
//!
//! #[derive(Debug, Default, Serialize, Deserialize)]
//! #[serde(default)]
//! struct Database {
//!     pool: Option<u32>,
//!     password: Option<Secret<String>>,
//! }
//!
//! impl Default for Server {
//!     fn default() -> Self {
//!         Self { bind: ([127, 0, 0, 1], 8080).into(), header_timeout: Duration::from_secs(5) }
//!     }
//! }
//!
//! // A program begins with `Loader::from_process().default_file("orders.toml")`. This is the same
//! // with everything in sight.
//! let loader = Loader::new()
//!     .file_text("orders.toml", "
//!         [server]
//!         header_timeout = \"10s\"
//!
//!         [database]
//!         password = \"env:DB_PASSWORD\"
//!     ")
//!     .env([("MSF__SERVER__HEADER_TIMEOUT", "2s"), ("DB_PASSWORD", "hunter2")])
//!     .args(["--server.bind=127.0.0.1:0"]);
//!
//! let loaded = loader.load::<Plain<Settings>>()?.into_loaded().expect("no --help among the flags");
//! let settings = loaded.settings;
//! assert_eq!(settings.server.bind.port(), 0); // the flag
//! assert_eq!(settings.server.header_timeout, Duration::from_secs(2)); // the variable wins
//! assert_eq!(settings.database.password.expect("set in the file").expose(), "hunter2");
//!
//! // What --print-config prints. It is TOML again.
//! assert_eq!(
//!     loaded.explanation.to_string(),
//!     "\
//! database.password = \"[redacted]\"  # orders.toml:6
//! ## database.pool is not set        # default
//! server.bind = \"127.0.0.1:0\"       # flag --server.bind
//! server.header_timeout = \"2s\"      # env MSF__SERVER__HEADER_TIMEOUT"
//! );
//! # Ok::<(), msf_core::config::ConfigError>(())
//! ```
//!
//! [`Config`] is for settings that need checking; [`Command`] shows a whole `main`.
//!
//! # Layers
//!
//! | layer | spelled | notes |
//! |---|---|---|
//! | file | `[server]` `bind = ".."` | TOML, or JSON if the name ends in `.json`, at most 1 MiB, 64 levels; `--config FILE`, else `MSF_CONFIG`, else [`Loader::file`] |
//! | variable | `MSF__SERVER__BIND=..` | two underscores between names, in any case |
//! | flag | `--server.bind=..`, `--server.bind ..` | `-` for `_` is fine; `--server.tls` alone means true; of two equal flags the last wins |
//!
//! `--help`, `--print-config` and `--check-config` ask for a [`Command`] instead of a run. A top-level
//! key with the name of such a flag, or `config`, can be set in a file or a variable only.
//!
//! Tables are merged key by key, everything else is replaced: a list in a variable is the whole list.
//!
//! Variables and flags are text, and the type of the field decides what the text is: a boolean
//! (`true`, `yes`, `on`, `1`), a number, a string, a list (`a,b` or `["a", "b"]`) or a table
//! (`{ a = 1 }`). An empty text is `None` for an `Option`, which is how a variable takes back what
//! the file sets.
//!
//! # Limits of what serde can tell
//!
//! - A struct that is flattened, and an enum with `tag` or `untagged`, are read by serde itself:
//!   their errors name the struct and not the key, their unknown keys are errors only with
//!   `deny_unknown_fields`, and secrets inside follow `env:` in the environment of the process, not
//!   in that of the [`Loader`]. Prefer nested structs and plain enums.
//! - A default [`Secret`] is taken from the `Default` of the struct that contains it, even if an
//!   outer `Default` says otherwise.
//! - The keys of a map have no known spelling, so a variable can only reach lower-case ones, or ones
//!   that the file mentions.
//! - An `alias` works below the top level only, since a section claims its keys by their names.
//! - Keys behind a default of `None` are missing from `--help` until something sets them.
//!
//! # When not to use it
//!
//! It reads the configuration once, at the start; it watches nothing. It has no profiles, includes
//! or templates: a deployment with many files should render them into one.

mod command;
mod de;
pub mod duration;
mod error;
mod explain;
mod fault;
mod help;
mod key;
mod layer;
mod load;
mod loader;
mod read;
mod secret;
mod section;
pub mod size;
mod source;
mod suggest;
mod text;
mod toml_text;
mod tree;
mod unknown;

pub use self::{
    command::{Command, Loaded},
    error::{ConfigError, Problem},
    explain::{Explanation, Setting},
    help::Help,
    load::resolve,
    loader::Loader,
    secret::Secret,
    section::{Config, Plain, Problems},
    source::Source,
};

//! `--print-config`: every key, its value, and where it came from.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use serde_json::Value as Json;

use super::{key::Key, layer::variable_name, source::Source, toml_text::inline, tree::Node};

/// The effective value of every key.
///
/// The values are those of the loaded settings, serialized once more, so a
/// [`Secret`](super::Secret) is redacted by its type. `Display` is aligned text that is also TOML;
/// `Serialize` gives a list of `{key, value, source, env}`.
///
/// ```
/// use msf_core::config::{Loader, Plain};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # #[serde(default)]
/// # struct Settings { workers: u16 }
/// let loaded = Loader::new().args(["--workers=4"]).load::<Plain<Settings>>()?.into_loaded();
/// let explanation = loaded.expect("no --help").explanation;
/// let workers = &explanation.settings()[0];
///
/// assert_eq!((workers.key(), workers.env()), ("workers", "MSF__WORKERS"));
/// assert_eq!(workers.value(), 4);
/// assert_eq!(workers.source().to_string(), "flag --workers");
/// # Ok::<(), msf_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Explanation {
    prefix: String,
    settings: Vec<Setting>,
}

impl Explanation {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            settings: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, effective: Json, tree: &Node) {
        self.walk(effective, &Key::default(), tree);
    }

    /// Every key, in the order it is printed.
    #[must_use]
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    fn walk(&mut self, value: Json, key: &Key, tree: &Node) {
        match value {
            Json::Object(entries) if !entries.is_empty() || key.0.is_empty() => {
                for (name, value) in entries {
                    self.walk(value, &key.name(&name), tree);
                }
            }
            // The section `()`.
            Json::Null if key.0.is_empty() => {}
            value => self.settings.push(Setting {
                key: key.to_string(),
                env: variable_name(&self.prefix, key.names().unwrap_or_default()),
                source: tree.source_of(key),
                value,
            }),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self
            .settings
            .iter()
            .map(|setting| (setting.line(), &setting.source))
            .collect();
        // One very long value must not push every source off the screen.
        let widths = lines.iter().map(|(line, _)| line.chars().count());
        let width = widths
            .filter(|width| *width <= MAX_ALIGNED)
            .max()
            .unwrap_or(0);
        for (position, (line, source)) in lines.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            write!(f, "{line:width$}  # {source}")?;
        }
        Ok(())
    }
}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.settings)
    }
}

/// One key of an [`Explanation`].
#[derive(Clone, Debug)]
pub struct Setting {
    key: String,
    env: String,
    value: Json,
    source: Source,
}

impl Setting {
    /// The path, such as `server.bind`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The variable that sets the key.
    #[must_use]
    pub fn env(&self) -> &str {
        &self.env
    }

    /// The effective value; null if the key is not set and has no default.
    #[must_use]
    pub const fn value(&self) -> &Json {
        &self.value
    }

    /// Where the value came from.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    fn line(&self) -> String {
        match &self.value {
            // TOML has no null; a comment keeps the text loadable.
            Json::Null => format!("# {} is not set", self.key),
            value => format!("{} = {}", self.key, inline(value)),
        }
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut setting = serializer.serialize_struct("Setting", 4)?;
        setting.serialize_field("key", &self.key)?;
        setting.serialize_field("value", &self.value)?;
        setting.serialize_field("source", &self.source.to_string())?;
        setting.serialize_field("env", &self.env)?;
        setting.end()
    }
}

/// Values up to here share a column.
const MAX_ALIGNED: usize = 72;

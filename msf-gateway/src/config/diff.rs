//! What differs between two configurations.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::Value;

use super::GatewayConfig;

/// One difference; its `Display` is a line.
///
/// Routes with an id are found by it, so that one more route at the beginning is one difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The key, such as `routes[users].timeout`.
    pub key: String,
    /// The value before, if there was one.
    pub before: Option<Value>,
    /// The value afterwards, if there is one.
    pub after: Option<Value>,
}

impl GatewayConfig {
    /// What differs in another configuration, key by key. Of secrets only that they differ.
    ///
    /// ```
    /// use msf_gateway::config::GatewayConfig;
    ///
    /// let route = |timeout: &str| format!(r#"
    ///     [clusters.users]
    ///     endpoints = ["http://10.0.0.1:9001"]
    ///     [[routes]]
    ///     id = "users"
    ///     match = {{ path = "/api/users/**" }}
    ///     to = "users"
    ///     timeout = "{timeout}"
    /// "#);
    /// let before = GatewayConfig::load("a.toml", &route("3s"))?;
    /// let after = GatewayConfig::load("b.toml", &route("5s"))?;
    /// let changes = before.diff(&after);
    /// assert_eq!(changes.len(), 1);
    /// assert_eq!(changes[0].to_string(), "~ routes[users].timeout: \"3s\" -> \"5s\"");
    /// # Ok::<(), msf_gateway::config::ConfigErrors>(())
    /// ```
    #[must_use]
    pub fn diff(&self, other: &Self) -> Vec<Change> {
        let (before, after) = (self.flat(), other.flat());
        let mut changes = Vec::new();
        for (key, value) in &before {
            let other = after.get(key);
            if other != Some(value) {
                changes.push(Change {
                    key: key.clone(),
                    before: Some(value.clone()),
                    after: other.cloned(),
                });
            }
        }
        for (key, value) in &after {
            if !before.contains_key(key) {
                changes.push(Change {
                    key: key.clone(),
                    before: None,
                    after: Some(value.clone()),
                });
            }
        }
        let mut secret = |differs: bool, key: &str| {
            // What is shown is equal and what is meant is not.
            if differs && !changes.iter().any(|change| change.key.starts_with(key)) {
                changes.push(Change {
                    key: key.to_owned(),
                    before: Some("[redacted]".into()),
                    after: Some("[redacted], another one".into()),
                });
            }
        };
        secret(self.admin != other.admin, "admin");
        secret(self.auth != other.auth, "auth");
        secret(self.registry != other.registry, "registry");
        secret(self.redis != other.redis, "redis");
        secret(
            self.internal_identity != other.internal_identity,
            "internal_identity",
        );
        changes.sort_by(|one, other| one.key.cmp(&other.key));
        changes
    }

    /// Every key that is set, with its value.
    fn flat(&self) -> BTreeMap<String, Value> {
        let mut flat = BTreeMap::new();
        // Serializing plain values into memory cannot fail.
        walk(
            &serde_json::to_value(self).unwrap_or_default(),
            "",
            &mut flat,
        );
        flat
    }
}

fn walk(value: &Value, at: &str, flat: &mut BTreeMap<String, Value>) {
    match value {
        // What is not set, or says what is so anyway.
        Value::Null | Value::Bool(false) => {}
        Value::Object(entries) => {
            for (key, value) in entries {
                let path = match at {
                    "" => key.clone(),
                    at => format!("{at}.{key}"),
                };
                walk(value, &path, flat);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (place, item) in items.iter().enumerate() {
                let id = item.get("id").and_then(Value::as_str);
                let id = id.map_or_else(|| place.to_string(), str::to_owned);
                walk(item, &format!("{at}[{id}]"), flat);
            }
        }
        Value::Array(items) if items.is_empty() => {}
        value => {
            flat.insert(at.to_owned(), value.clone());
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, before, after } = self;
        match (before, after) {
            (Some(before), Some(after)) => write!(f, "~ {key}: {before} -> {after}"),
            (Some(before), None) => write!(f, "- {key}: {before}"),
            (None, Some(after)) => write!(f, "+ {key}: {after}"),
            (None, None) => write!(f, "  {key}"),
        }
    }
}

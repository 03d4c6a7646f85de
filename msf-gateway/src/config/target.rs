//! Where a route leads.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor, value::SeqAccessDeserializer},
};

/// Where a route leads: `"users"`, or `[{ cluster = "users", weight = 95 }, ..]`.
///
/// ```
/// use msf_gateway::config::TargetConfig;
///
/// let to: TargetConfig = serde_json::from_str("\"users\"")?;
/// assert_eq!(to, TargetConfig::One("users".to_owned()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetConfig {
    /// A cluster, or a service of the registry.
    One(String),
    /// Several, each with its share.
    Split(Vec<WeightedConfig>),
}

/// One of several places that a route leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WeightedConfig {
    /// A cluster, or a service of the registry.
    pub cluster: String,
    /// Its share beside the others; 0 for none.
    pub weight: u32,
}

impl Serialize for TargetConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(name) => serializer.serialize_str(name),
            Self::Split(parts) => parts.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TargetConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSplit;

        impl<'de> Visitor<'de> for OneOrSplit {
            type Value = TargetConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a cluster, or a list of { cluster = \"..\", weight = 1 }")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<TargetConfig, E> {
                Ok(TargetConfig::One(name.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<TargetConfig, A::Error> {
                let parts = Deserialize::deserialize(SeqAccessDeserializer::new(list));
                parts.map(TargetConfig::Split)
            }
        }

        deserializer.deserialize_any(OneOrSplit)
    }
}

impl JsonSchema for TargetConfig {
    fn schema_name() -> Cow<'static, str> {
        "TargetConfig".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a cluster or service, or several with their weights",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": generator.subschema_for::<WeightedConfig>() },
            ],
        })
    }
}

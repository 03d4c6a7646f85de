//! What Consul says about a service, and what it is told. Only members that Consul has had since 1.4 are used.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

/// A registration, as the agent takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Registration<'a> {
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) name: &'a str,
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) tags: &'a [String],
    pub(super) meta: BTreeMap<String, String>,
    pub(super) weights: Weights,
    pub(super) checks: [Lapse; 1],
}

/// The check that lapses when nobody renews it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Lapse {
    #[serde(rename = "CheckID")]
    pub(super) check_id: String,
    pub(super) name: &'static str,
    #[serde(rename = "TTL")]
    pub(super) ttl: String,
    pub(super) status: &'static str,
    pub(super) deregister_critical_service_after: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Weights {
    pub(super) passing: i64,
    pub(super) warning: i64,
}

/// A service on a node, with all checks that concern it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    pub(super) node: Node,
    pub(super) service: Service,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Node {
    pub(super) node: String,
    #[serde(default)]
    pub(super) address: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Service {
    #[serde(rename = "ID")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) address: String,
    #[serde(default)]
    pub(super) port: u16,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) meta: BTreeMap<String, String>,
    pub(super) weights: Option<Weights>,
    #[serde(default)]
    pub(super) create_index: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Check {
    #[serde(rename = "CheckID")]
    pub(super) check_id: String,
    pub(super) status: String,
}

/// A service as its agent knows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Held {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) meta: BTreeMap<String, String>,
}

/// Go writes `null` for a list or a map that was never made.
fn or_default<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

//! What the JSON gateway of etcd says: bytes in base64, 64-bit numbers as strings, and whatever has its
//! default value left out.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};

use super::keys::Range;

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Header {
    #[serde(default, deserialize_with = "number")]
    pub(super) cluster_id: u64,
    #[serde(default, deserialize_with = "number")]
    pub(super) revision: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct KeyValue {
    #[serde(default, deserialize_with = "bytes")]
    pub(super) key: Vec<u8>,
    #[serde(default, deserialize_with = "bytes")]
    pub(super) value: Vec<u8>,
    #[serde(default, deserialize_with = "number")]
    pub(super) lease: u64,
}

/// The answer to a question for a range.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ranged {
    #[serde(default)]
    pub(super) header: Header,
    #[serde(default)]
    pub(super) kvs: Vec<KeyValue>,
}

/// The answer to a transaction.
#[derive(Debug, Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    pub(super) header: Header,
    #[serde(default)]
    pub(super) succeeded: bool,
    #[serde(default)]
    pub(super) responses: Vec<Step>,
}

/// The answer to one step of a transaction.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) response_range: Option<Ranged>,
    pub(super) response_put: Option<Put>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Put {
    /// What the key held before.
    pub(super) prev_kv: Option<KeyValue>,
}

/// A lease. A renewed one without a time to live is gone.
#[derive(Debug, Deserialize)]
pub(super) struct Granted {
    #[serde(rename = "ID", default, deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(rename = "TTL", default, deserialize_with = "signed")]
    pub(super) ttl: i64,
}

/// One line of a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Line<T> {
    pub(super) result: Option<T>,
    pub(super) error: Option<Refusal>,
}

/// One line of a watch.
#[derive(Debug, Deserialize)]
pub(super) struct Watched {
    #[serde(default)]
    pub(super) header: Header,
    #[serde(default)]
    pub(super) canceled: bool,
    #[serde(default)]
    pub(super) cancel_reason: String,
    #[serde(default, deserialize_with = "number")]
    pub(super) compact_revision: u64,
    #[serde(default)]
    pub(super) events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Event {
    /// Absent for a put, which is the default.
    #[serde(default, rename = "type")]
    kind: String,
    pub(super) kv: KeyValue,
}

#[derive(Debug, Deserialize)]
pub(super) struct Token {
    pub(super) token: String,
}

/// Why etcd did not do it. A stream spells the members in another way than an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) message: String,
    #[serde(alias = "grpc_code")]
    pub(super) code: u32,
    pub(super) http_code: Option<u16>,
}

impl Event {
    pub(super) fn is_delete(&self) -> bool {
        self.kind == "DELETE"
    }
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// A step of a transaction that reads.
pub(super) fn range(range: &Range) -> Value {
    json!({ "key": encode(&range.from), "range_end": encode(&range.to) })
}

/// A step of a transaction that writes; a lease of 0 is none.
pub(super) fn put(key: &str, value: &[u8], lease: u64) -> Value {
    json!({ "request_put": {
        "key": encode(key), "value": encode(value), "lease": lease.to_string(), "prev_kv": true,
    } })
}

pub(super) fn delete(key: &str) -> Value {
    json!({ "request_delete_range": { "key": encode(key) } })
}

/// The gateway writes strings, and reads both; so do we.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    signed(deserializer).map(i64::cast_unsigned)
}

fn signed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => text
            .parse()
            .or_else(|_above| text.parse().map(u64::cast_signed))
            .map_err(|_not_a_number| de::Error::custom("a 64-bit number is not one")),
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_u64().map(u64::cast_signed))
            .ok_or_else(|| de::Error::custom("a 64-bit number is not whole")),
        _ => Err(de::Error::custom(
            "a 64-bit number is neither text nor number",
        )),
    }
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    STANDARD
        .decode(text.as_bytes())
        .map_err(|_not_base64| de::Error::custom("bytes are not base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default() {
        let put: Watched = serde_json::from_str(
            r#"{"header":{"cluster_id":"14841639068965178418","revision":"7"},
                "events":[{"kv":{"key":"YQ==","value":"Yg=="}},{"type":"DELETE","kv":{"key":"YQ=="}}]}"#,
        )
        .unwrap();
        assert_eq!(put.header.cluster_id, 14_841_639_068_965_178_418);
        assert!(!put.events[0].is_delete() && put.events[1].is_delete());
        assert_eq!(put.events[0].kv.key, b"a");
        let gone: Granted = serde_json::from_str(r#"{"ID":"5"}"#).unwrap();
        assert_eq!((gone.id, gone.ttl), (5, 0));
    }

    #[test]
    fn numbers_are_read_as_text_and_as_numbers_and_nothing_else() {
        for (json, ttl) in [
            (r#"{"TTL":"15"}"#, 15),
            (r#"{"TTL":15}"#, 15),
            (r#"{"TTL":"-1"}"#, -1),
        ] {
            assert_eq!(serde_json::from_str::<Granted>(json).unwrap().ttl, ttl);
        }
        for bad in [
            r#"{"TTL":"x"}"#,
            r#"{"TTL":1.5}"#,
            r#"{"TTL":[]}"#,
            r#"{"ID":"99999999999999999999"}"#,
        ] {
            assert!(serde_json::from_str::<Granted>(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<KeyValue>(r#"{"key":"!"}"#).is_err());
    }
}

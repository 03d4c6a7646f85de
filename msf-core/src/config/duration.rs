//! Durations in words: `#[serde(with = "msf_core::config::duration")]`.
//!
//! They are written as `"250ms"`, `"5s"` or `"1m 30s"`. A bare number is refused, because nobody can
//! see whether it means seconds. For an `Option<Duration>` there is [`option`].
//!
//! ```
//! use std::time::Duration;
//!
//! #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
//! struct Timeouts {
//!     #[serde(with = "msf_core::config::duration")]
//!     read: Duration,
//!     #[serde(default, with = "msf_core::config::duration::option")]
//!     idle: Option<Duration>,
//! }
//!
//! let timeouts: Timeouts = serde_json::from_str(r#"{"read": "1m 30s"}"#)?;
//! assert_eq!(timeouts, Timeouts { read: Duration::from_secs(90), idle: None });
//! assert_eq!(serde_json::to_string(&timeouts)?, r#"{"read":"1m 30s","idle":null}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::{fmt, time::Duration};

use serde::{
    Deserializer, Serializer,
    de::{Error, Visitor},
};

use super::key::quote;

/// Writes a duration in words.
///
/// # Errors
///
/// As the serializer.
pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*value))
}

/// Reads a duration from words.
///
/// # Errors
///
/// If the value is no text, or not a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(Words)
}

/// The same for `Option<Duration>`.
pub mod option {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a duration in words, or nothing.
    ///
    /// # Errors
    ///
    /// As the serializer.
    pub fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Element).serialize(serializer)
    }

    /// Reads a duration from words, or nothing.
    ///
    /// # Errors
    ///
    /// If there is a value and it is no text, or not a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Element>::deserialize(deserializer)?.map(|Element(value)| value))
    }

    #[derive(Serialize, Deserialize)]
    struct Element(#[serde(with = "super")] Duration);
}

struct Words;

impl Visitor<'_> for Words {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"5s\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        humantime::parse_duration(text).map_err(|_| {
            E::custom(format_args!(
                "expected a duration such as \"5s\", found {}",
                quote(text)
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    fn read(json: &str) -> Result<Duration, String> {
        let mut json = serde_json::Deserializer::from_str(json);
        super::deserialize(&mut json).map_err(|error| error.to_string())
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(read("\"250ms\""), Ok(Duration::from_millis(250)));
        let error = |json| read(json).unwrap_err();
        assert!(
            error("\"5 parsecs\"")
                .starts_with("expected a duration such as \"5s\", found \"5 parsecs\"")
        );
        assert!(error("\"5\"").contains("found \"5\""));
        assert!(error("5").contains("expected a duration such as \"5s\""));
        assert!(error("\"99999999999999999999s\"").contains("expected a duration"));
    }
}

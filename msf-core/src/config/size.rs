//! Sizes in bytes: `#[serde(with = "msf_core::config::size")]`.
//!
//! They are written as `"64KiB"`, `"2MiB"` or `"1MB"` (1024 and 1000, as the units say), or as a
//! plain number of bytes. The field is any unsigned integer; a size that does not fit it is an
//! error. For an `Option` there is [`option`].
//!
//! ```
//! #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
//! struct Limits {
//!     #[serde(with = "msf_core::config::size")]
//!     body: usize,
//!     #[serde(default, with = "msf_core::config::size::option")]
//!     disk: Option<u64>,
//! }
//!
//! let limits: Limits = serde_json::from_str(r#"{"body": "64KiB", "disk": "1GB"}"#)?;
//! assert_eq!(limits, Limits { body: 65_536, disk: Some(1_000_000_000) });
//! assert_eq!(serde_json::to_string(&limits)?, r#"{"body":"64KiB","disk":"1GB"}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::fmt;

use serde::{
    Deserializer, Serializer,
    de::{Error, Visitor},
    ser,
};

use super::key::quote;

/// Writes a size in the largest unit that divides it, or as a number of bytes.
///
/// # Errors
///
/// As the serializer, and for a size above `u64::MAX`.
pub fn serialize<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Copy + TryInto<u64>,
    S: Serializer,
{
    let Ok(bytes) = (*value).try_into() else {
        return Err(ser::Error::custom(
            "a size must be from 0 to 18446744073709551615 bytes",
        ));
    };
    match UNITS
        .iter()
        .rev()
        .find(|(_, unit)| bytes > 0 && bytes % unit == 0)
    {
        Some((name, unit)) if *unit > 1 => {
            serializer.collect_str(&format_args!("{}{name}", bytes / unit))
        }
        _ => serializer.serialize_u64(bytes),
    }
}

/// Reads a size.
///
/// # Errors
///
/// If the value is not a size, or does not fit the type.
pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let bytes = deserializer.deserialize_any(Size)?;
    T::try_from(bytes)
        .map_err(|_| D::Error::custom(format_args!("the size of {bytes} bytes is too large")))
}

/// The same for an `Option`.
pub mod option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a size, or nothing.
    ///
    /// # Errors
    ///
    /// As [`size::serialize`](super::serialize).
    pub fn serialize<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy + TryInto<u64>,
        S: Serializer,
    {
        value.map(Element).serialize(serializer)
    }

    /// Reads a size, or nothing.
    ///
    /// # Errors
    ///
    /// As [`size::deserialize`](super::deserialize).
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: TryFrom<u64>,
        D: Deserializer<'de>,
    {
        Ok(Option::<Element<T>>::deserialize(deserializer)?.map(|Element(value)| value))
    }

    #[derive(Serialize, Deserialize)]
    #[serde(bound(serialize = "T: Copy + TryInto<u64>", deserialize = "T: TryFrom<u64>"))]
    struct Element<T>(#[serde(with = "super")] T);
}

struct Size;

impl Visitor<'_> for Size {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as \"64KiB\"")
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<u64, E> {
        Ok(bytes)
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<u64, E> {
        u64::try_from(bytes).map_err(|_| {
            E::custom(format_args!(
                "expected a size such as \"64KiB\", found {bytes}"
            ))
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        parse(text).ok_or_else(|| {
            E::custom(format_args!(
                "expected a size such as \"64KiB\", found {}",
                quote(text)
            ))
        })
    }
}

fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.trim_start();
    let factor = if unit.is_empty() {
        1
    } else {
        UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))?
            .1
    };
    number
        .replace('_', "")
        .parse::<u64>()
        .ok()?
        .checked_mul(factor)
}

/// By size; `K` alone is missing because it means 1000 to some and 1024 to others.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_read_as_their_units_say() {
        assert_eq!(parse("64KiB"), Some(65_536));
        assert_eq!(parse("2 mb"), Some(2_000_000));
        assert_eq!(parse("1_024"), Some(1024));
        for wrong in [
            "",
            "KiB",
            "64K",
            "1.5MiB",
            "-1",
            "99999999999999999999",
            "99999999999TiB",
            "64 KiB B",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_size_is_written_as_it_reads_best() {
        let written = |bytes: u64| super::serialize(&bytes, serde_json::value::Serializer).unwrap();
        assert_eq!(written(3 << 20), "3MiB");
        assert_eq!(written(2_000_000), "2MB");
        assert_eq!(written(1025), 1025);
        assert_eq!(written(0), 0);
    }
}

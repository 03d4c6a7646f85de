//! What a claim may be compared with.

use std::fmt;

use serde_json::Value;

use super::text;

/// What [`claim`](super::claim) compares with: a text, a whole number, or a truth value.
///
/// Types are not mixed: the number 7 is not the text `7`.
///
/// ```
/// use msf_auth::policy::{ClaimValue, claim};
///
/// assert_eq!(claim("plan", "gold").to_string(), "claim(plan, gold)");
/// assert_eq!(claim("email_verified", true).to_string(), "claim(email_verified, true)");
/// assert_eq!(claim("email_verified", "true").to_string(), r#"claim(email_verified, "true")"#);
/// assert_eq!(ClaimValue::from(7).to_string(), "7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimValue {
    /// A text.
    Text(Box<str>),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
}

impl ClaimValue {
    /// Whether a claim is this value, or is a list that has it; `None` when it has something of another type, which
    /// cannot be compared.
    pub(super) fn matches(&self, claim: &Value) -> Option<bool> {
        match claim {
            Value::Null => Some(false),
            Value::Array(items) => {
                let has = items.iter().any(|item| self.is(item) == Some(true));
                (has || items.iter().all(|item| self.is(item).is_some())).then_some(has)
            }
            one => self.is(one),
        }
    }

    fn is(&self, value: &Value) -> Option<bool> {
        match self {
            Self::Text(text) => Some(value.as_str()? == &**text),
            Self::Integer(number) => Some(value.as_i64()? == *number),
            Self::Bool(truth) => Some(value.as_bool()? == *truth),
        }
    }
}

/// Whether an unquoted text would be read as something else than a text.
pub(super) fn is_no_text(bare: &str) -> bool {
    let digits = bare.strip_prefix('-').unwrap_or(bare);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number || matches!(bare, "true" | "false")
}

impl fmt::Display for ClaimValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(value) if is_no_text(value) => text::write_quoted(f, value),
            Self::Text(value) => text::write(f, value),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Bool(truth) => write!(f, "{truth}"),
        }
    }
}

impl From<&str> for ClaimValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for ClaimValue {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for ClaimValue {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for ClaimValue {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

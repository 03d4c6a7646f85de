//! A value that is used but never shown.

use std::{
    ffi::OsString,
    fmt,
    fs::File,
    io::{self, Read as _},
    marker::PhantomData,
    str::FromStr,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

/// A password, token or key: read from the configuration, handed out by [`expose`](Self::expose),
/// and `[redacted]` wherever it is printed, serialized or logged.
///
/// It is written as a plain string, or better as a reference, which keeps it out of the file:
///
/// | written | the secret is |
/// |---|---|
/// | `env:NAME` | the environment variable `NAME` |
/// | `file:/run/secrets/db` | the file without one trailing line break, at most 64 KiB |
/// | anything else | the text itself |
///
/// What a reference leads to is never read as a reference again, so a password that begins with
/// `env:` belongs in a variable or a file. No error message contains a secret, not even one about a
/// value that could not be parsed.
///
/// A field without a value is an `Option<Secret<T>>`. The memory is not zeroed on drop.
///
/// ```
/// use msf_core::config::{Loader, Plain, Secret};
///
/// #[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
/// #[serde(default)]
/// struct Database {
///     password: Option<Secret<String>>,
/// }
///
/// let env = [("MSF__PASSWORD", "env:DB_PASSWORD"), ("DB_PASSWORD", "hunter2")];
/// let loaded = Loader::new().env(env).load::<Plain<Database>>()?.into_loaded().expect("no flags");
///
/// let password = loaded.settings.password.as_ref().expect("it was set");
/// assert_eq!(password.expose(), "hunter2");
/// assert_eq!(format!("{:?}", loaded.settings), "Database { password: Some([redacted]) }");
/// # Ok::<(), msf_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value in the clear. The name is there to be searched for.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Takes the value out.
    #[must_use]
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(MARKER, SecretVisitor(PhantomData))
    }
}

/// Overrides every `visit_*`: those of serde quote the value that did not fit.
struct SecretVisitor<T>(PhantomData<T>);

impl<T: FromStr> SecretVisitor<T> {
    fn parse<E: de::Error>(text: &str) -> Result<Secret<T>, E> {
        text.parse().map(Secret).map_err(|_| {
            E::custom(format_args!(
                "the secret cannot be read as {}",
                std::any::type_name::<T>()
            ))
        })
    }
}

impl<'de, T: FromStr> Visitor<'de> for SecretVisitor<T> {
    type Value = Secret<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret as a string")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
        // Not `deserialize_string`: serde_json answers a number there by quoting it.
        inner.deserialize_any(self)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let text = follow(text, |name| std::env::var_os(name)).map_err(E::custom)?;
        Self::parse(&text)
    }

    /// Our own deserializer follows references itself, in the environment it was given, and passes
    /// the outcome as bytes, which are not looked at for a reference again.
    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        let text = str::from_utf8(bytes).map_err(|_| E::custom("the secret is not valid UTF-8"))?;
        Self::parse(text)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_STRING))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_STRING))
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_STRING))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_STRING))
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_STRING))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_STRING))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Err(E::custom(NOT_A_STRING))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(de::Error::custom(NOT_A_STRING))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(de::Error::custom(NOT_A_STRING))
    }
}

/// Follows a reference, or returns the text as it is.
///
/// # Errors
///
/// Names the variable or the file, never what was found there.
pub(super) fn follow(
    written: &str,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<String, String> {
    if let Some(name) = written.strip_prefix("env:") {
        return from_env(name, env);
    }
    if let Some(path) = written.strip_prefix("file:") {
        return from_file(path).map_err(|error| {
            let reason = match error.kind() {
                io::ErrorKind::NotFound => "it does not exist".to_owned(),
                io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                _ => error.to_string(),
            };
            format!("the secret cannot be read from file {path:?}: {reason}")
        });
    }
    Ok(written.to_owned())
}

fn from_env(name: &str, env: impl Fn(&str) -> Option<OsString>) -> Result<String, String> {
    // A text that cannot name a variable may be a password that happens to begin with `env:`.
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err("the secret begins with env: but no variable name follows".to_owned());
    }
    let value =
        env(name).ok_or_else(|| format!("the secret refers to {name}, which is not set"))?;
    match value.into_string() {
        Ok(text) if text.is_empty() => Err(format!("the secret refers to {name}, which is empty")),
        Ok(text) => Ok(text),
        Err(_) => Err(format!(
            "the secret refers to {name}, which is not valid UTF-8"
        )),
    }
}

fn from_file(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_SECRET_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(io::Error::other(format!(
            "it is larger than {MAX_SECRET_BYTES} bytes"
        )));
    }
    let mut text =
        String::from_utf8(bytes).map_err(|_| io::Error::other("it is not valid UTF-8"))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(io::Error::other("it is empty"));
    }
    Ok(text)
}

pub(super) const REDACTED: &str = "[redacted]";

/// The newtype name by which our deserializer recognizes a secret.
pub(super) const MARKER: &str = "$msf_core::config::Secret";

const NOT_A_STRING: &str = "a secret must be a string in quotes";

/// A certificate chain fits; a disk image that was mounted by mistake does not.
const MAX_SECRET_BYTES: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn serde_json_never_quotes_a_secret_that_does_not_fit() {
        for json in [
            "1234567",
            "12345.67",
            "[1234567]",
            "{\"1234567\":1}",
            "\"1234567x\"",
            "true",
            "null",
        ] {
            let error = serde_json::from_str::<Secret<u64>>(json)
                .unwrap_err()
                .to_string();
            assert!(!error.contains("12345"), "{error}");
        }
        assert_eq!(
            *serde_json::from_str::<Secret<u16>>("\"80\"")
                .unwrap()
                .expose(),
            80
        );
    }

    #[test]
    fn it_is_redacted_in_every_form() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret} {secret:?} {secret:#?}"),
            "[redacted] [redacted] [redacted]"
        );
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[redacted]\"");
    }
}

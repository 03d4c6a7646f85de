//! The protected header: what is needed, and what is refused.

use std::borrow::Cow;

use super::scan::{Malformed, Scanner, are_distinct};

/// The members that count. `typ` and `kid` may be missing; what that means is for the verifier.
#[derive(Debug, Default)]
pub(crate) struct Header<'a> {
    pub(crate) algorithm: Option<Cow<'a, str>>,
    pub(crate) token_type: Option<Cow<'a, str>>,
    pub(crate) key_id: Option<Cow<'a, str>>,
    /// A member is there that would change how the token is read.
    pub(crate) has_forbidden: bool,
    /// A member is there that names or holds a key of the sender's choice.
    pub(crate) has_key_hint: bool,
}

/// Extensions that must be understood (`crit`, `b64`), and what makes a token something else than signed claims
/// (`zip`, `enc`, `cty`).
const FORBIDDEN: [&str; 5] = ["crit", "b64", "zip", "enc", "cty"];
/// Keys that the sender chose; nothing ever reads them.
const KEY_HINT: [&str; 4] = ["jku", "jwk", "x5u", "x5c"];

/// More members than any honest header has.
const MEMBERS_MAX: usize = 16;

impl<'a> Header<'a> {
    /// A header has a hundred bytes; this is base64url of 2 KiB.
    pub(crate) const TEXT_BYTES_MAX: usize = 2_731;

    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, Malformed> {
        let json = str::from_utf8(json).map_err(|_| Malformed)?;
        let mut header = Self::default();
        let mut scanner = Scanner::new(json);
        let mut names: Vec<Cow<'a, str>> = Vec::new();
        let mut is_first = true;
        scanner.open_object()?;
        while let Some(name) = scanner.next_name(is_first)? {
            is_first = false;
            let raw = scanner.value()?;
            let name = name.of(json);
            let known = match &*name {
                "alg" => &mut header.algorithm,
                "typ" => &mut header.token_type,
                "kid" => &mut header.key_id,
                _ => {
                    header.has_forbidden |= FORBIDDEN.contains(&&*name);
                    header.has_key_hint |= KEY_HINT.contains(&&*name);
                    names.push(name);
                    continue;
                }
            };
            let text = raw.text().ok_or(Malformed)?.of(json);
            if known.replace(text).is_some() {
                return Err(Malformed);
            }
        }
        scanner.end()?;
        if names.len() > MEMBERS_MAX || !are_distinct(&mut names) {
            return Err(Malformed);
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_read_and_the_rest_ignored() {
        let header =
            Header::parse(br#"{"alg":"ES256","typ":"at+jwt","kid":"a","x5t":"b"}"#).unwrap();
        assert_eq!(header.algorithm.as_deref(), Some("ES256"));
        assert_eq!(header.token_type.as_deref(), Some("at+jwt"));
        assert_eq!(header.key_id.as_deref(), Some("a"));
        assert!(!header.has_forbidden && !header.has_key_hint);
    }

    #[test]
    fn members_that_change_the_meaning_are_marked() {
        for name in FORBIDDEN.into_iter().chain(KEY_HINT) {
            let json = format!(r#"{{"alg":"ES256","{name}":null}}"#);
            let header = Header::parse(json.as_bytes()).unwrap();
            let marks = (header.has_forbidden, header.has_key_hint);
            let is_hint = KEY_HINT.contains(&name);
            assert_eq!(marks, (!is_hint, is_hint), "{name}");
        }
        assert!(Header::parse(br#"{"\u0063rit":[]}"#).unwrap().has_forbidden);
    }

    #[test]
    fn wrong_types_and_duplicates_are_refused() {
        for json in [
            r#"{"alg":1}"#,
            r#"{"alg":null}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"kid":{}}"#,
            r#"{"typ":1}"#,
            r#"{"alg":"a","alg":"a"}"#,
            r#"{"kid":"a","\u006bid":"b"}"#,
            r#"{"x":1,"x":1}"#,
            "[]",
            "null",
            "1",
            "",
            "{} {}",
            r#"{"x":{"a":1,"a":1}}"#,
        ] {
            assert!(Header::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}

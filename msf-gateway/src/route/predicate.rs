//! What a route wants of headers, of the query and of cookies.

use std::{borrow::Cow, fmt};

use http::{HeaderMap, HeaderName, HeaderValue, header::COOKIE};
use regex::bytes::{Regex, RegexBuilder};

use super::{Lookup, error::InvalidMatch, query};

macro_rules! matches {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[must_use = "it does nothing until a match has it"]
        pub struct $name(Predicate);

        impl $name {
            /// It is there with this value.
            pub fn exact(name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
                Self(Predicate::new(name, Wanted::Exact(value.into())))
            }

            /// It is there and begins with this.
            pub fn prefix(name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
                Self(Predicate::new(name, Wanted::Prefix(value.into())))
            }

            /// It is there, and its whole value is what the regular expression takes.
            pub fn regex(name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
                Self(Predicate::new(name, Wanted::Regex(value.into())))
            }

            /// It is there.
            pub fn present(name: impl Into<Box<str>>) -> Self {
                Self(Predicate::new(name, Wanted::Present))
            }

            /// It is not there.
            pub fn absent(name: impl Into<Box<str>>) -> Self {
                Self(Predicate::new(name, Wanted::Absent))
            }

            pub(super) const fn predicate(&self) -> &Predicate {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

matches! {
    /// What a route wants of a header. Of several lines with the name the first counts.
    ///
    /// ```
    /// use msf_gateway::route::HeaderMatch;
    ///
    /// assert_eq!(HeaderMatch::exact("x-canary", "1").to_string(), "x-canary=1");
    /// assert_eq!(HeaderMatch::absent("cookie").to_string(), "!cookie");
    /// ```
    HeaderMatch
}

matches! {
    /// What a route wants of a parameter of the query: percent-decoded, `+` is a space, and of several with the
    /// name the first counts.
    ///
    /// ```
    /// use msf_gateway::route::QueryMatch;
    ///
    /// assert_eq!(QueryMatch::prefix("version", "2.").to_string(), "version=2.*");
    /// ```
    QueryMatch
}

matches! {
    /// What a route wants of a cookie. Of several with the name the first counts.
    ///
    /// ```
    /// use msf_gateway::route::CookieMatch;
    ///
    /// assert_eq!(CookieMatch::present("beta").to_string(), "beta");
    /// ```
    CookieMatch
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Predicate {
    pub(super) name: Box<str>,
    pub(super) wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Wanted {
    Exact(Box<str>),
    Prefix(Box<str>),
    Regex(Box<str>),
    Present,
    Absent,
}

impl Predicate {
    fn new(name: impl Into<Box<str>>, wanted: Wanted) -> Self {
        Self {
            name: name.into(),
            wanted,
        }
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.wanted {
            Wanted::Exact(value) => write!(f, "{name}={value}"),
            Wanted::Prefix(value) => write!(f, "{name}={value}*"),
            Wanted::Regex(value) => write!(f, "{name}~{value}"),
            Wanted::Present => f.write_str(name),
            Wanted::Absent => write!(f, "!{name}"),
        }
    }
}

/// The predicates of one route, ready to be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Predicates {
    headers: Box<[(HeaderName, Test)]>,
    query: Box<[(Box<str>, Test)]>,
    cookies: Box<[(Box<str>, Test)]>,
}

/// The predicate that did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed<'t> {
    Header(&'t str),
    Query(&'t str),
    Cookie(&'t str),
}

#[derive(Clone, Debug)]
enum Test {
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Regex(Regex),
    Present,
    Absent,
}

impl Predicates {
    pub(super) fn compile(
        headers: &[HeaderMatch],
        query: &[QueryMatch],
        cookies: &[CookieMatch],
        errors: &mut Vec<InvalidMatch>,
    ) -> Self {
        let mut test = |predicate: &Predicate| match Test::compile(&predicate.wanted) {
            Ok(test) => Some(test),
            Err(error) => {
                errors.push(error);
                None
            }
        };
        let tested = |predicate: &Predicate, test| Some((predicate.name.clone(), test?));
        let query = query.iter().map(QueryMatch::predicate);
        let query = query.filter_map(|it| tested(it, test(it))).collect();
        let pairs: Vec<_> = cookies.iter().map(CookieMatch::predicate).collect();
        let cookies = pairs.iter().filter_map(|it| tested(it, test(it))).collect();
        let headers: Vec<_> = headers
            .iter()
            .filter_map(|it| tested(it.predicate(), test(it.predicate())))
            .collect();
        for cookie in pairs {
            if !is_token(&cookie.name) {
                let name = cookie.name.clone();
                errors.push(InvalidMatch::CookieName { name });
            }
        }
        let mut named = Vec::with_capacity(headers.len());
        for (name, test) in headers {
            match HeaderName::from_bytes(name.as_bytes()) {
                Ok(name) => named.push((name, test)),
                Err(source) => errors.push(InvalidMatch::HeaderName { name, source }),
            }
        }
        Self {
            headers: named.into(),
            query,
            cookies,
        }
    }

    /// The first that does not hold.
    pub(super) fn failed(&self, lookup: &Lookup<'_>) -> Option<Failed<'_>> {
        for (name, test) in &self.headers {
            let value = lookup.headers.and_then(|headers| headers.get(name));
            if !test.holds(value.map(HeaderValue::as_bytes)) {
                return Some(Failed::Header(name.as_str()));
            }
        }
        for (name, test) in &self.query {
            let value: Option<Cow<'_, [u8]>> = query::values(lookup.query, name).next();
            if !test.holds(value.as_deref()) {
                return Some(Failed::Query(name));
            }
        }
        for (name, test) in &self.cookies {
            if !test.holds(lookup.headers.and_then(|headers| cookie(headers, name))) {
                return Some(Failed::Cookie(name));
            }
        }
        None
    }
}

impl Test {
    fn compile(wanted: &Wanted) -> Result<Self, InvalidMatch> {
        Ok(match wanted {
            Wanted::Exact(value) => Self::Exact(value.as_bytes().into()),
            Wanted::Prefix(value) => Self::Prefix(value.as_bytes().into()),
            Wanted::Regex(text) => Self::Regex(regex(text)?),
            Wanted::Present => Self::Present,
            Wanted::Absent => Self::Absent,
        })
    }

    fn holds(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Self::Absent, value) => value.is_none(),
            (_, None) => false,
            (Self::Present, Some(_)) => true,
            (Self::Exact(wanted), Some(value)) => **wanted == *value,
            (Self::Prefix(wanted), Some(value)) => value.starts_with(wanted),
            (Self::Regex(regex), Some(value)) => regex.is_match(value),
        }
    }
}

/// The first cookie with this name. HTTP/2 clients may split cookies over lines (RFC 9113 §8.2.3).
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let lines = headers
        .get_all(COOKIE)
        .into_iter()
        .map(HeaderValue::as_bytes);
    let mut pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
    pairs.find_map(|pair| {
        let pair = pair.trim_ascii_start();
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(value.trim_ascii_end())
    })
}

fn is_token(name: &str) -> bool {
    // The name of a cookie is a token (RFC 6265 §4.1.1), as that of a header is.
    HeaderName::from_bytes(name.as_bytes()).is_ok()
}

/// An expression for whole texts: over bytes, for what is matched is ASCII where it was not written by an enemy.
pub(super) fn regex(text: &str) -> Result<Regex, InvalidMatch> {
    let build = |text: &str| {
        let mut builder = RegexBuilder::new(text);
        builder.unicode(false).size_limit(REGEX_SIZE_MAX).build()
    };
    let refused = |error: regex::Error| InvalidMatch::Regex {
        text: text.into(),
        problem: in_one_line(&error),
    };
    // Alone first, so that `a)|(b` cannot step out of the anchors.
    build(text).map_err(refused)?;
    build(&format!(r"\A(?:{text})\z")).map_err(refused)
}

/// The errors of `regex` draw the expression and point into it; their last line says what is wrong.
fn in_one_line(error: &regex::Error) -> Box<str> {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).into()
}

/// 1 MiB compiled: a route that needs more is no route but a list.
const REGEX_SIZE_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_take_whole_values() {
        let takes = |text: &str, value: &str| regex(text).unwrap().is_match(value.as_bytes());
        assert!(takes("a|b", "b"));
        assert!(!takes("a|b", "bb"));
        assert!(!takes("a|b", "a\n"));
        assert!(takes("^/v[0-9]+/.*$", "/v2/x"));
        assert!(!takes("/v[0-9]+", "/v2/x"));
        assert!(takes(r"(?i)v\d", "V1"));
        for refused in ["(", "a)|(b", "(?:a{1000}){1000}", r"\p{Greek}", "(?x) a #"] {
            let error = regex(refused).unwrap_err();
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn the_first_cookie_of_a_name_counts() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; bb=x; b=2 ;b=3"));
        headers.append(COOKIE, HeaderValue::from_static("c=4"));
        for (name, expected) in [("a", "1"), ("b", "2"), ("bb", "x"), ("c", "4")] {
            assert_eq!(cookie(&headers, name), Some(expected.as_bytes()), "{name}");
        }
        assert_eq!(cookie(&headers, "x"), None);
        assert_eq!(cookie(&headers, "A"), None);
    }
}

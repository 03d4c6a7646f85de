//! Who may ask.

use std::net::IpAddr;

use aws_lc_rs::{constant_time, digest};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use msf_core::{
    config::Secret,
    problem::{Code, Problem},
};

/// Decides by the head of a request alone.
///
/// A page of somebody's else that is open in an operator's browser can send requests here, since loopback is
/// where the browser runs. What it cannot do is name this machine as the host under a name of its own that it
/// has pointed here (so without a token only addresses and `localhost` are answered), hide that it is another
/// origin (so an order with a foreign `Origin` or `Sec-Fetch-Site` is refused), or know the token.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// Of the whole credentials.
    token: Option<Secret<[u8; 32]>>,
    is_read_only: bool,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Host,
    Origin,
    NoToken,
    WrongToken,
    ReadOnly,
}

impl Guard {
    pub(super) fn new(token: Option<&Secret<String>>, is_read_only: bool) -> Self {
        Self {
            token: token.map(|token| Secret::new(hash(token.expose().as_bytes()))),
            is_read_only,
        }
    }

    /// Checks a request; `is_open` is one that needs no token.
    pub(super) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        is_open: bool,
    ) -> Result<(), Refused> {
        let host = host(uri, headers)?;
        match &self.token {
            // Who knows the token is no page that found its way here.
            Some(token) if !is_open => check_token(token.expose(), headers)?,
            Some(_) => {}
            None if host.is_none_or(is_of_this_machine) => {}
            None => return Err(Refused::Host),
        }
        if method != Method::POST {
            return Ok(());
        }
        if self.is_read_only {
            return Err(Refused::ReadOnly);
        }
        check_origin(host, headers)
    }
}

fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<Option<&'a str>, Refused> {
    if let Some(authority) = uri.authority() {
        return Ok(Some(authority.as_str()));
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(None),
        (Some(host), None) => host.to_str().map(Some).map_err(|_| Refused::Host),
        (Some(_), Some(_)) => Err(Refused::Host),
    }
}

/// An address, or a name that every browser resolves by itself.
fn is_of_this_machine(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.split_once(']').map(|(address, _)| address);
        return address.is_some_and(|address| address.parse::<IpAddr>().is_ok());
    }
    let name = host.split_once(':').map_or(host, |(name, _port)| name);
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok()
}

/// What is not a browser sends neither header.
fn check_origin(host: Option<&str>, headers: &HeaderMap) -> Result<(), Refused> {
    let is_own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok()?;
        let authority = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))?;
        Some(host?.eq_ignore_ascii_case(authority))
    };
    let mut origins = headers.get_all(header::ORIGIN).iter();
    if !origins.all(|origin| is_own(origin) == Some(true)) {
        return Err(Refused::Origin);
    }
    let mut sites = headers.get_all("sec-fetch-site").iter();
    if sites.all(|site| matches!(site.as_bytes(), b"same-origin" | b"none")) {
        Ok(())
    } else {
        Err(Refused::Origin)
    }
}

fn check_token(token: &[u8; 32], headers: &HeaderMap) -> Result<(), Refused> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refused::NoToken);
    };
    let (scheme, told) = value
        .as_bytes()
        .split_at_checked(BEARER.len())
        .unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(BEARER) {
        return Err(Refused::NoToken);
    }
    // Of the hashes, so that not even the length is told by the time it takes.
    constant_time::verify_slices_are_equal(token, &hash(told)).map_err(|_| Refused::WrongToken)
}

fn hash(text: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    let digest = digest::digest(&digest::SHA256, text);
    hash.copy_from_slice(digest.as_ref());
    hash
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Host => Self::new(Code::MisdirectedRequest).with_detail(
                "without a token this listener is asked by its address or as localhost",
            ),
            Refused::Origin => {
                Self::new(Code::Forbidden).with_detail("orders do not come from another origin")
            }
            Refused::NoToken => Self::new(Code::Unauthenticated),
            Refused::WrongToken => Self::new(Code::InvalidToken),
            Refused::ReadOnly => {
                Self::new(Code::Forbidden).with_detail("this listener changes nothing")
            }
        }
    }
}

const BEARER: &[u8] = b"Bearer ";

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(
        guard: &Guard,
        method: &Method,
        lines: &[(&'static str, &'static str)],
    ) -> Result<(), Refused> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        guard.check(method, &Uri::from_static("/drain"), &headers, false)
    }

    #[test]
    fn a_name_that_was_pointed_here_is_not_answered() {
        let guard = Guard::new(None, false);
        for (host, expected) in [
            ("127.0.0.1:9901", Ok(())),
            ("localhost:9901", Ok(())),
            ("LOCALHOST", Ok(())),
            ("gateway.localhost", Ok(())),
            ("[::1]:9901", Ok(())),
            ("evil.example", Err(Refused::Host)),
            ("127.0.0.1.evil.example", Err(Refused::Host)),
            ("localhost.evil.example:9901", Err(Refused::Host)),
            ("notlocalhost", Err(Refused::Host)),
            ("[evil]", Err(Refused::Host)),
            ("", Err(Refused::Host)),
        ] {
            assert_eq!(
                checked(&guard, &Method::GET, &[("host", host)]),
                expected,
                "{host}"
            );
        }
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(checked(&guard, &Method::GET, &twice), Err(Refused::Host));
    }

    #[test]
    fn an_order_of_another_origin_is_refused() {
        let guard = Guard::new(None, false);
        let host = ("host", "127.0.0.1:9901");
        for (line, expected) in [
            (("origin", "http://127.0.0.1:9901"), Ok(())),
            (("origin", "http://127.0.0.1:9902"), Err(Refused::Origin)),
            (("origin", "http://evil.example"), Err(Refused::Origin)),
            (("origin", "null"), Err(Refused::Origin)),
            (("sec-fetch-site", "same-origin"), Ok(())),
            (("sec-fetch-site", "none"), Ok(())),
            (("sec-fetch-site", "same-site"), Err(Refused::Origin)),
            (("sec-fetch-site", "cross-site"), Err(Refused::Origin)),
        ] {
            assert_eq!(
                checked(&guard, &Method::POST, &[host, line]),
                expected,
                "{line:?}"
            );
        }
        assert_eq!(
            checked(&guard, &Method::POST, &[host]),
            Ok(()),
            "curl sends neither"
        );
    }

    #[test]
    fn a_token_is_asked_for_once_and_whole() {
        let guard = Guard::new(Some(&"0123456789abcdef".to_owned().into()), false);
        for (lines, expected) in [
            (vec![], Err(Refused::NoToken)),
            (vec![("authorization", "Bearer 0123456789abcdef")], Ok(())),
            (vec![("authorization", "bearer 0123456789abcdef")], Ok(())),
            (
                vec![("authorization", "Bearer 0123456789abcdeF")],
                Err(Refused::WrongToken),
            ),
            (
                vec![("authorization", "Bearer 0123456789abcde")],
                Err(Refused::WrongToken),
            ),
            (vec![("authorization", "Bearer ")], Err(Refused::WrongToken)),
            (
                vec![("authorization", "Basic 0123456789abcdef")],
                Err(Refused::NoToken),
            ),
            (vec![("authorization", "B")], Err(Refused::NoToken)),
            (
                vec![
                    ("authorization", "Bearer 0123456789abcdef"),
                    ("authorization", "Bearer x"),
                ],
                Err(Refused::NoToken),
            ),
        ] {
            assert_eq!(checked(&guard, &Method::GET, &lines), expected, "{lines:?}");
        }
        assert!(!format!("{guard:?}").contains("0123"));
        // A token's owner may come by any name.
        let lines = [
            ("host", "gateway.internal"),
            ("authorization", "Bearer 0123456789abcdef"),
        ];
        assert_eq!(checked(&guard, &Method::POST, &lines), Ok(()));
    }

    #[test]
    fn who_may_only_look_orders_nothing() {
        let guard = Guard::new(None, true);
        let host = [("host", "localhost")];
        assert_eq!(
            checked(&guard, &Method::POST, &host),
            Err(Refused::ReadOnly)
        );
        assert_eq!(checked(&guard, &Method::GET, &host), Ok(()));
    }
}

//! The address of an endpoint.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{Uri, uri::Scheme};

use super::error::InvalidCluster;

/// The address of `http://10.0.0.1:9001`.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, InvalidCluster> {
    let invalid = |reason| InvalidCluster::Endpoint {
        endpoint: text.to_owned(),
        reason,
    };
    // A plain address is meant as one; `Uri` would take it for a host alone.
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return checked(addr).ok_or_else(|| invalid(NO_PORT));
    }
    let uri: Uri = text.parse().map_err(|_| invalid(NO_ADDRESS))?;
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => {}
        Some(scheme) if *scheme == Scheme::HTTPS => return Err(invalid(NO_TLS)),
        _ => return Err(invalid(NO_ADDRESS)),
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(invalid(NO_PATH));
    }
    let authority = uri.authority().ok_or_else(|| invalid(NO_ADDRESS))?;
    if authority.as_str().contains('@') {
        return Err(invalid(NO_ADDRESS));
    }
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let ip = match host.parse::<IpAddr>() {
        Ok(ip) => ip,
        Err(_) if host.eq_ignore_ascii_case("localhost") => Ipv4Addr::LOCALHOST.into(),
        Err(_) => return Err(invalid(NO_NAME)),
    };
    let port = authority.port_u16().unwrap_or(80);
    checked(SocketAddr::new(ip, port)).ok_or_else(|| invalid(NO_PORT))
}

fn checked(addr: SocketAddr) -> Option<SocketAddr> {
    (addr.port() != 0).then_some(addr)
}

const NO_ADDRESS: &str = "write it as http://10.0.0.1:9001";
const NO_NAME: &str =
    "it needs an IP address or localhost; names are for a registry that resolves them";
const NO_PATH: &str = "a path belongs to the route, as `replace_prefix`";
const NO_PORT: &str = "the port is 1 to 65535";
const NO_TLS: &str = "endpoints speak plain HTTP";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_address_with_a_port_is_read_in_both_forms(ip: IpAddr, port in 1_u16..) {
            let addr = SocketAddr::new(ip, port);
            prop_assert_eq!(parse(&addr.to_string()).unwrap(), addr);
            prop_assert_eq!(parse(&format!("http://{addr}")).unwrap(), addr);
        }

        #[test]
        fn whatever_is_written_is_read_or_refused(text in "(http://)?[\\PC]{0,30}") {
            if let Ok(addr) = parse(&text) {
                prop_assert_ne!(addr.port(), 0);
            }
        }
    }

    #[test]
    fn addresses_are_read_and_the_rest_says_why_not() {
        for (text, expected) in [
            ("http://10.0.0.1:9001", "10.0.0.1:9001"),
            ("http://10.0.0.1:9001/", "10.0.0.1:9001"),
            ("10.0.0.1:9001", "10.0.0.1:9001"),
            ("http://10.0.0.1", "10.0.0.1:80"),
            ("http://[2001:db8::1]:9001", "[2001:db8::1]:9001"),
            ("[::1]:9001", "[::1]:9001"),
            ("http://localhost:9001", "127.0.0.1:9001"),
        ] {
            assert_eq!(parse(text).unwrap(), expected.parse().unwrap(), "{text}");
        }
        for (text, expected) in [
            ("https://10.0.0.1", NO_TLS),
            ("http://users:9001", NO_NAME),
            ("http://10.0.0.1:9001/api", NO_PATH),
            ("http://10.0.0.1:9001?x", NO_PATH),
            ("http://me@10.0.0.1:9001", NO_ADDRESS),
            ("http://10.0.0.1:0", NO_PORT),
            ("10.0.0.1:0", NO_PORT),
            ("10.0.0.1", NO_ADDRESS),
            ("ftp://10.0.0.1", NO_ADDRESS),
            ("http://", NO_ADDRESS),
            ("", NO_ADDRESS),
        ] {
            match parse(text) {
                Err(InvalidCluster::Endpoint { reason, .. }) => {
                    assert_eq!(reason, expected, "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}

//! `Via`, which every proxy adds to what it forwards (RFC 9110 §7.6.3).
//!
//! Requests get it, so that a service sees that a gateway was there and which protocol the client spoke.
//! Responses do not: for a gateway the standard leaves that open, and it tells the world what runs inside.
//!
//! It is also how a request is found that goes round, such as through a cluster whose address is the gateway's own:
//! one that [`is_loop`] is answered with 508.

use http::{HeaderMap, HeaderValue, Version, header::VIA};

/// Adds this gateway to the list.
///
/// ```
/// use http::{HeaderMap, Version};
/// use msf_gateway::headers::via;
///
/// let mut headers = HeaderMap::new();
/// via::append(Version::HTTP_2, &mut headers);
/// assert_eq!(headers["via"], "2.0 msf-gateway");
/// ```
pub fn append(received: Version, headers: &mut HeaderMap) {
    let name = match received {
        Version::HTTP_10 => "1.0 msf-gateway",
        Version::HTTP_2 => "2.0 msf-gateway",
        Version::HTTP_3 => "3.0 msf-gateway",
        _ => "1.1 msf-gateway",
    };
    headers.append(VIA, HeaderValue::from_static(name));
}

/// Whether the list has more of these gateways than one behind the other makes sense, which is 10.
///
/// ```
/// use http::HeaderMap;
/// use msf_gateway::headers::via;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("via", "1.0 fred, 1.1 msf-gateway".parse()?);
/// assert!(!via::is_loop(&headers));
///
/// headers.insert("via", ["2.0 msf-gateway"; 11].join(", ").parse()?);
/// assert!(via::is_loop(&headers));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn is_loop(headers: &HeaderMap) -> bool {
    if !headers.contains_key(VIA) {
        return false;
    }
    let lines = headers.get_all(VIA).iter();
    let hops = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    hops.filter(|hop| is_own(hop)).nth(HOPS_MAX).is_some()
}

/// Whether an entry, which is a protocol, a name and perhaps a comment, names a gateway like this one.
fn is_own(hop: &[u8]) -> bool {
    let words = hop.split(u8::is_ascii_whitespace);
    let mut words = words.filter(|word| !word.is_empty());
    words
        .nth(1)
        .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
}

const NAME: &[u8] = b"msf-gateway";
/// Of edge, region and team each one, twice, and some more.
const HOPS_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_kind_of_gateway_is_counted() {
        let with = |line: &str, count: usize| {
            let mut headers = HeaderMap::new();
            for _ in 0..count {
                headers.append(VIA, line.parse().unwrap());
            }
            is_loop(&headers)
        };
        for own in [
            "1.1 msf-gateway",
            " 2.0\t MSF-Gateway (edge)",
            "HTTP/1.1 msf-gateway,x",
        ] {
            assert!(!with(own, 10), "{own}");
            assert!(with(own, 11), "{own}");
        }
        for other in [
            "1.1 fred",
            "1.1 my-msf-gateway",
            "msf-gateway",
            "1.1 a (msf-gateway)",
            "",
            ",,",
        ] {
            assert!(!with(other, 30), "{other}");
        }
    }
}

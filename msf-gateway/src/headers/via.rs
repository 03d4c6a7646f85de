//! `Via`, which every proxy adds to what it forwards (RFC 9110 §7.6.3).
//!
//! Requests get it, so that a service sees that a gateway was there and which protocol the client spoke.
//! Responses do not: for a gateway the standard leaves that open, and it tells the world what runs inside.

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

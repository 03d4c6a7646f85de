//! Which trailers a client may send.
//!
//! Trailers of a request are forwarded if its header announces them in `Trailer`, and only then. A service may
//! merge them into the headers (RFC 9110 §6.5.1), so what the gateway removes from the headers must not come
//! in by this way: names that say who the caller is are taken out of the announcement, and so are those that
//! change how a message is read or where it goes ([`may_trail`]).

use http::{HeaderMap, HeaderName, HeaderValue, header::TRAILER};
use msf_client::transport::may_trail;

use super::IdentityHeaders;

/// Leaves in `Trailer` what may be sent after the body, or removes it.
///
/// ```
/// use http::HeaderMap;
/// use msf_gateway::headers::{IdentityHeaders, trailers};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("trailer", "content-digest, x-user-id, host".parse()?);
/// trailers::restrict(&mut headers, &IdentityHeaders::default());
/// assert_eq!(headers["trailer"], "content-digest");
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn restrict(headers: &mut HeaderMap, identity: &IdentityHeaders) {
    if !headers.contains_key(TRAILER) {
        return;
    }
    let mut announced = HeaderMap::new();
    for value in headers.get_all(TRAILER) {
        for token in value.as_bytes().split(|byte| *byte == b',') {
            let name = HeaderName::from_bytes(token.trim_ascii()).ok();
            if let Some(name) = name.filter(may_trail)
                && announced.len() < ANNOUNCED_MAX
            {
                announced.insert(name, HeaderValue::from_static(""));
            }
        }
    }
    identity.strip(&mut announced);
    let names: Vec<&str> = announced.keys().map(HeaderName::as_str).collect();
    headers.remove(TRAILER);
    if let Ok(value) = HeaderValue::try_from(names.join(", "))
        && !names.is_empty()
    {
        headers.insert(TRAILER, value);
    }
}

/// Nobody sends more of them than a header has lines.
const ANNOUNCED_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn restricted(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRAILER, value.parse().unwrap());
        }
        restrict(&mut headers, &IdentityHeaders::default().and("x-tenant-"));
        let left = headers.get(TRAILER)?;
        Some(left.to_str().unwrap().to_owned())
    }

    #[test]
    fn who_the_caller_is_cannot_be_said_at_the_end() {
        assert_eq!(restricted(&[]), None);
        assert_eq!(restricted(&["X-Sum"]).as_deref(), Some("x-sum"));
        for hostile in [
            "x-user-id",
            "X-Tenant-Id",
            "authorization",
            "x-forwarded-for, host",
            "x_sum",
            "content-length",
            "\"",
            "",
        ] {
            assert_eq!(restricted(&[hostile]), None, "{hostile}");
        }
        let both = restricted(&["x-user-id,x-sum", "host, x-sum"]);
        assert_eq!(both.as_deref(), Some("x-sum"));
    }
}

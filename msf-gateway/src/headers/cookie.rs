//! `Cookie` lines, which HTTP/2 clients may split and HTTP/1.1 servers need as one (RFC 9113 §8.2.3).

use http::{HeaderMap, HeaderValue, header::COOKIE};

/// Joins the lines into one.
///
/// ```
/// use http::HeaderMap;
/// use msf_gateway::headers::cookie;
///
/// let mut headers = HeaderMap::new();
/// headers.append("cookie", "a=1".parse()?);
/// headers.append("cookie", "b=2".parse()?);
/// cookie::join(&mut headers);
/// assert_eq!(headers["cookie"], "a=1; b=2");
/// assert_eq!(headers.len(), 1);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn join(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(COOKIE).iter();
    if lines.next().and(lines.next()).is_none() {
        return;
    }
    let lines: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    match HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        Ok(mut joined) => {
            joined.set_sensitive(true);
            headers.insert(COOKIE, joined);
        }
        // What valid values are joined to is valid; a request without cookies is the safe way out.
        Err(_invalid) => drop(headers.remove(COOKIE)),
    }
}

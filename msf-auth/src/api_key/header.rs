//! Keys in requests.

use http::{HeaderMap, HeaderName};

use super::text;
use crate::bearer::{InvalidAuthorization, bearer_token};

/// The header for programs that cannot set `Authorization`.
pub const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// The API key of a request: `Authorization: Bearer msf_...`, or `x-api-key`. `None` when it has neither.
///
/// # Errors
///
/// [`InvalidAuthorization`] when there are several, or one that cannot be read; the answer is 400.
///
/// ```
/// use http::HeaderMap;
/// use msf_auth::api_key::api_key;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("authorization", "Bearer abc.def.ghi".parse()?);
/// assert_eq!(api_key(&headers), Ok(None)); // a token
///
/// headers.insert("authorization", "Bearer msf_live_abc".parse()?);
/// assert_eq!(api_key(&headers), Ok(Some("msf_live_abc")));
///
/// headers.insert("x-api-key", "msf_live_def".parse()?);
/// assert!(api_key(&headers).is_err());
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn api_key(headers: &HeaderMap) -> Result<Option<&str>, InvalidAuthorization> {
    let bearer = bearer_token(headers)?;
    let mut values = headers.get_all(API_KEY_HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(bearer.filter(|token| text::is_api_key(token)));
    };
    // Which of two a proxy checked cannot be known.
    if values.next().is_some() || bearer.is_some() {
        return Err(InvalidAuthorization::Repeated);
    }
    let key = value
        .to_str()
        .map_err(|_| InvalidAuthorization::Malformed)?;
    Ok(Some(key))
}

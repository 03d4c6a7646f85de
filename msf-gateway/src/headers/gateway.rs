//! What the gateway says about a request: which one it is, and when it came.
//!
//! | header | |
//! |---|---|
//! | `X-Gateway-Request-ID` | the id that the client gets as `x-request-id`; what a client sends is replaced |
//! | `X-Gateway-Timestamp` | when the gateway took the request, RFC 3339, UTC, whole seconds |

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use msf_core::trace::{self, RequestId};

thread_local! {
    /// The second that was written last, and its text: a busy worker writes it thousands of times.
    static STAMP: RefCell<(u64, Option<HeaderValue>)> = const { RefCell::new((0, None)) };
}

/// Writes both headers, for the request that is being served.
///
/// ```
/// use http::HeaderMap;
/// use msf_core::trace::{self, RequestContext};
/// use msf_gateway::headers::gateway;
///
/// let context = RequestContext::root();
/// let mut headers = HeaderMap::new();
/// trace::sync_scope(context.clone(), || gateway::write(&mut headers));
/// assert_eq!(headers["x-gateway-request-id"], context.request_id().as_str());
/// assert_eq!(headers["x-gateway-timestamp"].len(), "2026-11-23T10:15:04Z".len());
/// ```
pub fn write(headers: &mut HeaderMap) {
    let id = trace::current_request_id().unwrap_or_else(RequestId::random);
    headers.insert(X_GATEWAY_REQUEST_ID, id.to_header_value());
    if let Some(now) = now() {
        headers.insert(X_GATEWAY_TIMESTAMP, now);
    }
}

fn now() -> Option<HeaderValue> {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    // The thread may be ending.
    STAMP
        .try_with(|stamp| {
            let mut stamp = stamp.borrow_mut();
            if stamp.0 != second || stamp.1.is_none() {
                let text = humantime::format_rfc3339_seconds(now).to_string();
                *stamp = (second, HeaderValue::try_from(text).ok());
            }
            stamp.1.clone()
        })
        .ok()
        .flatten()
}

/// `X-Gateway-Request-ID`.
pub const X_GATEWAY_REQUEST_ID: HeaderName = HeaderName::from_static("x-gateway-request-id");
/// `X-Gateway-Timestamp`.
pub const X_GATEWAY_TIMESTAMP: HeaderName = HeaderName::from_static("x-gateway-timestamp");

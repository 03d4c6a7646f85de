//! The page, which is made of the documents beside it.
//!
//! It holds nothing of the gateway's, so that it may be had without a token; its script asks for the rest.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

pub(super) fn html() -> Response<Bytes> {
    file(include_str!("index.html"), "text/html; charset=utf-8")
}

pub(super) fn style() -> Response<Bytes> {
    file(include_str!("admin.css"), "text/css; charset=utf-8")
}

pub(super) fn script() -> Response<Bytes> {
    file(include_str!("admin.js"), "text/javascript; charset=utf-8")
}

/// What browsers are told about every answer: nothing is kept, nothing is guessed, and no other page may put this
/// one in a frame and have an operator click in it.
pub(super) fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn file(text: &'static str, media_type: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

const POLICY: &str = "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

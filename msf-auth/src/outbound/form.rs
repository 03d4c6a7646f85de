//! `application/x-www-form-urlencoded`, and a client's name and secret in a header.

use aws_lc_rs::error::Unspecified;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use msf_core::config::Secret;

/// A body under construction; it may hold secrets, so it is not `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Form(String);

pub(crate) const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

impl Form {
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        encode(name, &mut self.0);
        self.0.push('=');
        encode(value, &mut self.0);
        self
    }

    pub(crate) fn into_body(self) -> String {
        self.0
    }
}

/// The value of `Authorization` for a client, marked as sensitive (RFC 6749 section 2.3.1: both parts are encoded as in
/// a form first, so that neither can have a colon).
pub(crate) fn basic(id: &str, secret: &Secret<String>) -> Result<HeaderValue, Unspecified> {
    let mut pair = String::new();
    encode(id, &mut pair);
    pair.push(':');
    encode(secret.expose(), &mut pair);
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| Unspecified)?;
    value.set_sensitive(true);
    Ok(value)
}

fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                into.push(char::from(byte));
            }
            b' ' => into.push('+'),
            _ => {
                into.push('%');
                for digit in [byte >> 4, byte & 15] {
                    into.push(char::from(HEX[usize::from(digit)]));
                }
            }
        }
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

//! `application/x-www-form-urlencoded`, and a client's name and secret in a header.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header::InvalidHeaderValue};
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
pub(crate) fn basic(id: &str, secret: &Secret<String>) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut pair = String::new();
    encode(id, &mut pair);
    pair.push(':');
    encode(secret.expose(), &mut pair);
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))?;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_client_is_named_as_in_rfc_6749() {
        // RFC 6749 section 2.3.1.
        let secret = Secret::new("7Fjfp0ZBr1KtDRbnfVdmIw".to_owned());
        let value = basic("s6BhdRkqt3", &secret).unwrap();
        assert_eq!(value, "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
        assert!(value.is_sensitive());
    }

    #[test]
    fn a_value_cannot_be_another_field() {
        let form = Form::default()
            .field("a b", "1&c=2")
            .field("\u{e9}", "x*-._~\r\n");
        assert_eq!(form.into_body(), "a+b=1%26c%3D2&%C3%A9=x*-._%7E%0D%0A");
    }

    proptest! {
        #[test]
        fn any_value_is_one_field(value in any::<String>()) {
            let body = Form::default().field("a", &value).into_body();
            prop_assert!(body.is_ascii() && body.matches(['&', '=']).count() == 1);
        }
    }
}

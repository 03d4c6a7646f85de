//! [`Template`], a copy of a route template that outlives its request.

use super::super::hex;

/// A route template; one of usual length needs no allocation.
#[derive(Debug)]
pub(super) enum Template {
    Short { len: u8, bytes: [u8; SHORT_MAX] },
    Long(Box<str>),
}

impl Template {
    pub(super) fn new(text: &str) -> Self {
        match u8::try_from(text.len()) {
            Ok(len) if text.len() <= SHORT_MAX && text.is_ascii() => {
                let mut bytes = [0; SHORT_MAX];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                Self::Short { len, bytes }
            }
            _ => Self::Long(text.into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short { len, bytes } => hex::ascii(&bytes[..usize::from(*len)]),
            Self::Long(text) => text,
        }
    }
}

/// Nearly all templates are shorter.
const SHORT_MAX: usize = 46;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_length_is_kept() {
        let just = "/".repeat(SHORT_MAX);
        let long = "/".repeat(SHORT_MAX + 1);
        for text in ["", "/orders/{id}", "/na\u{ef}ve", &just, &long] {
            assert_eq!(Template::new(text).as_str(), text);
        }
    }
}

//! base64url without padding (RFC 7515 section 2); one text for each value and no other.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn encode_into(bytes: impl AsRef<[u8]>, text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// `None` for another alphabet, for padding, and for trailing bits that are not zero.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// As [`decode`], for values of a known length.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

/// How many bytes [`decode_into`] asks for, a few more than it fills.
pub(crate) const fn room(text_len: usize) -> usize {
    text_len.div_ceil(4) * 3
}

/// As [`decode`], into a buffer of at least [`room`]; the part that was filled.
pub(crate) fn decode_into<'b>(text: &str, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let filled = URL_SAFE_NO_PAD.decode_slice(text, buffer).ok()?;
    buffer.get(..filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_text_is_taken() {
        assert_eq!(decode("_-8"), Some(vec![0xff, 0xef]));
        for text in ["/+8", "_-8=", "_-9", " _-8", "_-8\n", "_", "_-8A="] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_encodes_to_the_same_text(text in "[A-Za-z0-9_=+/-]{0,24}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(bytes), text);
            }
        }
    }
}

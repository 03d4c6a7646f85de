//! What a key is called.

/// 1 to 256 printable ASCII characters, so that an id can be logged as it is.
pub(crate) fn is_key_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

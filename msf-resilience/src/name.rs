//! What a policy may be called.

/// Whether a text may name a policy: 1 to 128 bytes without control characters, fit for logs and labels.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=LEN_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

const LEN_MAX: usize = 128;

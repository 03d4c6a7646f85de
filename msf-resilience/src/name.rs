//! The names of policies.

/// Whether a text can name a policy: 1 to 128 bytes without control characters, so that it fits into a label and a
/// log line.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

const NAME_LEN_MAX: usize = 128;

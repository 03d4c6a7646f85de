//! Names of policies.

/// Whether a text can name a policy: 1 to 128 bytes without control characters.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

const NAME_LEN_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_printable() {
        assert!(is_name("payment") && is_name(&"x".repeat(128)));
        for text in ["", "a\nb", &"x".repeat(129)] {
            assert!(!is_name(text), "{text:?}");
        }
    }
}

//! The names of policies, which appear in errors, logs and as metric labels.

const LEN_MAX: usize = 128;

/// Whether a text can name a policy: 1 to 128 bytes without control characters.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=LEN_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_printable() {
        assert!(is_name("payment"));
        assert!(is_name(&"x".repeat(LEN_MAX)));
        for bad in ["", "a\nb", &"x".repeat(LEN_MAX + 1)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}

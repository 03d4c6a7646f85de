//! One spelling for what two keyboards write differently.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

/// Normalization Form C, as NIST SP 800-63B-4 section 3.1.1.2 asks for: `é` is one character, whether a keyboard sends it
/// as one or as a letter and an accent.
pub(super) fn nfc(text: &str) -> Cow<'_, str> {
    const { ComposingNormalizerBorrowed::new_nfc() }.normalize(text)
}

/// What is compared with lists: case is the first thing that guessing varies.
pub(super) fn folded(text: &str) -> String {
    let lower = nfc(text).to_lowercase();
    nfc(&lower).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_an_accent_are_one() {
        assert_eq!(nfc("Zoe\u{308}"), "Zo\u{eb}");
        assert_eq!(folded("ZOE\u{308}"), "zo\u{eb}");
        assert!(matches!(nfc("lovelace-1815"), Cow::Borrowed(_)));
    }
}

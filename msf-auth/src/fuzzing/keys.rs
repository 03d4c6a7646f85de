//! Documents of keys.

use crate::keys::{KeySet, VerifyingKey};

/// What is taken of a set is written and read again as the same keys, and never a secret.
///
/// # Panics
///
/// When that is not so.
pub fn key_set(data: &[u8]) {
    let Ok(set) = KeySet::parse(data) else {
        return;
    };
    assert!(set.len() + set.skipped().len() <= 2 * 128);
    let written = set.to_json();
    let again = KeySet::parse(written.as_bytes()).expect("a set that was written is read");
    assert_eq!(
        again.skipped(),
        [],
        "every key that was taken is taken again"
    );
    assert!(set.ids().eq(again.ids()), "under the same ids");
    assert_eq!(again.to_json(), written, "as the same keys");
}

/// As [`key_set`], for one key.
///
/// # Panics
///
/// When a key that is taken is another once it was written, or is not the one of its DER.
pub fn key(data: &[u8]) {
    let Ok(key) = VerifyingKey::from_jwk(data) else {
        return;
    };
    let der = key.to_spki_der();
    let again = VerifyingKey::from_spki_der(&der, key.algorithm()).expect("its own DER is taken");
    assert_eq!(again.thumbprint(), key.thumbprint());
    key_set(&[br#"{"keys":["#, data, b"]}"].concat());
}

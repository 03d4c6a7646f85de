//! The successor, readable for the holder of its predecessor only.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    hmac,
};

use super::{
    RefreshError,
    text::{TOKEN_BYTES, Token},
};

/// Encrypts the successor for those who present the token again.
pub(super) fn seal(successor: &Token, presented: &Token) -> Result<Box<[u8]>, RefreshError> {
    let mut sealed = successor.as_bytes().to_vec();
    let nonce = key(presented)?
        .seal_in_place_append_tag(aad(presented), &mut sealed)
        .map_err(|_| RefreshError::Random)?;
    sealed.extend_from_slice(nonce.as_ref());
    Ok(sealed.into())
}

/// `None` when it was sealed for another token, or is damaged.
pub(super) fn open(sealed: &[u8], presented: &Token) -> Option<Token> {
    let (text, nonce) = sealed.split_last_chunk::<NONCE_BYTES>()?;
    let mut text = text.to_vec();
    let key = key(presented).ok()?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = key.open_in_place(nonce, aad(presented), &mut text).ok()?;
    let bytes: [u8; TOKEN_BYTES] = (&*opened).try_into().ok()?;
    Some(Token::from_bytes(bytes))
}

/// The random part of the token is as good as a key; the label keeps this use apart from its hash and its tag.
fn key(presented: &Token) -> Result<RandomizedNonceKey, RefreshError> {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &presented.secret());
    let key = hmac::sign(&secret, LABEL);
    RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| RefreshError::Random)
}

/// A row cannot be given the sealed token of another.
fn aad(presented: &Token) -> Aad<[u8; 16]> {
    Aad::from(*presented.family().as_bytes())
}

const LABEL: &[u8] = b"msf-auth refresh token: successor";
const NONCE_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refresh::FamilyId;

    #[test]
    fn only_the_predecessor_opens_it() {
        let token = |family, generation| {
            Token::generate(FamilyId::from_bytes([family; 16]), generation, &[7; 32]).unwrap()
        };
        let (first, second) = (token(1, 1), token(1, 2));
        let sealed = seal(&second, &first).unwrap();
        let opened = open(&sealed, &first).unwrap();
        assert_eq!(opened.as_bytes(), second.as_bytes());
        assert!(open(&sealed, &second).is_none());
        assert!(open(&sealed, &token(1, 1)).is_none());
        let hidden = second.secret();
        assert!(
            !sealed
                .windows(8)
                .any(|part| hidden.windows(8).any(|own| own == part))
        );

        let mut moved = *first.as_bytes();
        moved[0] ^= 1;
        assert!(open(&sealed, &Token::from_bytes(moved)).is_none());
        for len in 0..sealed.len() {
            assert!(open(&sealed[..len], &first).is_none());
        }
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(open(&damaged, &first).is_none());
        }
    }
}

//! The token itself: what of it is text, what is proof.

use std::fmt;

use aws_lc_rs::{constant_time, digest, hmac, rand};
use msf_core::config::Secret;

use super::{FamilyId, RefreshError};
use crate::token::base64url;

/// A refresh token: the id of its family, its generation, 256 random bits, and a tag over these.
#[derive(Clone)]
pub(super) struct Token([u8; TOKEN_BYTES]);

pub(super) type Hash = [u8; 32];

const PREFIX: &str = "msfr_";
const FAMILY: usize = 16;
const SECRET: usize = FAMILY + 4;
const TAG: usize = SECRET + 32;
pub(super) const TOKEN_BYTES: usize = TAG + 16;

impl Token {
    /// A new one. The tag tells that it was made here, also after everything else about it is forgotten.
    pub(super) fn generate(
        family: FamilyId,
        generation: u32,
        tag_key: &Hash,
    ) -> Result<Self, RefreshError> {
        let mut bytes = [0; TOKEN_BYTES];
        bytes[..FAMILY].copy_from_slice(family.as_bytes());
        bytes[FAMILY..SECRET].copy_from_slice(&generation.to_be_bytes());
        rand::fill(&mut bytes[SECRET..TAG]).map_err(|_| RefreshError::Random)?;
        let tag = tag(tag_key, &bytes[..TAG]);
        bytes[TAG..].copy_from_slice(&tag.as_ref()[..TOKEN_BYTES - TAG]);
        Ok(Self(bytes))
    }

    /// There is one text for each token. Anything else costs no more than this.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        if encoded.len() != ENCODED_LEN {
            return None;
        }
        base64url::decode_array(encoded).map(Self)
    }

    pub(super) const fn from_bytes(bytes: [u8; TOKEN_BYTES]) -> Self {
        Self(bytes)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; TOKEN_BYTES] {
        &self.0
    }

    pub(super) fn text(&self) -> Secret<String> {
        let mut text = String::with_capacity(PREFIX.len() + ENCODED_LEN);
        text.push_str(PREFIX);
        base64url::encode_into(self.0, &mut text);
        Secret::new(text)
    }

    pub(super) fn family(&self) -> FamilyId {
        FamilyId::from_bytes(self.array(0))
    }

    pub(super) fn generation(&self) -> u32 {
        u32::from_be_bytes(self.array(FAMILY))
    }

    pub(super) fn secret(&self) -> Hash {
        self.array(SECRET)
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> Hash {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, &self.0).as_ref());
        hash
    }

    /// Whether it was made for this family, whenever that was.
    pub(super) fn is_genuine(&self, tag_key: &Hash) -> bool {
        let expected = tag(tag_key, &self.0[..TAG]);
        equal(&expected.as_ref()[..TOKEN_BYTES - TAG], &self.0[TAG..])
    }

    fn array<const N: usize>(&self, start: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.0[start..start + N]);
        array
    }
}

fn tag(key: &Hash, message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

pub(super) fn equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// Without padding: four characters for three bytes.
const ENCODED_LEN: usize = (TOKEN_BYTES * 4).div_ceil(3);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: Hash = [7; 32];

    fn token() -> Token {
        Token::generate(FamilyId::from_bytes([1; 16]), 3, &KEY).unwrap()
    }

    #[test]
    fn a_token_says_whose_it_is() {
        let token = token();
        let text = token.text();
        assert_eq!(text.expose().len(), 96);
        let read = Token::parse(text.expose()).unwrap();
        assert_eq!(read.0, token.0);
        assert_eq!(read.family(), FamilyId::from_bytes([1; 16]));
        assert_eq!(read.generation(), 3);
        assert!(read.is_genuine(&KEY));
        assert!(!read.is_genuine(&[8; 32]));
        assert_eq!(format!("{read:?}"), "Token([redacted])");
    }

    #[test]
    fn a_changed_bit_is_not_genuine() {
        let token = token();
        for bit in 0..TOKEN_BYTES * 8 {
            let mut changed = token.clone();
            changed.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!changed.is_genuine(&KEY), "bit {bit}");
            assert_ne!(changed.hash(), token.hash());
        }
    }

    #[test]
    fn only_its_own_text_is_a_token() {
        let text = token().text().into_exposed();
        let last = text.len() - 1;
        for wrong in [
            String::new(),
            PREFIX.to_owned(),
            text[..last].to_owned(),
            format!("{text}A"),
            format!("{text}="),
            format!(" {text}"),
            format!("{text}\n"),
            text.to_uppercase(),
            text.replacen("msfr_", "msf__", 1),
            text[PREFIX.len()..].to_owned(),
            format!("{}\u{e9}", &text[..last - 1]),
        ] {
            assert!(Token::parse(&wrong).is_none(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_has_this_text_only(text in "(msfr_)?[A-Za-z0-9_=+-]{88,94}") {
            if let Some(token) = Token::parse(&text) {
                prop_assert_eq!(token.text().into_exposed(), text);
            }
        }
    }
}

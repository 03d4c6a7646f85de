//! Segments of a token as bytes.

use crate::token::base64url;

/// Room for what usual segments decode to, so that reading a token allocates nothing. It is cleared for each token, so
/// it is not larger.
pub(super) struct Scratch<const N: usize> {
    stack: [u8; N],
    heap: Vec<u8>,
}

impl<const N: usize> Scratch<N> {
    pub(super) const fn new() -> Self {
        Self {
            stack: [0; N],
            heap: Vec::new(),
        }
    }

    /// `None` for a segment that is not base64url, or not the one text of its bytes.
    pub(super) fn decode<const SEGMENTS: usize>(
        &mut self,
        segments: [&str; SEGMENTS],
    ) -> Option<[&[u8]; SEGMENTS]> {
        let all = segments
            .iter()
            .map(|text| base64url::room(text.len()))
            .sum();
        let mut rest = if all <= N {
            self.stack.as_mut_slice()
        } else {
            self.heap.resize(all, 0);
            self.heap.as_mut_slice()
        };
        let mut decoded = [[].as_slice(); SEGMENTS];
        for (text, bytes) in segments.iter().zip(&mut decoded) {
            let (own, others) = rest.split_at_mut_checked(base64url::room(text.len()))?;
            *bytes = base64url::decode_into(text, own)?;
            rest = others;
        }
        Some(decoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_decoded_too() {
        let text = base64url::encode([7; 10]);
        let mut scratch = Scratch::<20>::new();
        assert_eq!(
            scratch.decode([&text, &text]),
            Some([[7; 10].as_slice(); 2])
        );
        assert!(scratch.heap.is_empty());
        let mut scratch = Scratch::<19>::new();
        assert_eq!(
            scratch.decode([&text, &text]),
            Some([[7; 10].as_slice(); 2])
        );
        assert_eq!(scratch.decode([&text, "!"]), None);
    }
}

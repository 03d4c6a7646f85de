//! base64url without padding (RFC 7515 section 2); one text for each value and no other.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn encode_into(bytes: impl AsRef<[u8]>, text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// `None` for another alphabet, for padding, and for trailing bits that are not zero.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; room(text.len())];
    let filled = decode_into(text, &mut bytes)?.len();
    bytes.truncate(filled);
    Some(bytes)
}

/// As [`decode`], for values of a known length.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let filled = decode_into(text, &mut bytes)?.len();
    (filled == N).then_some(bytes)
}

/// How many bytes [`decode_into`] fills.
pub(crate) const fn room(text_len: usize) -> usize {
    text_len / 4 * 3 + text_len % 4 * 3 / 4
}

/// As [`decode`], into a buffer of at least [`room`]; the part that was filled.
///
/// Each letter is looked up where its bits belong, and what is none shows in eight of them together: the tokens of a
/// busy service are long enough that a decision for each letter counts.
pub(crate) fn decode_into<'b>(text: &str, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let buffer = buffer.get_mut(..room(text.len()))?;
    let (eights, rest) = text.as_bytes().as_chunks::<8>();
    let (sixes, rest_of_buffer) = buffer.split_at_mut_checked(eights.len() * 6)?;
    for (eight, six) in eights.iter().zip(sixes.as_chunks_mut::<6>().0) {
        let [a, b, c, d, e, f, g, h] = *eight;
        let first = quad([a, b, c, d]);
        let second = quad([e, f, g, h]);
        if (first | second) & BAD != 0 {
            return None;
        }
        let both = u64::from(first) | u64::from(second) << 24;
        six.copy_from_slice(both.to_le_bytes().first_chunk::<6>()?);
    }
    let (fours, rest) = rest.as_chunks::<4>();
    let (threes, last) = rest_of_buffer.split_at_mut_checked(fours.len() * 3)?;
    for (four, three) in fours.iter().zip(threes.as_chunks_mut::<3>().0) {
        let bits = quad(*four);
        if bits & BAD != 0 {
            return None;
        }
        three.copy_from_slice(bits.to_le_bytes().first_chunk::<3>()?);
    }
    // `A` has no bits; what does not fit into the bytes that are left must not be there.
    match (rest, last) {
        ([], []) => {}
        ([a, b], [x]) => match quad([*a, *b, b'A', b'A']).to_le_bytes() {
            [first, 0, 0, 0] => *x = first,
            _ => return None,
        },
        ([a, b, c], [x, y]) => match quad([*a, *b, *c, b'A']).to_le_bytes() {
            [first, second, 0, 0] => (*x, *y) = (first, second),
            _ => return None,
        },
        _ => return None,
    }
    Some(buffer)
}

/// Four letters as three bytes, the first one lowest; above them [`BAD`] if one is none.
fn quad([a, b, c, d]: [u8; 4]) -> u32 {
    let [first, second, third, fourth] = &PLACES;
    first[usize::from(a)] | second[usize::from(b)] | third[usize::from(c)] | fourth[usize::from(d)]
}

/// What no three bytes have.
const BAD: u32 = 1 << 24;

/// For each place in a group of four, what a letter adds to the three bytes.
static PLACES: [[u32; 256]; 4] = places();

#[expect(
    clippy::cast_possible_truncation,
    reason = "there are 64 letters; the conversions that check are not const"
)]
const fn places() -> [[u32; 256]; 4] {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut places = [[BAD; 256]; 4];
    let mut value = 0;
    while value < LETTERS.len() {
        let letter = LETTERS[value] as usize;
        let mut place = 0;
        while place < 4 {
            let big_endian = (value as u32) << (18 - 6 * place);
            places[place][letter] = big_endian.swap_bytes() >> 8;
            place += 1;
        }
        value += 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_text_is_taken() {
        assert_eq!(decode("_-8"), Some(vec![0xff, 0xef]));
        for text in ["/+8", "_-8=", "_-9", " _-8", "_-8\n", "_", "_-8A="] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    /// What another decoder says of it.
    fn agrees(text: &str) {
        let theirs = URL_SAFE_NO_PAD.decode(text).ok();
        assert_eq!(decode(text), theirs, "{text:?}");
        let mut short = vec![0; room(text.len()).saturating_sub(1)];
        assert!(text.len() < 2 || decode_into(text, &mut short).is_none());
    }

    #[test]
    fn every_letter_counts_at_every_place_and_nothing_else_does() {
        for length in 0..=19 {
            let letters = "x-9_Aa0Zz7".repeat(2);
            for place in 0..length {
                for code in 0..=0xff_u8 {
                    let mut text: Vec<char> = letters.chars().take(length).collect();
                    text[place] = char::from(code);
                    agrees(&String::from_iter(text));
                }
            }
        }
    }

    #[test]
    fn every_ending_is_what_it_is_elsewhere() {
        for a in 0..0x80_u8 {
            for b in 0..0x80_u8 {
                let [a, b] = [a, b].map(char::from);
                agrees(&format!("{a}{b}"));
                agrees(&format!("A{a}{b}"));
                agrees(&format!("AbCdEfGhA{a}{b}"));
            }
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            agrees(&encode(&bytes));
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn what_is_taken_encodes_to_the_same_text(text in "[A-Za-z0-9_=+/-]{0,24}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(bytes), text);
            }
        }
    }
}

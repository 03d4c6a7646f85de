//! Lower-case hex without allocation, as every field of `traceparent` is written.

use std::str;

/// `N` hex digits, on the stack.
pub(super) struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Hex<N> {
    /// `bytes` as hex; `N` must be twice their number.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut text = [0; N];
        encode(bytes, &mut text);
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

/// Both digits of every byte: ids are written several times per request.
const PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 0x0f]];
        byte += 1;
    }
    pairs
};

/// Writes `bytes` as hex into `out`, which must be twice as long.
pub(super) fn encode(bytes: &[u8], out: &mut [u8]) {
    debug_assert_eq!(out.len(), bytes.len() * 2);
    let (pairs, _odd) = out.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = PAIRS[usize::from(*byte)];
    }
}

/// Reads exactly `2 * N` lower-case hex digits. Upper case is refused, as HEXDIGLC (W3C Trace
/// Context §3.2.2) has no capital letters.
pub(super) fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

/// The text of a buffer that was filled with ASCII by this crate.
pub(super) fn ascii(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("only ASCII was written to this buffer")
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

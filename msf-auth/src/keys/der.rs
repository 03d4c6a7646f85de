//! As much of DER (X.690 section 10) as public keys need: definite lengths in their shortest form.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// Reads values one after the other.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(der: &'a [u8]) -> Self {
        Self(der)
    }

    /// The content of the next value, which has to have this tag.
    pub(super) fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (content, rest) = content(rest)?;
        if *found != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }

    /// The bytes of the next value if it is a positive integer, without the zero that keeps it positive.
    pub(super) fn positive(&mut self) -> Option<&'a [u8]> {
        let number = self.value(INTEGER)?;
        match number {
            [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => Some(rest),
            [1..0x80, ..] => Some(number),
            _ => None,
        }
    }

    /// `None` unless everything was read.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// A length and as many bytes, then what is left.
fn content(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (len, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => {
            let (len, rest) = rest.split_first()?;
            (usize::from(*len), rest)
        }
        0x82 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        }
        _ => return None,
    };
    let is_shortest = match *first {
        0x81 => len >= 0x80,
        0x82 => len >= 0x100,
        _ => true,
    };
    if !is_shortest {
        return None;
    }
    rest.split_at_checked(len)
}

/// One value.
pub(super) fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut der = vec![tag];
    // No key that was taken comes near 64 KiB.
    let [_, _, .., high, low] = len.to_be_bytes();
    match len {
        0..=0x7f => der.push(low),
        0x80..=0xff => der.extend([0x81, low]),
        _ => der.extend([0x82, high, low]),
    }
    der.extend(parts.iter().copied().flatten());
    der
}

/// A positive integer of big-endian bytes without leading zeros.
pub(super) fn encode_positive(number: &[u8]) -> Vec<u8> {
    let keeps_positive: &[u8] = match number.first() {
        Some(first) if first & 0x80 != 0 => &[0],
        _ => &[],
    };
    encode(INTEGER, &[keeps_positive, number])
}

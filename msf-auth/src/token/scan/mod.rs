//! Strict JSON, walked once without building anything.
//!
//! What is walked is what `serde_json` takes, less objects with a member twice, nesting beyond a limit and more
//! members than any honest token has. Nothing of a value is kept but where it lies.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::span::Span;

/// Deeper values are refused; no honest claim needs more.
const DEPTH_MAX: u8 = 32;
/// More members in all objects together are refused; it bounds the search for duplicates.
const MEMBERS_MAX: usize = 256;

/// The text is not JSON, or not of the strict kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What kind of value was walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text { has_escapes: bool },
    Number,
    Bool,
    Null,
    Array,
    Object,
}

/// A value that was walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) kind: Kind,
    /// With its quotes or brackets.
    pub(crate) span: Span,
}

/// A string, without its quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) span: Span,
    pub(crate) has_escapes: bool,
}

impl Text {
    /// What it says.
    #[inline]
    pub(crate) fn of(self, json: &str) -> Cow<'_, str> {
        let written = self.span.of(json);
        if !self.has_escapes {
            return Cow::Borrowed(written);
        }
        Cow::Owned(unescape(written).unwrap_or_default())
    }

    #[inline]
    pub(crate) fn says(self, wanted: &str, json: &str) -> bool {
        if self.has_escapes {
            return self.of(json) == wanted;
        }
        // Lengths differ nearly always, and cost no look at the text.
        self.span.len() == wanted.len() && self.span.of(json) == wanted
    }

    /// A number that is the same for the same text, if it has no escapes: its first bytes.
    pub(super) fn beginning(self, json: &str) -> u64 {
        let rest = json.as_bytes().get(self.span.start()..).unwrap_or_default();
        let unused = 8_usize.saturating_sub(self.span.len());
        let first = rest.first_chunk::<8>().map_or_else(
            || {
                // Only what ends with the text, as no object does.
                let padded = rest.iter().copied().chain(std::iter::repeat(0));
                padded
                    .take(8)
                    .fold(0, |number, byte| number << 8 | u64::from(byte))
            },
            |eight| u64::from_be_bytes(*eight),
        );
        if unused == 8 {
            0
        } else {
            first >> (8 * unused)
        }
    }
}

impl Raw {
    /// `None` for what is no string.
    #[inline]
    pub(crate) fn text(self) -> Option<Text> {
        let Kind::Text { has_escapes } = self.kind else {
            return None;
        };
        let span = self.span.without_quotes();
        Some(Text { span, has_escapes })
    }
}

/// Walks a text from its start.
pub(crate) struct Scanner<'a> {
    json: &'a str,
    at: usize,
    counts: Counts,
    /// The names of the objects that are open below the outermost, each after those of its parents.
    names: Vec<Cow<'a, str>>,
}

/// What was walked, for an estimate of what it would take as a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Those of the outermost object included.
    pub(crate) members: usize,
    pub(crate) values: usize,
    pub(crate) objects: usize,
    pub(crate) arrays: usize,
}

impl Counts {
    const NONE: Self = Self {
        members: 0,
        values: 0,
        objects: 0,
        arrays: 0,
    };
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(json: &'a str) -> Self {
        Self {
            json,
            at: 0,
            counts: Counts::NONE,
            names: Vec::new(),
        }
    }

    /// How much of each there was so far.
    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    /// Begins the outermost object.
    pub(crate) fn open_object(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        self.expect(b'{')
    }

    /// The name of its next member, whose value has to be walked then; `None` at its end.
    pub(crate) fn next_name(&mut self, is_first: bool) -> Result<Option<Text>, Malformed> {
        self.skip_space();
        if self.skip(b'}') {
            return Ok(None);
        }
        if !is_first {
            self.expect(b',')?;
            self.skip_space();
        }
        self.counts.members += 1;
        if self.counts.members > MEMBERS_MAX {
            return Err(Malformed);
        }
        let name = self.text()?;
        self.skip_space();
        self.expect(b':')?;
        Ok(Some(name))
    }

    /// Nothing but space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        if self.at == self.json.len() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Walks a value of a member of the outermost object.
    pub(crate) fn value(&mut self) -> Result<Raw, Malformed> {
        self.value_within(DEPTH_MAX)
    }

    fn value_within(&mut self, depth: u8) -> Result<Raw, Malformed> {
        self.skip_space();
        self.counts.values += 1;
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"') => {
                let Text { has_escapes, .. } = self.text()?;
                Kind::Text { has_escapes }
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Kind::Number
            }
            Some(b'{') => {
                self.object(depth.checked_sub(1).ok_or(Malformed)?)?;
                Kind::Object
            }
            Some(b'[') => {
                self.array(depth.checked_sub(1).ok_or(Malformed)?)?;
                Kind::Array
            }
            Some(b't') => self.word("true", Kind::Bool)?,
            Some(b'f') => self.word("false", Kind::Bool)?,
            Some(b'n') => self.word("null", Kind::Null)?,
            _ => return Err(Malformed),
        };
        let span = Span::new(start, self.at).ok_or(Malformed)?;
        Ok(Raw { kind, span })
    }

    fn object(&mut self, depth: u8) -> Result<(), Malformed> {
        self.at += 1;
        self.counts.objects += 1;
        let first = self.names.len();
        while let Some(name) = self.next_name(self.names.len() == first)? {
            self.names.push(name.of(self.json));
            self.value_within(depth)?;
        }
        if !are_distinct(&mut self.names[first..]) {
            return Err(Malformed);
        }
        self.names.truncate(first);
        Ok(())
    }

    fn array(&mut self, depth: u8) -> Result<(), Malformed> {
        self.at += 1;
        self.counts.arrays += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value_within(depth)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// From quote to quote.
    fn text(&mut self) -> Result<Text, Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        let bytes = self.json.as_bytes();
        let mut has_escapes = false;
        loop {
            self.at += plain(bytes.get(self.at..).unwrap_or_default());
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    // Whatever is escaped, it does not end the string.
                    self.at += 2;
                }
                _ => return Err(Malformed),
            }
        }
        let span = Span::new(start, self.at).ok_or(Malformed)?;
        self.at += 1;
        if has_escapes && !has_good_escapes(span.of(self.json).as_bytes()) {
            return Err(Malformed);
        }
        Ok(Text { span, has_escapes })
    }

    /// RFC 8259 section 6, and within the range of a double as `serde_json` has it.
    fn number(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        self.skip(b'-');
        let integer = self.digits();
        let first = self.json.as_bytes().get(self.at - integer);
        if integer == 0 || (integer > 1 && first == Some(&b'0')) {
            return Err(Malformed);
        }
        let mut is_plain = integer < 19;
        if self.skip(b'.') {
            is_plain = false;
            if self.digits() == 0 {
                return Err(Malformed);
            }
        }
        if self.skip(b'e') || self.skip(b'E') {
            is_plain = false;
            if !self.skip(b'+') {
                self.skip(b'-');
            }
            if self.digits() == 0 {
                return Err(Malformed);
            }
        }
        let written = self.json.get(start..self.at).ok_or(Malformed)?;
        if is_plain || serde_json::from_str::<f64>(written).is_ok() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// How many digits there were.
    fn digits(&mut self) -> usize {
        let rest = self.json.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<Kind, Malformed> {
        let rest = self.json.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(Malformed);
        }
        self.at += word.len();
        Ok(kind)
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn skip(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.skip(byte) {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }
}

/// Walks an array and gives each item.
pub(crate) fn items(
    json: &str,
    mut with: impl FnMut(Raw) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut scanner = Scanner::new(json);
    scanner.skip_space();
    scanner.expect(b'[')?;
    scanner.skip_space();
    if scanner.skip(b']') {
        return scanner.end();
    }
    loop {
        with(scanner.value()?)?;
        scanner.skip_space();
        if scanner.skip(b']') {
            return scanner.end();
        }
        scanner.expect(b',')?;
    }
}

/// How many bytes come before the first one that a string does not have as it is: a quote, a backslash, a control.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // The top bit of each byte below `less`, which is at most 0x80. A borrow makes it wrong above the first such byte,
    // and only there.
    let below = |eight: u64, less: u64| eight.wrapping_sub(ONES * less) & !eight & (ONES << 7);
    let (eights, rest) = bytes.as_chunks::<8>();
    for (index, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        let quotes = below(eight ^ (ONES * u64::from(b'"')), 1);
        let backslashes = below(eight ^ (ONES * u64::from(b'\\')), 1);
        let found = quotes | backslashes | below(eight, 0x20);
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | ..0x20);
    eights.len() * 8 + rest.iter().take_while(is_plain).count()
}

/// Whether no name is there twice. It may change the order.
pub(crate) fn are_distinct(names: &mut [Cow<'_, str>]) -> bool {
    if names.len() <= FEW {
        return names
            .iter()
            .enumerate()
            .all(|(index, name)| !names[..index].contains(name));
    }
    names.sort_unstable();
    names.windows(2).all(|pair| pair[0] != pair[1])
}

/// So few names are compared each with each.
const FEW: usize = 8;

/// Whether [`unescape`] knows every escape, without making a string: a token of a stranger can have a thousand of them.
#[cold]
#[inline(never)]
fn has_good_escapes(written: &[u8]) -> bool {
    let mut rest = written;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        rest = match &rest[at + 1..] {
            [b'u', after @ ..] => match unit(after) {
                Some((0xd800..=0xdbff, [b'\\', b'u', after @ ..])) => match unit(after) {
                    Some((0xdc00..=0xdfff, after)) => after,
                    _ => return false,
                },
                Some((0xd800..=0xdfff, _)) | None => return false,
                Some((_, after)) => after,
            },
            [
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                after @ ..,
            ] => after,
            _ => return false,
        };
    }
    true
}

/// Four hexadecimal digits, and what follows.
fn unit(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = bytes.split_first_chunk::<4>()?;
    let mut unit = 0;
    for digit in digits {
        unit = unit * 16 + char::from(*digit).to_digit(16)?;
    }
    Some((unit, rest))
}

/// What an escaped string says; surrogates have to come in pairs.
fn unescape(written: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{written}\"")).ok()
}

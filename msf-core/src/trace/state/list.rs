//! The grammar of `tracestate` (§3.3.1) and the list while it is read.

use std::sync::Arc;

use super::{
    super::hex,
    trace_state::{InvalidTraceState, TraceState},
};

/// Characters of a key, and of a value, at most (§3.3.1.3).
pub(super) const MAX_PART: usize = 256;
/// Members above this length go first when a list is cut (§3.3.1.5).
const LARGE_MEMBER: usize = 128;

#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    text: &'a str,
    key_len: usize,
}

impl<'a> Member<'a> {
    const EMPTY: Self = Self {
        text: "",
        key_len: 0,
    };

    pub(super) fn parse(text: &'a [u8]) -> Result<Self, InvalidTraceState> {
        let key_len = text
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or(InvalidTraceState::Member)?;
        let (key, value) = (&text[..key_len], &text[key_len + 1..]);
        if is_key(key) && is_value(value) {
            Ok(Self {
                text: hex::ascii(text),
                key_len,
            })
        } else {
            Err(InvalidTraceState::Member)
        }
    }

    fn key(&self) -> &'a str {
        &self.text[..self.key_len]
    }
}

/// A list being read, on the stack.
pub(super) struct List<'a> {
    members: [Member<'a>; TraceState::MAX_MEMBERS],
    len: usize,
    /// Members read, duplicates included: those count against the limit too.
    seen: usize,
}

impl<'a> List<'a> {
    pub(super) fn new() -> Self {
        Self {
            members: [Member::EMPTY; TraceState::MAX_MEMBERS],
            len: 0,
            seen: 0,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.seen == TraceState::MAX_MEMBERS
    }

    pub(super) fn push(&mut self, member: Member<'a>) -> Result<(), InvalidTraceState> {
        if self.is_full() {
            return Err(InvalidTraceState::TooManyMembers);
        }
        self.seen += 1;
        if self.members[..self.len]
            .iter()
            .all(|known| known.key() != member.key())
        {
            self.members[self.len] = member;
            self.len += 1;
        }
        Ok(())
    }

    /// The list as it is sent; `None` if nothing is left of it.
    pub(super) fn finish(mut self) -> Option<Arc<str>> {
        self.cut();
        let mut text = [0; TraceState::MAX_LEN];
        let mut end = 0;
        for member in self.kept() {
            if end > 0 {
                text[end] = b',';
                end += 1;
            }
            text[end..end + member.text.len()].copy_from_slice(member.text.as_bytes());
            end += member.text.len();
        }
        (end > 0).then(|| Arc::from(hex::ascii(&text[..end])))
    }

    /// Blanks members until the list fits (§3.3.1.5): large ones first, then from the end.
    fn cut(&mut self) {
        for limit in [LARGE_MEMBER, 0] {
            for at in (0..self.len).rev() {
                if self.text_len() <= TraceState::MAX_LEN {
                    return;
                }
                if self.members[at].text.len() > limit {
                    self.members[at] = Member::EMPTY;
                }
            }
        }
    }

    fn text_len(&self) -> usize {
        let commas = self.kept().count().saturating_sub(1);
        self.kept().map(|member| member.text.len()).sum::<usize>() + commas
    }

    fn kept(&self) -> impl Iterator<Item = &Member<'a>> {
        self.members[..self.len]
            .iter()
            .filter(|member| !member.text.is_empty())
    }
}

fn is_key(key: &[u8]) -> bool {
    matches!(key, [b'a'..=b'z' | b'0'..=b'9', ..])
        && key.len() <= MAX_PART
        && key.iter().all(
            |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@'),
        )
}

fn is_value(value: &[u8]) -> bool {
    value.len() <= MAX_PART
        && value.last().is_some_and(|last| *last != b' ')
        && value
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'='))
}

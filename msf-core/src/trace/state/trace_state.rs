//! [`TraceState`], as it is kept and passed on.

use std::{fmt, str::FromStr, sync::Arc};

use super::{
    super::ows,
    list::{List, MAX_PART, Member},
};

/// What other tracing systems want carried along: an ordered list of `key=value`, newest first.
///
/// msf adds nothing to it and passes it on. It is kept as the text that will be sent, so a clone is
/// one reference count and reading it allocates once. Keys follow level 2 of the standard, which
/// accepts all that level 1 does and more.
///
/// # Limits
///
/// - 32 members: a longer list is refused as a whole, as the standard allows no more.
/// - [`MAX_LEN`](Self::MAX_LEN), 512 characters: the least that everybody must pass on, and so the
///   most that one can rely on. A longer list loses its members above 128 characters first, then
///   those at its end.
///
/// ```
/// use msf_core::trace::TraceState;
///
/// let state: TraceState = "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE".parse()?;
/// assert_eq!(state.get("congo"), Some("t61rcWkgMzE"));
/// assert_eq!(state.as_str(), "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
///
/// let state = state.with("congo", "ucfJifl5GOE")?;
/// assert_eq!(state.as_str(), "congo=ucfJifl5GOE,rojo=00f067aa0ba902b7");
/// # Ok::<(), msf_core::trace::InvalidTraceState>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TraceState(Option<Arc<str>>);

impl TraceState {
    /// Members of a list, at most.
    pub const MAX_MEMBERS: usize = 32;
    /// Characters of a list that is passed on, at most.
    pub const MAX_LEN: usize = 512;

    /// Reads a `tracestate` value. Empty members are skipped; of two members with one key, the
    /// first (the newer) stays.
    ///
    /// # Errors
    ///
    /// [`InvalidTraceState`] if one member is malformed or there are too many; the receiver then
    /// drops the whole list but keeps the trace.
    pub fn parse(text: &str) -> Result<Self, InvalidTraceState> {
        Self::parse_lines(std::iter::once(text.as_bytes()))
    }

    /// Reads several header lines as one list, in their order (RFC 9110 §5.3).
    pub(in crate::trace) fn parse_lines<'a>(
        lines: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, InvalidTraceState> {
        let mut list = List::new();
        for line in lines {
            for member in line.split(|byte| *byte == b',').map(ows::trim) {
                if !member.is_empty() {
                    list.push(Member::parse(member)?)?;
                }
            }
        }
        Ok(Self(list.finish()))
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The members, newest first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.as_str()
            .split(',')
            .filter_map(|member| member.split_once('='))
    }

    /// The list with this member set, which moves to the front (§3.5). If the list was full, its
    /// last member makes room. A member that alone is longer than the limit is left out.
    ///
    /// # Errors
    ///
    /// [`InvalidTraceState`] if the key or the value breaks the grammar.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, InvalidTraceState> {
        let mut front = [0; Self::MAX_LEN + 1];
        let len = key.len() + 1 + value.len();
        if key.len() > MAX_PART || value.len() > MAX_PART {
            return Err(InvalidTraceState::Member);
        }
        front[..key.len()].copy_from_slice(key.as_bytes());
        front[key.len()] = b'=';
        front[key.len() + 1..len].copy_from_slice(value.as_bytes());

        let mut list = List::new();
        list.push(Member::parse(&front[..len])?)?;
        for member in self.as_str().split(',').filter(|member| !member.is_empty()) {
            if list.is_full() {
                break;
            }
            list.push(Member::parse(member.as_bytes())?)?;
        }
        Ok(Self(list.finish()))
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The list as it is sent, empty if there is no member.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl FromStr for TraceState {
    type Err = InvalidTraceState;

    fn from_str(text: &str) -> Result<Self, InvalidTraceState> {
        Self::parse(text)
    }
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TraceState").field(&self.as_str()).finish()
    }
}

/// Why a text is no `tracestate` value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTraceState {
    /// A member is not `key=value` by the grammar of §3.3.1.3.
    #[error("malformed member of a tracestate")]
    Member,
    /// There are more than 32 members.
    #[error("too many members in a tracestate")]
    TooManyMembers,
}

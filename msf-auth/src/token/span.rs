//! Where something lies in a text.

/// A part of a text, which is below 4 GiB.
///
/// Both ends are one number, so that a place and what is known about it travel in two registers. As two numbers they
/// went through memory, and what read them together waited for what wrote them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span(u64);

impl Span {
    /// `None` beyond 4 GiB.
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Option<Self> {
        let (start, end) = (u32::try_from(start).ok()?, u32::try_from(end).ok()?);
        Some(Self(u64::from(start) << 32 | u64::from(end)))
    }

    /// Empty for a span of another text.
    #[inline]
    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.start()..self.end()).unwrap_or_default()
    }

    #[inline]
    pub(crate) const fn start(self) -> usize {
        (self.0 >> 32) as usize
    }

    #[inline]
    const fn end(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }

    /// In bytes.
    #[inline]
    pub(crate) const fn len(self) -> usize {
        self.end() - self.start()
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.start() == self.end()
    }

    /// Less the first and the last byte.
    #[inline]
    pub(crate) const fn without_quotes(self) -> Self {
        Self(self.0 + (1 << 32) - 1)
    }
}

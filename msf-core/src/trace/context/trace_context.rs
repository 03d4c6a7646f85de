//! [`TraceContext`], the content of the `traceparent` header (W3C Trace Context §3.2).

use std::{fmt, str::FromStr};

use http::HeaderValue;

use super::{
    super::{
        hex,
        id::{InvalidId, SpanId, TraceId},
    },
    flags::TraceFlags,
};

/// Where in which trace an operation is: small, `Copy`, and exactly what `traceparent` says.
///
/// ```
/// use msf_core::trace::TraceContext;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let caller: TraceContext = text.parse()?;
/// assert!(caller.flags().sampled());
/// assert_eq!(caller.to_string(), text);
///
/// let here = caller.child();
/// assert_eq!(here.trace_id(), caller.trace_id());
/// assert_ne!(here.span_id(), caller.span_id());
/// # Ok::<(), msf_core::trace::InvalidTraceParent>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
}

impl TraceContext {
    /// Bytes of a `traceparent` value of version 00.
    pub const LEN: usize = 55;

    /// Puts a context together from its parts.
    #[must_use]
    pub const fn new(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> Self {
        Self {
            trace_id,
            span_id,
            flags,
        }
    }

    /// Starts a new trace: random identifiers, sampled.
    #[must_use]
    pub fn root() -> Self {
        Self::new(
            TraceId::random(),
            SpanId::random(),
            TraceFlags::SAMPLED | TraceFlags::RANDOM,
        )
    }

    /// A new operation in the same trace, with the same flags.
    #[must_use]
    pub fn child(&self) -> Self {
        self.with_span_id(SpanId::random())
    }

    /// The same trace and flags with the span id of the caller's choice.
    #[must_use]
    pub const fn with_span_id(mut self, span_id: SpanId) -> Self {
        self.span_id = span_id;
        self
    }

    /// The trace this operation belongs to.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The operation itself; on the wire, the parent of whatever the receiver does.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// What the caller says about recording.
    #[must_use]
    pub const fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// Reads a `traceparent` value, without surrounding white space.
    ///
    /// Version 00 must have exactly 55 characters. A higher version is read as the standard asks
    /// (§3.2.4): the known fields are taken, whatever follows a further `-` is ignored, and of the
    /// flags only `sampled` counts.
    ///
    /// # Errors
    ///
    /// [`InvalidTraceParent`] if the value breaks a rule; the receiver then starts a new trace.
    pub fn parse(text: &str) -> Result<Self, InvalidTraceParent> {
        Self::parse_bytes(text.as_bytes())
    }

    pub(in crate::trace) fn parse_bytes(text: &[u8]) -> Result<Self, InvalidTraceParent> {
        use InvalidTraceParent as Error;

        if text.len() < Self::LEN {
            return Err(Error::Length);
        }
        let (known, rest) = text.split_at(Self::LEN);
        if [known[2], known[35], known[52]] != [b'-'; 3] {
            return Err(Error::Separator);
        }
        let [version] = hex::decode(&known[..2]).ok_or(Error::Version)?;
        match (version, rest.first()) {
            (0xff, _) => return Err(Error::Version),
            (0x00, Some(_)) => return Err(Error::Length),
            (_, None | Some(b'-')) => {}
            (_, Some(_)) => return Err(Error::Separator),
        }
        let trace_id = TraceId::from_hex(&known[3..35]).map_err(Error::TraceId)?;
        let span_id = SpanId::from_hex(&known[36..52]).map_err(Error::SpanId)?;
        let [bits] = hex::decode(&known[53..]).ok_or(Error::Flags)?;
        let known_bits = if version == 0 {
            bits
        } else {
            bits & TraceFlags::SAMPLED.bits()
        };
        Ok(Self::new(
            trace_id,
            span_id,
            TraceFlags::from_bits(known_bits),
        ))
    }

    /// The `traceparent` value of version 00, formatted on the stack.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        hex::encode(&self.trace_id.to_bytes(), &mut text[3..35]);
        hex::encode(&self.span_id.to_bytes(), &mut text[36..52]);
        hex::encode(&[self.flags.bits()], &mut text[53..]);
        text
    }

    /// The `traceparent` value as a header value, which costs one allocation.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "hex and dashes always make a header value"
    )]
    pub fn to_header_value(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.to_bytes()).expect("hex digits and dashes are visible ASCII")
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        Self::parse(text)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(hex::ascii(&self.to_bytes()))
    }
}

/// Why a text is no `traceparent` value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTraceParent {
    /// Shorter than 55 characters, or longer in version 00.
    #[error("wrong length for a traceparent")]
    Length,
    /// A dash is missing between two fields.
    #[error("fields of a traceparent are separated by dashes")]
    Separator,
    /// The version is not two lower-case hex digits, or is `ff`.
    #[error("invalid version of a traceparent")]
    Version,
    /// The trace id is invalid.
    #[error("invalid trace id")]
    TraceId(#[source] InvalidId),
    /// The parent id is invalid.
    #[error("invalid parent id")]
    SpanId(#[source] InvalidId),
    /// The flags are not two lower-case hex digits.
    #[error("invalid trace flags")]
    Flags,
}

//! [`TraceContext`], the content of the `traceparent` header (W3C Trace Context §3.2).

use std::fmt;
use std::str::FromStr;

use http::HeaderValue;

use super::hex;
use super::id::{InvalidId, SpanId, TraceId};

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

    pub(super) fn parse_bytes(text: &[u8]) -> Result<Self, InvalidTraceParent> {
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

/// The flags of a trace; bits that Trace Context does not define are dropped.
///
/// ```
/// use msf_core::trace::TraceFlags;
///
/// assert!(TraceFlags::from_bits(0x01).sampled());
/// assert_eq!(TraceFlags::from_bits(0xfd).to_string(), "01");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// The caller may have recorded its part of the trace.
    pub const SAMPLED: Self = Self(0x01);
    /// At least the last seven bytes of the trace id are random (level 2 of the standard).
    pub const RANDOM: Self = Self(0x02);

    /// Takes the known bits and drops the others.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & (Self::SAMPLED.0 | Self::RANDOM.0))
    }

    /// The bits as they are on the wire.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the caller may have recorded its part.
    #[must_use]
    pub const fn sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether the trace id was made at random.
    #[must_use]
    pub const fn random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }
}

impl std::ops::BitOr for TraceFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for TraceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 2];
        hex::encode(&[self.0], &mut text);
        f.pad(hex::ascii(&text))
    }
}

impl FromStr for TraceFlags {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let [bits] = hex::decode(text.as_bytes()).ok_or(InvalidTraceParent::Flags)?;
        Ok(Self::from_bits(bits))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::InvalidTraceParent as Error;
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// W3C Trace Context §3.2.2 (fields) and §3.2.4 (versions), one row for each rule.
    #[test]
    fn traceparent_follows_the_standard() {
        let accepted = [
            (GOOD, "01", "version 00"),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                "00",
                "not sampled",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
                "03",
                "level 2: random",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
                "03",
                "unknown bits",
            ),
            (
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "01",
                "future version",
            ),
            (
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
                "01",
                "future flags",
            ),
            (
                "fe-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
                "01",
                "empty suffix",
            ),
            (
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-Ever",
                "01",
                "suffix",
            ),
        ];
        for (text, flags, rule) in accepted {
            let context =
                TraceContext::parse(text).unwrap_or_else(|error| panic!("{rule}: {error}"));
            assert_eq!(context.flags().to_string(), flags, "{rule}");
            assert_eq!(
                context.to_string()[..53],
                GOOD[..53],
                "{rule}: written as version 00"
            );
        }

        let refused = [
            ("", Error::Length, "empty"),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                Error::Length,
                "short",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
                Error::Length,
                "00 suffix",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
                Error::Length,
                "00 suffix",
            ),
            (
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
                Error::Separator,
                "dash",
            ),
            (
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-012",
                Error::Separator,
                "dash",
            ),
            (
                "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                Error::Version,
                "ff",
            ),
            (
                "FE-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                Error::Version,
                "upper case",
            ),
            (
                ".0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                Error::Version,
                "no hex",
            ),
            (
                "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                Error::Separator,
                "dash",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e473600f067aa0ba902b7--01",
                Error::Separator,
                "dash",
            ),
            (
                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                Error::TraceId(InvalidId::NotLowerHex),
                "upper case trace id",
            ),
            (
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                Error::TraceId(InvalidId::Zero),
                "zero trace id",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
                Error::SpanId(InvalidId::NotLowerHex),
                "upper case parent id",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                Error::SpanId(InvalidId::Zero),
                "zero parent id",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-.0",
                Error::Flags,
                "flags",
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
                Error::Flags,
                "flags",
            ),
        ];
        for (text, reason, rule) in refused {
            assert_eq!(TraceContext::parse(text), Err(reason), "{rule}: {text}");
        }
    }

    #[test]
    fn a_root_is_sampled_and_random() {
        let root = TraceContext::root();
        assert!(root.flags().sampled() && root.flags().random());
        assert!(size_of::<TraceContext>() <= 32);
    }

    proptest! {
        #[test]
        fn format_then_parse_is_identity(trace: [u8; 16], span: [u8; 8], bits: u8) {
            prop_assume!(trace != [0; 16] && span != [0; 8]);
            let context = TraceContext::new(
                TraceId::from_bytes(trace).unwrap(),
                SpanId::from_bytes(span).unwrap(),
                TraceFlags::from_bits(bits),
            );
            prop_assert_eq!(TraceContext::parse(&context.to_string()), Ok(context));
            let value = context.to_header_value();
            prop_assert_eq!(value.as_bytes(), &context.to_bytes()[..]);
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = TraceContext::parse_bytes(&bytes);
        }

        #[test]
        fn one_wrong_byte_never_panics(at in 0usize..55, byte: u8) {
            let mut text = GOOD.as_bytes().to_vec();
            text[at] = byte;
            let _ = TraceContext::parse_bytes(&text);
        }
    }
}

//! [`TraceFlags`], the last field of `traceparent` (W3C Trace Context §3.2.2.5).

use std::{fmt, ops::BitOr, str::FromStr};

use super::{
    super::hex::{self, Hex},
    trace_context::InvalidTraceParent,
};

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

    pub(in crate::trace) fn hex(self) -> Hex<2> {
        Hex::new(&[self.0])
    }

    /// Whether the trace id was made at random.
    #[must_use]
    pub const fn random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }
}

impl BitOr for TraceFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for TraceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.hex().as_str())
    }
}

impl FromStr for TraceFlags {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let [bits] = hex::decode(text.as_bytes()).ok_or(InvalidTraceParent::Flags)?;
        Ok(Self::from_bits(bits))
    }
}

//! The two identifiers of a trace: [`TraceId`] for the whole, [`SpanId`] for one operation.

use std::{fmt, str::FromStr};

use super::hex::{self, Hex};

/// Defines an identifier of `$len` bytes. One macro, so that both obey the same rules by construction.
macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $random:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Makes a random identifier.
            ///
            /// The generator is fast and uniform, but not cryptographic: an identifier is no secret.
            #[must_use]
            pub fn random() -> Self {
                loop {
                    if let Some(id) = Self::from_bytes($random.to_be_bytes()) {
                        return id;
                    }
                }
            }

            /// Takes the bytes in network order; `None` if all of them are zero.
            #[must_use]
            pub fn from_bytes(bytes: [u8; $len]) -> Option<Self> {
                (bytes != [0; $len]).then_some(Self(bytes))
            }

            /// The bytes in network order.
            #[must_use]
            pub fn to_bytes(self) -> [u8; $len] {
                self.0
            }

            /// The text of the identifier.
            pub(super) fn hex(self) -> Hex<{ $len * 2 }> {
                Hex::new(&self.0)
            }

            pub(super) fn from_hex(text: &[u8]) -> Result<Self, InvalidId> {
                if text.len() != $len * 2 {
                    return Err(InvalidId::Length { expected: $len * 2, found: text.len() });
                }
                let bytes = hex::decode(text).ok_or(InvalidId::NotLowerHex)?;
                Self::from_bytes(bytes).ok_or(InvalidId::Zero)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::from_hex(text.as_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.hex().as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

hex_id! {
    /// Names one trace: everything that happens, in any service, because of one request.
    ///
    /// Sixteen bytes, never all zero, written as 32 lower-case hex digits.
    ///
    /// ```
    /// use msf_core::trace::TraceId;
    ///
    /// let id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
    /// assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    /// assert!("4BF92F3577B34DA6A3CE929D0E0E4736".parse::<TraceId>().is_err());
    /// assert_ne!(TraceId::random(), TraceId::random());
    /// # Ok::<(), msf_core::trace::InvalidId>(())
    /// ```
    TraceId, 16, fastrand::u128(..)
}

hex_id! {
    /// Names one operation in a trace: one request served, or one request sent.
    ///
    /// Eight bytes, never all zero, written as 16 lower-case hex digits.
    ///
    /// ```
    /// use msf_core::trace::SpanId;
    ///
    /// let id: SpanId = "00f067aa0ba902b7".parse()?;
    /// assert_eq!(id.to_bytes()[1], 0xf0);
    /// assert!("0000000000000000".parse::<SpanId>().is_err());
    /// # Ok::<(), msf_core::trace::InvalidId>(())
    /// ```
    SpanId, 8, fastrand::u64(..)
}

/// Why a text is no [`TraceId`] or [`SpanId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidId {
    /// The text has the wrong number of characters.
    #[error("expected {expected} hex digits, found {found} characters")]
    Length {
        /// Hex digits that this identifier has.
        expected: usize,
        /// Bytes that were given.
        found: usize,
    },
    /// A character is not in `0-9a-f`.
    #[error("not lower-case hex")]
    NotLowerHex,
    /// All digits are zero, which the standard reserves for "no identifier".
    #[error("all zero")]
    Zero,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn display_obeys_width() {
        let id: SpanId = "00f067aa0ba902b7".parse().unwrap();
        assert_eq!(format!("{id:>18}"), "  00f067aa0ba902b7");
        assert_eq!(format!("{id:?}"), "SpanId(00f067aa0ba902b7)");
    }

    #[test]
    fn refusals_say_why() {
        let zero = "0".repeat(32);
        let cases = [
            (
                "",
                InvalidId::Length {
                    expected: 32,
                    found: 0,
                },
            ),
            (
                "4bf92f3577b34da6a3ce929d0e0e473",
                InvalidId::Length {
                    expected: 32,
                    found: 31,
                },
            ),
            ("4BF92f3577b34da6a3ce929d0e0e4736", InvalidId::NotLowerHex),
            ("4bf92f3577b34da6a3ce929d0e0e473g", InvalidId::NotLowerHex),
            (&zero, InvalidId::Zero),
        ];
        for (text, reason) in cases {
            assert_eq!(text.parse::<TraceId>(), Err(reason), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_survive_the_round_trip(bytes: [u8; 16]) {
            prop_assume!(bytes != [0; 16]);
            let id = TraceId::from_bytes(bytes).unwrap();
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn any_text_is_refused_or_kept(text: String) {
            if let Ok(id) = text.parse::<SpanId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}

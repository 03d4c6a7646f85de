//! Keys as text, for stores.

use std::{
    fmt::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use super::{combine::Either, digest::Digest, text::Text};

/// A key that can be written, each in its own way: equal texts mean equal keys.
///
/// The parts of a tuple are separated by `|`, which is escaped inside them, so that `("a|b", "c")` is not
/// `("a", "b|c")` even where callers choose the parts.
///
/// ```
/// use std::fmt::{self, Write};
/// use msf_resilience::rate_limit::key::WriteKey;
///
/// struct User { id: u64 }
///
/// impl WriteKey for User {
///     fn write_key(&self, out: &mut dyn Write) -> fmt::Result {
///         write!(out, "user-{}", self.id)
///     }
/// }
///
/// let mut text = String::new();
/// (User { id: 7 }, "a|b%").write_key(&mut text)?;
/// assert_eq!(text, "user-7|a%7Cb%25");
/// # Ok::<(), fmt::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key that a store can hold",
    note = "implement `WriteKey`, or give the layer a closure from a request to `Option<String>`"
)]
pub trait WriteKey {
    /// Writes the key.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    fn write_key(&self, out: &mut dyn Write) -> fmt::Result;
}

macro_rules! as_displayed {
    ($($key:ty)+) => {
        $(impl WriteKey for $key {
            fn write_key(&self, out: &mut dyn Write) -> fmt::Result {
                write!(out, "{self}")
            }
        })+
    };
}

as_displayed!(Arc<str> Box<str> Digest IpAddr Ipv4Addr Ipv6Addr String Text &str i32 i64 u16 u32 u64 u128);

impl WriteKey for () {
    fn write_key(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_char('*')
    }
}

impl<A: WriteKey, B: WriteKey> WriteKey for Either<A, B> {
    fn write_key(&self, out: &mut dyn Write) -> fmt::Result {
        match self {
            Self::First(key) => {
                out.write_str("1:")?;
                key.write_key(out)
            }
            Self::Second(key) => {
                out.write_str("2:")?;
                key.write_key(out)
            }
        }
    }
}

/// Escapes what separates the parts of a tuple.
struct Part<'a>(&'a mut dyn Write);

impl Write for Part<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(['|', '%']) {
            match piece.strip_suffix('|') {
                Some(start) => write!(self.0, "{start}%7C")?,
                None => match piece.strip_suffix('%') {
                    Some(start) => write!(self.0, "{start}%25")?,
                    None => self.0.write_str(piece)?,
                },
            }
        }
        Ok(())
    }
}

macro_rules! together {
    ($first:ident $($other:ident)+) => {
        impl<$first: WriteKey, $($other: WriteKey),+> WriteKey for ($first, $($other,)+) {
            fn write_key(&self, out: &mut dyn Write) -> fmt::Result {
                #[expect(non_snake_case, reason = "a part and its type have one name")]
                let ($first, $($other,)+) = self;
                $first.write_key(&mut Part(out))?;
                $(
                    out.write_char('|')?;
                    $other.write_key(&mut Part(out))?;
                )+
                Ok(())
            }
        }
    };
}

together!(A B);
together!(A B C);
together!(A B C D);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(key: &impl WriteKey) -> String {
        let mut text = String::new();
        key.write_key(&mut text).unwrap();
        text
    }

    proptest! {
        #[test]
        fn keys_that_differ_are_written_differently(
            one in ("[a|%7C:]{0,4}", "[a|%7C:]{0,4}"), other in ("[a|%7C:]{0,4}", "[a|%7C:]{0,4}")
        ) {
            prop_assert_eq!(text(&one) == text(&other), one == other);
            let (nested, flat) = ((one.clone(), other.0.clone()), (one.0, (one.1, other.0)));
            prop_assert_eq!(text(&nested) == text(&flat), false);
        }
    }
}

//! One source or another, and several together.

use std::fmt;

use http::{Extensions, HeaderMap};

use super::source::KeySource;

/// One source and, where it finds nothing, another. Made by [`KeySource::or`].
///
/// ```
/// use http::{Extensions, HeaderMap};
/// use msf_resilience::rate_limit::key::{Either, Everyone, KeySource, TextHeader};
///
/// let source = TextHeader::new("x-tenant".parse()?)?.or(Everyone);
/// assert_eq!(source.key(&HeaderMap::new(), &Extensions::new()), Some(Either::Second(())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Or<A, B> {
    first: A,
    second: B,
}

/// The key of the one source or of the other; equal keys of different sources are different keys.
///
/// ```
/// use msf_resilience::rate_limit::key::Either;
///
/// let (address, name) = (Either::<&str, &str>::First("ada"), Either::Second("ada"));
/// assert_ne!(address, name);
/// assert_eq!((address.to_string(), name.to_string()), ("1:ada".to_owned(), "2:ada".to_owned()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two sources")]
pub enum Either<A, B> {
    /// The first source had a key.
    First(A),
    /// Only the second had one.
    Second(B),
}

impl<A, B> Or<A, B> {
    pub(super) const fn new(first: A, second: B) -> Self {
        Self { first, second }
    }
}

impl<A: KeySource, B: KeySource> KeySource for Or<A, B> {
    type Key = Either<A::Key, B::Key>;

    fn key(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<Self::Key> {
        match self.first.key(headers, extensions) {
            Some(key) => Some(Either::First(key)),
            None => self.second.key(headers, extensions).map(Either::Second),
        }
    }
}

impl<A: fmt::Display, B: fmt::Display> fmt::Display for Either<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(key) => write!(f, "1:{key}"),
            Self::Second(key) => write!(f, "2:{key}"),
        }
    }
}

macro_rules! together {
    ($($source:ident)+) => {
        impl<$($source: KeySource),+> KeySource for ($($source,)+) {
            type Key = ($($source::Key,)+);

            fn key(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<Self::Key> {
                #[expect(non_snake_case, reason = "a source and its type have one name")]
                let ($($source,)+) = self;
                Some(($($source.key(headers, extensions)?,)+))
            }
        }
    };
}

together!(A B);
together!(A B C);
together!(A B C D);

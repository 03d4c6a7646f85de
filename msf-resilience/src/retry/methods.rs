//! Which methods may be repeated.

use http::Method;

/// A set of the methods of RFC 9110 and `PATCH`.
///
/// ```
/// use http::Method;
/// use msf_resilience::retry::Methods;
///
/// assert!(Methods::IDEMPOTENT.contains(&Method::PUT));
/// assert!(!Methods::IDEMPOTENT.contains(&Method::POST));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u32);

impl Methods {
    /// No method at all.
    pub const NONE: Self = Self(0);

    /// `GET`, `HEAD`, `OPTIONS`, `TRACE`, `PUT` and `DELETE` (RFC 9110 section 9.2.2).
    pub const IDEMPOTENT: Self = Self(0b0011_1111);

    /// This set and one method more; `None` for a method that it cannot hold.
    #[must_use]
    pub fn with(self, method: &Method) -> Option<Self> {
        Some(Self(self.0 | bit(method)?))
    }

    /// Whether the method is one of them.
    #[inline]
    #[must_use]
    pub fn contains(self, method: &Method) -> bool {
        bit(method).is_some_and(|bit| self.0 & bit != 0)
    }

    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    pub(super) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

#[inline]
fn bit(method: &Method) -> Option<u32> {
    let place = match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::OPTIONS => 2,
        Method::TRACE => 3,
        Method::PUT => 4,
        Method::DELETE => 5,
        Method::POST => 6,
        Method::PATCH => 7,
        Method::CONNECT => 8,
        _ => return None,
    };
    Some(1 << place)
}

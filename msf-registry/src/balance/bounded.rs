//! Consistent hashing with bounded loads.

/// The most calls that an instance may have in flight under a bound of `factor`, `in_flight` being those of all
/// instances and `share` its part of the weights of all: ⌈factor × (in_flight + 1) × share⌉ (Mirrokni, Thorup and
/// Zadimoghaddam, "Consistent hashing with bounded loads", 2016).
///
/// An instance that has as many is full, and the key goes to the [next](super::Ring::find) that is not. There always
/// is one while `factor` is above 1 and `in_flight` is the sum at that moment; with a sum that is older, all may be
/// full: then the key stays where it belongs.
///
/// ```
/// use msf_registry::balance::bound;
///
/// // 8 calls on 4 instances of equal weight: 1.25 × 9 × ¼ = 2.8.
/// assert_eq!(bound(1.25, 8, 0.25), 3);
/// assert_eq!(bound(1.25, 0, 0.25), 1);
/// ```
#[must_use]
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from a float saturates"
)]
pub fn bound(factor: f32, in_flight: u64, share: f32) -> u32 {
    (f64::from(factor) * (in_flight as f64 + 1.0) * f64::from(share)).ceil() as u32
}

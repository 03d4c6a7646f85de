//! The shares of a ramp.

use std::time::Duration;

use super::{super::Ramp, SECOND};

#[test]
fn a_linear_ramp_grows_from_a_tenth_to_all() {
    let slope = Ramp::default().slope().unwrap();
    let shares = [10, 5, 0].map(|left| slope.share(left * SECOND));
    assert_eq!(shares, [1_000, 5_500, 10_000]);
}

#[test]
fn a_staged_ramp_has_each_share_for_its_time() {
    let ramp = Ramp::stages([0.1, 0.5], Duration::from_secs(4));
    let slope = ramp.slope().unwrap();
    assert_eq!(slope.total_ns(), 8 * SECOND);
    let shares = [8 * SECOND, 4 * SECOND + 1, 4 * SECOND, 1, 0].map(|left| slope.share(left));
    assert_eq!(shares, [1_000, 1_000, 5_000, 5_000, 10_000]);
}

#[test]
fn ramps_that_cannot_work_are_refused() {
    let second = Duration::from_secs(1);
    assert!(Ramp::stages([0.1; 9], second).slope().is_none());
    assert!(Ramp::stages([0.1, 1.5], second).slope().is_none());
    assert!(Ramp::stages([0.1], Duration::ZERO).slope().is_none());
    assert!(Ramp::linear(Duration::MAX).slope().is_none());
    assert!(Ramp::none().slope().is_some());
}

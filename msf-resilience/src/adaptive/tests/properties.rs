//! What holds for every algorithm, whatever is measured.

use std::time::Duration;

use proptest::prelude::*;

use crate::adaptive::{Aimd, Fixed, Gradient2, InvalidLimit, Limit, Vegas, Window};

fn window() -> impl Strategy<Value = Window> {
    let latency = prop_oneof![Just(0), Just(u64::MAX), 1..10_000_000_000_u64];
    let count = prop_oneof![Just(0), Just(u32::MAX), 0..5_000_u32];
    (latency, count.clone(), count.clone(), count).prop_map(|(latency, in_flight, calls, drops)| {
        let window = Window::new(Duration::from_nanos(latency), in_flight);
        window.calls(calls).drops(drops)
    })
}

fn all(min: u32, initial: u32, max: u32) -> [Box<dyn Limit>; 3] {
    [
        Box::new(Vegas::new().min(min).initial(initial).max(max)),
        Box::new(Gradient2::new().min(min).initial(initial).max(max)),
        Box::new(Aimd::new().min(min).initial(initial).max(max)),
    ]
}

proptest! {
    #[test]
    fn a_limit_stays_within_its_bounds(
        mut bounds in proptest::array::uniform3(1..2_000_u32),
        windows in proptest::collection::vec(window(), 1..200),
        restart in any::<u32>(),
    ) {
        bounds.sort_unstable();
        let [min, initial, max] = bounds;
        for mut limit in all(min, initial, max) {
            prop_assert!(limit.check().is_ok());
            prop_assert_eq!(limit.limit(), initial);
            for (i, window) in windows.iter().enumerate() {
                let new = limit.update(window);
                prop_assert!((min..=max).contains(&new), "{limit:?}");
                prop_assert_eq!(new, limit.limit());
                if i == 100 {
                    limit.restart(restart);
                    prop_assert!((min..=max).contains(&limit.limit()));
                }
            }
        }
    }

    #[test]
    fn a_limit_does_not_grow_while_less_than_half_of_it_is_used(
        windows in proptest::collection::vec((1..10_000_u64, 0..=49_u32), 1..200),
    ) {
        for mut limit in all(1, 100, 1_000) {
            for (micros, percent) in &windows {
                let before = limit.limit();
                let window = Window::new(Duration::from_micros(*micros), before * percent / 100);
                prop_assert!(limit.update(&window) <= before, "{limit:?}");
            }
        }
    }

    #[test]
    fn drops_never_raise_a_limit(windows in proptest::collection::vec(window(), 1..100)) {
        for mut limit in all(1, 100, 1_000) {
            for window in &windows {
                let before = limit.limit();
                let dropped = window.calls(100).drops(6);
                prop_assert!(limit.update(&dropped) <= before, "{limit:?}");
            }
        }
    }
}

#[test]
fn bad_knobs_are_named() {
    let named = |limit: &dyn Limit| match limit.check() {
        Err(InvalidLimit::Knob { knob, .. }) => knob,
        Err(InvalidLimit::Bounds { .. }) => "bounds",
        Ok(()) => "fine",
    };
    assert_eq!(named(&Vegas::new().min(0)), "bounds");
    assert_eq!(named(&Vegas::new().initial(3)), "bounds");
    assert_eq!(named(&Gradient2::new().max(1_000_001)), "bounds");
    assert_eq!(named(&Gradient2::new().smoothing(0.0)), "smoothing");
    assert_eq!(named(&Gradient2::new().smoothing(f64::NAN)), "smoothing");
    assert_eq!(named(&Gradient2::new().tolerance(0.5)), "tolerance");
    assert_eq!(named(&Gradient2::new().queue(0)), "queue");
    assert_eq!(named(&Aimd::new().backoff(1.0)), "backoff");
    assert_eq!(named(&Aimd::new().timeout(Duration::ZERO)), "timeout");
    assert_eq!(named(&Fixed::new(0)), "bounds");
    assert_eq!(named(&Fixed::new(1)), "fine");
}

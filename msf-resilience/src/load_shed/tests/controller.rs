//! The controller alone.

use proptest::prelude::*;

use crate::load_shed::{
    Priority,
    controller::{Controller, Cut, LEVELS, PARTS},
};

fn arrivals(levels: &[(u16, u32)]) -> impl Iterator<Item = u32> {
    let mut counts = [0; LEVELS];
    for (level, count) in levels {
        counts[usize::from(*level)] += count;
    }
    counts.into_iter()
}

/// The probability that a request of this level is let in.
fn admitted(cut: Cut, level: u16) -> f64 {
    let draws = (0..PARTS).filter(|draw| cut.admits(level, || *draw));
    f64::from(u32::try_from(draws.count()).unwrap()) / f64::from(PARTS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lower_priorities_are_shed_first(
        windows in proptest::collection::vec(
            (proptest::collection::vec((0..400_u16, 0..1_000_u32), 0..8), 0.0..3.0_f64, 0..5_u64),
            1..60,
        ),
        a in 0..400_u16,
        b in 0..400_u16,
    ) {
        let mut controller = Controller::new();
        for (levels, load, skipped) in windows {
            let cut = controller.update(arrivals(&levels), load, skipped);
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(admitted(cut, low) <= admitted(cut, high));
            if admitted(cut, high) < 1.0 && low < high {
                prop_assert_eq!(admitted(cut, low), 0.0);
            }
            prop_assert!((0.0..=1.0).contains(&controller.share()));
        }
    }

    #[test]
    fn what_is_critical_is_never_shed(
        loads in proptest::collection::vec(prop_oneof![Just(f64::INFINITY), 0.0..1e9], 1..200),
        level in 400..500_u16,
    ) {
        let mut controller = Controller::new();
        for load in loads {
            let cut = controller.update(arrivals(&[(100, 10)]), load, 1);
            prop_assert!(cut.admits(level, || 0));
        }
    }

    #[test]
    fn as_much_is_let_in_as_the_share_says(
        levels in proptest::collection::vec((0..400_u16, 1..10_000_u32), 1..20),
        overloaded in 1..60_usize,
    ) {
        let mut controller = Controller::new();
        let mut cut = Cut::NONE;
        for _ in 0..overloaded {
            cut = controller.update(arrivals(&levels), 1.2, 1);
        }
        let counts: Vec<_> = arrivals(&levels).map(f64::from).collect();
        let total: f64 = counts.iter().sum();
        let let_in: f64 = (0..).zip(&counts).map(|(level, n)| n * admitted(cut, level)).sum();
        // A level is cut in 1024 parts.
        prop_assert!((let_in / total - controller.share()).abs() < 2e-3);
    }

    #[test]
    fn no_load_breaks_it(loads in proptest::collection::vec(any::<f64>(), 1..50)) {
        let mut controller = Controller::new();
        for load in loads {
            controller.update(arrivals(&[(250, 5)]), load, 1);
            prop_assert!((0.0..=1.0).contains(&controller.share()));
        }
        for _ in 0..60 {
            controller.update(arrivals(&[(250, 5)]), 0.0, 1);
        }
        prop_assert_eq!(controller.share(), 1.0);
    }
}

#[test]
fn it_settles_where_the_load_is_just_right() {
    // Twice as many requests as the server can do, half of them sheddable.
    let mut controller = Controller::new();
    let mut cut = Cut::NONE;
    for _ in 0..200 {
        let sheddable = 100.0 * admitted(cut, 100);
        let default = 100.0 * admitted(cut, 250);
        let load = (sheddable + default) / 100.0;
        cut = controller.update(arrivals(&[(100, 100), (250, 100)]), load, 1);
    }
    assert!((0.4..=0.55).contains(&controller.share()));
    assert!(admitted(cut, 250) > 0.8);
    assert!(admitted(cut, 100) < 0.1);
}

#[test]
fn one_level_is_throttled_and_not_switched_off() {
    let mut controller = Controller::new();
    let mut cut = Cut::NONE;
    for _ in 0..10 {
        cut = controller.update(arrivals(&[(250, 100)]), 1.1, 1);
    }
    let share = admitted(cut, 250);
    assert!((0.1..0.9).contains(&share), "{share}");
}

#[test]
fn a_cut_before_anything_arrived_spares_what_matters() {
    let mut controller = Controller::new();
    let cut = controller.update(std::iter::empty(), 2.0, 1);
    assert!(!cut.admits(0, || 0));
    assert!(cut.admits(Priority::DEFAULT.as_level(), || 0));
}

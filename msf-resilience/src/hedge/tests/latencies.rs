//! The quantile against the exact one, and what is observed at all.

use std::time::Duration;

use proptest::prelude::*;

use crate::hedge::histogram::{Histogram, PARTS};

fn exact(sorted: &[u64], parts: u64) -> u64 {
    let rank = (sorted.len() as u64 * parts).div_ceil(PARTS).max(1);
    sorted[usize::try_from(rank - 1).unwrap()]
}

proptest! {
    #[test]
    fn the_quantile_is_the_exact_one_within_the_width_of_a_bucket(
        nanos in proptest::collection::vec(
            prop_oneof![0_u64..50_000, 0_u64..10_000_000, 0_u64..120_000_000_000],
            1..400,
        ),
        parts in 5_000_u64..=9_999,
    ) {
        let histogram = Histogram::new();
        for nanos in &nanos {
            histogram.record(Duration::from_nanos(*nanos));
        }
        let (quantile, samples) = histogram.quantile(parts);
        let mut sorted = nanos.clone();
        sorted.sort_unstable();
        let (quantile, exact) = (u64::try_from(quantile.as_nanos()).unwrap(), exact(&sorted, parts));
        prop_assert_eq!(samples, nanos.len() as u64);
        prop_assert!(quantile >= exact, "{} below {}", quantile, exact);
        prop_assert!(quantile <= exact + exact / 16 + 1_000, "{} far above {}", quantile, exact);
    }

    /// Every window of the last two counts, older ones do not, whatever the gaps between them.
    #[test]
    fn latencies_count_for_one_to_two_windows(
        steps in proptest::collection::vec((0_u64..4, 1_u64..50), 1..40),
    ) {
        let histogram = Histogram::new();
        histogram.reset(100);
        let mut tick = 100;
        let mut recorded = Vec::new();
        for (step, count) in steps {
            tick += step;
            histogram.rotate(tick);
            for _ in 0..count {
                histogram.record(Duration::from_millis(1));
            }
            recorded.push((tick, count));
            let live = recorded.iter().filter(|(at, _)| at + 1 >= tick);
            let live: u64 = live.map(|(_, count)| count).sum();
            prop_assert_eq!(histogram.quantile(9_500).1, live);
        }
    }
}

#[test]
fn hours_are_counted_in_the_last_bucket() {
    let histogram = Histogram::new();
    histogram.record(Duration::MAX);
    let (quantile, samples) = histogram.quantile(9_999);
    assert_eq!(samples, 1);
    assert!(quantile >= Duration::from_secs(134) && quantile < Duration::from_secs(135));
}

#[test]
fn threads_that_record_at_one_time_lose_nothing() {
    let histogram = Histogram::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|_| histogram.record(Duration::from_millis(3))));
        }
    });
    assert_eq!(histogram.quantile(5_000).1, 4_000);
}

#[test]
fn a_tick_that_goes_back_changes_nothing() {
    let histogram = Histogram::new();
    histogram.reset(7);
    histogram.record(Duration::from_millis(3));
    histogram.rotate(3);
    assert_eq!(histogram.quantile(5_000).1, 1);
}

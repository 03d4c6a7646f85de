//! How much each priority carries.

/// The instances of one priority, by weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) working: u64,
    /// Those that are called when too few work.
    pub(super) degraded: u64,
    /// Those that are not called because they fail.
    pub(super) failing: u64,
}

/// The parts of all calls that a priority gets; they sum to 1 over all priorities, or to 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    pub(super) working: f64,
    pub(super) degraded: f64,
    /// Both parts go to all of the priority's instances, whatever their health.
    pub(super) is_panic: bool,
}

impl Level {
    const fn all(self) -> u64 {
        self.working + self.degraded + self.failing
    }

    /// The part of the calls that so many of the level can carry, at most 1.
    fn carries(self, some: u64, overprovisioning: f64) -> f64 {
        let carried = overprovisioning * part(some, self.all());
        // 5 of 7 at 1.4 carry everything, whatever the last bit of 1.4 says.
        if carried > 1.0 - EPSILON {
            1.0
        } else {
            carried
        }
    }
}

/// The load of each priority, the first one first, by Envoy's formula.
///
/// A priority carries `min(1, overprovisioning × working ÷ all)`. Each takes as much as it carries of what those
/// before it left, the working of all priorities before the degraded of any. When all together carry less than
/// everything, each carries proportionally more; then a priority of whose instances less than `panic_threshold`
/// works goes into panic. When none works anywhere, all goes to the first priority that has any instance, in panic,
/// unless the threshold is 0.
///
/// Envoy rounds each load to a percent; these are exact.
pub(super) fn loads(levels: &[Level], overprovisioning: f32, panic_threshold: f32) -> Vec<Load> {
    let (overprovisioning, panic_threshold) =
        (f64::from(overprovisioning), f64::from(panic_threshold));
    let working = |level: &Level| level.carries(level.working, overprovisioning);
    let degraded = |level: &Level| level.carries(level.degraded, overprovisioning);
    let sum: f64 = levels
        .iter()
        .map(|level| working(level) + degraded(level))
        .sum();
    let sum = if sum > 1.0 - EPSILON { 1.0 } else { sum };
    let mut loads = vec![Load::default(); levels.len()];
    if sum <= 0.0 {
        if panic_threshold > 0.0
            && let Some(first) = levels.iter().position(|level| level.failing > 0)
        {
            loads[first] = Load {
                working: 1.0,
                degraded: 0.0,
                is_panic: true,
            };
        }
        return loads;
    }
    let mut left = 1.0;
    let mut take = |carried: f64| {
        let taken = f64::min(left, carried / sum);
        left -= taken;
        taken
    };
    for (load, level) in loads.iter_mut().zip(levels) {
        load.working = take(working(level));
    }
    for (load, level) in loads.iter_mut().zip(levels) {
        load.degraded = take(degraded(level));
    }
    if sum < 1.0 {
        for (load, level) in loads.iter_mut().zip(levels) {
            load.is_panic = part(level.working + level.degraded, level.all()) < panic_threshold;
        }
    }
    loads
}

fn part(some: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        some as f64 / all as f64
    }
}

const EPSILON: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Working and degraded percent of 100 instances per priority.
    fn percents(levels: &[(u64, u64)]) -> Vec<(f64, f64, bool)> {
        let level = |(working, degraded): &(u64, u64)| Level {
            working: *working,
            degraded: *degraded,
            failing: 100 - working - degraded,
        };
        let levels: Vec<Level> = levels.iter().map(level).collect();
        let loads = loads(&levels, 1.4, 0.5);
        loads
            .iter()
            .map(|load| (load.working * 100.0, load.degraded * 100.0, load.is_panic))
            .collect()
    }

    /// What Envoy documents is rounded to percents that sum to 100.
    fn close(actual: f64, documented: u32) -> bool {
        (actual - f64::from(documented)).abs() < 1.0
    }

    /// Envoy's tables of `priority.rst`: working percents, percents of the calls.
    #[test]
    fn loads_are_those_that_envoy_documents() {
        let table: &[(&[u64], &[u32])] = &[
            (&[100, 100], &[100, 0]),
            (&[72, 100], &[100, 0]),
            (&[71, 100], &[99, 1]),
            (&[50, 100], &[70, 30]),
            (&[25, 100], &[35, 65]),
            (&[0, 100], &[0, 100]),
            (&[72, 72], &[100, 0]),
            (&[71, 71], &[99, 1]),
            (&[50, 50], &[70, 30]),
            (&[25, 25], &[50, 50]),
            (&[100, 100, 100], &[100, 0, 0]),
            (&[72, 72, 100], &[100, 0, 0]),
            (&[71, 71, 100], &[99, 1, 0]),
            (&[50, 50, 100], &[70, 30, 0]),
            (&[25, 100, 100], &[35, 65, 0]),
            (&[25, 25, 100], &[35, 35, 30]),
            (&[25, 25, 20], &[36, 36, 28]),
        ];
        for (working, documented) in table {
            let levels: Vec<_> = working.iter().map(|percent| (*percent, 0)).collect();
            let loads = percents(&levels);
            let is_close = loads
                .iter()
                .zip(*documented)
                .all(|(load, d)| close(load.0, *d));
            assert!(is_close, "{working:?}: {loads:?} is not {documented:?}");
        }
    }

    /// Envoy's tables of `panic_threshold.rst`: working percents, who is in panic, the loads.
    #[test]
    fn panic_is_where_envoy_documents_it() {
        let table: &[(&[u64], &[bool], &[u32])] = &[
            (&[72, 100], &[false, false], &[100, 0]),
            (&[71, 100], &[false, false], &[99, 1]),
            (&[50, 100], &[false, false], &[70, 30]),
            (&[25, 100], &[false, false], &[35, 65]),
            (&[0, 100], &[false, false], &[0, 100]),
            (&[72, 72], &[false, false], &[100, 0]),
            (&[71, 71], &[false, false], &[99, 1]),
            (&[25, 25], &[true, true], &[50, 50]),
            (&[5, 65], &[true, false], &[7, 93]),
            (&[0, 0], &[true, false], &[100, 0]),
        ];
        for (working, panic, documented) in table {
            let levels: Vec<_> = working.iter().map(|percent| (*percent, 0)).collect();
            let loads = percents(&levels);
            let is_close = loads
                .iter()
                .zip(*documented)
                .all(|(load, d)| close(load.0, *d));
            assert!(is_close, "{working:?}: {loads:?} is not {documented:?}");
            let in_panic: Vec<bool> = loads.iter().map(|load| load.2).collect();
            assert_eq!(in_panic, *panic, "{working:?}");
        }
    }

    /// Envoy's table of `degraded.rst`.
    #[test]
    fn degraded_ones_take_what_is_left() {
        let table = [
            ((100, 0), (100, 0)),
            ((71, 0), (100, 0)),
            ((71, 29), (99, 1)),
            ((25, 65), (35, 65)),
            ((5, 0), (100, 0)),
        ];
        for (level, documented) in table {
            let (working, degraded, _) = percents(&[level])[0];
            let is_close = close(working, documented.0) && close(degraded, documented.1);
            assert!(is_close, "{level:?}: {working}, {degraded}");
        }
        // Those that work in another priority come before those that work badly in this one.
        let loads = percents(&[(0, 100), (50, 0)]);
        assert!(close(loads[1].0, 70) && close(loads[0].1, 30), "{loads:?}");
    }

    #[test]
    fn five_of_seven_carry_everything() {
        let level = Level {
            working: 5,
            degraded: 0,
            failing: 2,
        };
        let whole = Level {
            working: 1,
            ..Level::default()
        };
        assert_eq!(loads(&[level, whole], 1.4, 0.5)[0].working, 1.0);
    }

    #[test]
    fn without_panic_nobody_is_called_when_none_works() {
        let dead = Level {
            failing: 3,
            ..Level::default()
        };
        let sum = |threshold| {
            loads(&[dead, dead], 1.4, threshold)
                .iter()
                .map(|l| l.working)
                .sum::<f64>()
        };
        assert_eq!((sum(0.0), sum(0.01)), (0.0, 1.0));
        assert!(loads(&[], 1.4, 0.5).is_empty());
    }

    proptest! {
        #[test]
        fn loads_sum_to_all_and_go_only_where_somebody_is(
            levels in proptest::collection::vec((0_u64..50, 0_u64..50, 0_u64..50), 1..6),
            overprovisioning in 1.0_f32..3.0,
            threshold in 0.0_f32..1.0,
        ) {
            let levels: Vec<Level> = levels
                .into_iter()
                .map(|(working, degraded, failing)| Level { working, degraded, failing })
                .collect();
            let loads = loads(&levels, overprovisioning, threshold);
            let sum: f64 = loads.iter().map(|load| load.working + load.degraded).sum();
            let is_any = levels.iter().any(|level| level.working + level.degraded > 0);
            if is_any {
                prop_assert!((sum - 1.0).abs() < 1e-9, "{sum}");
            }
            for (load, level) in loads.iter().zip(&levels) {
                prop_assert!(load.working >= 0.0 && load.degraded >= 0.0);
                prop_assert!(load.working == 0.0 || level.working > 0 || load.is_panic);
                prop_assert!(load.degraded == 0.0 || level.degraded > 0);
                prop_assert!(!load.is_panic || threshold > 0.0);
            }
        }
    }
}

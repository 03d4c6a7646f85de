//! The algorithms against a callee with a knee.
//!
//! The model: so many calls are served at once, the others queue. With `n` calls always in flight, by Little's law, the mean
//! latency is `base` up to the knee and `base × n / knee` above.

use std::time::Duration;

use crate::adaptive::{Aimd, Gradient2, Limit, Vegas, Window};

struct Callee {
    knee: f64,
    base_ms: f64,
    rng: fastrand::Rng,
}

impl Callee {
    fn new(knee: u32, base_ms: u32) -> Self {
        Self {
            knee: knee.into(),
            base_ms: base_ms.into(),
            rng: fastrand::Rng::with_seed(7),
        }
    }

    /// A window with so many calls in flight; the mean of the calls is off by up to 3 %.
    fn serve(&mut self, in_flight: u32) -> Window {
        let stretch = (f64::from(in_flight) / self.knee).max(1.0);
        let noise = 0.97 + 0.06 * self.rng.f64();
        let latency = self.base_ms * stretch * noise / 1e3;
        Window::new(Duration::from_secs_f64(latency), in_flight).calls(100)
    }

    /// Callers that always use the whole limit.
    fn saturate(&mut self, limit: &mut impl Limit, windows: u32) -> u32 {
        for _ in 0..windows {
            let window = self.serve(limit.limit());
            limit.update(&window);
        }
        limit.limit()
    }
}

#[test]
fn vegas_finds_the_knee_from_below_and_from_above() {
    for initial in [5, 400] {
        let mut limit = Vegas::new().initial(initial);
        let mut callee = Callee::new(100, 20);
        if initial > 100 {
            // It must have seen the callee without a queue once.
            limit.update(&callee.serve(10));
        }
        let found = callee.saturate(&mut limit, 400);
        assert!((95..=125).contains(&found), "{initial}: {found}");
    }
}

#[test]
fn vegas_does_not_creep_up_under_a_load_that_never_lets_up() {
    let mut limit = Vegas::new();
    let mut callee = Callee::new(100, 20);
    callee.saturate(&mut limit, 200);
    for _ in 0..100 {
        let found = callee.saturate(&mut limit, 100);
        assert!((90..=130).contains(&found), "{found}");
    }
}

#[test]
fn vegas_follows_a_callee_that_becomes_slower_for_good() {
    for step in [1.3, 2.0, 5.0] {
        let mut limit = Vegas::new();
        let mut callee = Callee::new(100, 20);
        callee.saturate(&mut limit, 200);
        callee.base_ms *= step;
        let found = callee.saturate(&mut limit, 600);
        assert!((90..=130).contains(&found), "×{step}: {found}");
    }
}

#[test]
fn vegas_follows_a_callee_that_loses_half_of_its_capacity() {
    let mut limit = Vegas::new();
    let mut callee = Callee::new(100, 20);
    callee.saturate(&mut limit, 200);
    callee.knee = 50.0;
    let found = callee.saturate(&mut limit, 200);
    assert!((45..=75).contains(&found), "{found}");
}

#[test]
fn a_callee_with_two_latencies_is_not_throttled() {
    // Half of the calls take 1 ms, half 39 ms: the means of windows vary by what is drawn, not by load.
    let mut rng = fastrand::Rng::with_seed(3);
    let mut vegas = Vegas::new();
    let mut gradient = Gradient2::new();
    for _ in 0..300 {
        let slow = (0..100).filter(|_| rng.bool()).count();
        #[expect(clippy::cast_precision_loss, reason = "at most 100")]
        let mean = (slow as f64 * 39.0 + (100 - slow) as f64) / 100.0 / 1e3;
        let mean = Duration::from_secs_f64(mean);
        let limits: [&mut dyn Limit; 2] = [&mut vegas, &mut gradient];
        for limit in limits {
            let in_flight = limit.limit().min(60);
            limit.update(&Window::new(mean, in_flight).calls(100));
        }
    }
    assert!(vegas.limit() >= 20, "{}", vegas.limit());
    assert!(gradient.limit() >= 60, "{}", gradient.limit());
}

#[test]
fn gradient_falls_with_a_sudden_queue_and_comes_back() {
    let mut limit = Gradient2::new().max(150);
    let mut callee = Callee::new(100, 20);
    // Idle for a while, so the long-term latency is that of an idle callee.
    for _ in 0..600 {
        let window = callee.serve(10);
        limit.update(&window);
    }
    let before = callee.saturate(&mut limit, 100);
    assert!((100..=150).contains(&before), "{before}");
    callee.knee = 25.0;
    let less = callee.saturate(&mut limit, 50);
    assert!(less < 60, "{less}");
    callee.knee = 100.0;
    let after = callee.saturate(&mut limit, 200);
    assert!(after > 90, "{after}");
}

#[test]
fn aimd_swings_below_the_point_of_failure() {
    let mut limit = Aimd::new();
    for window in 0..500 {
        let in_flight = limit.limit();
        let sample = Window::new(Duration::from_millis(10), in_flight).calls(100);
        limit.update(&sample.drops(if in_flight > 80 { 50 } else { 0 }));
        if window > 100 {
            assert!((70..=81).contains(&limit.limit()), "{}", limit.limit());
        }
    }
}

#[test]
fn single_failures_do_not_throttle() {
    let mut callee = Callee::new(1_000, 10);
    let mut limit = Vegas::new();
    let before = limit.limit();
    for _ in 0..20 {
        let window = callee.serve(limit.limit()).drops(5);
        limit.update(&window);
    }
    assert!(limit.limit() > before);
}

/// The mean of so many latencies that vary as those of real callees do: log-normal, most of them below their mean.
fn varied(rng: &mut fastrand::Rng, calls: u32, sigma: f64) -> f64 {
    let sum: f64 = (0..calls)
        .map(|_| {
            // Twelve uniform numbers make a normal one, near enough.
            let normal = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
            (sigma * normal - sigma * sigma / 2.0).exp()
        })
        .sum();
    sum / f64::from(calls)
}

#[test]
fn vegas_is_not_fooled_by_latencies_that_vary() {
    for (calls, sigma) in [(100, 0.5), (100, 1.0), (10, 0.5)] {
        let mut rng = fastrand::Rng::with_seed(11);
        let (mut narrow, mut wide) = (Vegas::new(), Vegas::new());
        let (mut narrow_sum, mut wide_sum) = (0, 0);
        let mut update = |limit: &mut Vegas, knee: f64| {
            let in_flight = limit.limit();
            let stretch = (f64::from(in_flight) / knee).max(1.0);
            let latency = 0.02 * stretch * varied(&mut rng, calls, sigma);
            let window = Window::new(Duration::from_secs_f64(latency), in_flight);
            limit.update(&window.calls(calls))
        };
        for window in 0..6_000 {
            let limits = (update(&mut narrow, 100.0), update(&mut wide, 1e6));
            if window >= 1_000 {
                narrow_sum += limits.0;
                wide_sum += limits.1;
            }
        }
        let (narrow, wide) = (narrow_sum / 5_000, wide_sum / 5_000);
        assert!(
            (85..=170).contains(&narrow),
            "knee: {calls} {sigma} {narrow}"
        );
        assert!(wide >= 130, "no knee: {calls} {sigma} {wide}");
    }
}

#[test]
fn an_outage_that_fails_fast_is_over_when_it_is_over() {
    let mut vegas = Vegas::new();
    let mut gradient = Gradient2::new().max(150);
    let mut callee = Callee::new(100, 20);
    callee.saturate(&mut vegas, 200);
    callee.saturate(&mut gradient, 200);
    let limits: [&mut dyn Limit; 2] = [&mut vegas, &mut gradient];
    for limit in limits {
        for _ in 0..500 {
            let in_flight = limit.limit();
            let down = Window::new(Duration::from_micros(100), in_flight);
            limit.update(&down.calls(100).drops(90));
        }
        assert_eq!(limit.limit(), 4);
    }
    assert!(callee.saturate(&mut vegas, 60) >= 90, "{vegas:?}");
    assert!(callee.saturate(&mut gradient, 250) >= 90, "{gradient:?}");
}

#[test]
fn vegas_gets_away_from_its_least_limit_also_if_the_callee_stays_slower() {
    let mut limit = Vegas::new();
    let mut callee = Callee::new(100, 20);
    callee.saturate(&mut limit, 200);
    (callee.knee, callee.base_ms) = (4.0, 1000.0);
    assert!(callee.saturate(&mut limit, 200) <= 6);
    (callee.knee, callee.base_ms) = (100.0, 100.0);
    let found = callee.saturate(&mut limit, 200);
    assert!((90..=130).contains(&found), "{found}");
    // A callee that serves no more than that is not overrun.
    callee.knee = 4.0;
    callee.saturate(&mut limit, 300);
    for _ in 0..300 {
        assert!(callee.saturate(&mut limit, 1) <= 15, "{limit:?}");
    }
}

#[test]
fn one_window_without_a_latency_is_not_the_measure_of_all_others() {
    let mut limit = Vegas::new();
    limit.update(&Window::new(Duration::ZERO, 20));
    let found = Callee::new(100, 20).saturate(&mut limit, 400);
    assert!((90..=130).contains(&found), "{found}");
}

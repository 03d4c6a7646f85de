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

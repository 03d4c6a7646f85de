//! The handle: windows, outcomes, and who may not wait for whom.

use std::time::Duration;

use msf_core::{classify::Classification, metrics::Metrics};
use tokio::time::advance;

use crate::{
    adaptive::{
        AdaptiveLimit, Aimd, Fixed, Gradient2, InvalidAdaptiveLimit, Limit, Permit, Vegas, Window,
    },
    policies::{self, Control, Kind},
};

const WINDOW: Duration = Duration::from_millis(250);

fn aimd() -> AdaptiveLimit {
    let builder = AdaptiveLimit::builder("x").algorithm(Aimd::new().initial(10));
    builder.build().unwrap()
}

fn take_all(limit: &AdaptiveLimit) -> Vec<Permit> {
    std::iter::from_fn(|| limit.try_acquire().ok()).collect()
}

/// A window of calls that use the whole limit.
async fn window_of(limit: &AdaptiveLimit, classification: Classification) {
    let permits = take_all(limit);
    advance(WINDOW).await;
    for permit in permits {
        permit.complete(&classification);
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_of_calls_moves_the_limit_once() {
    let limit = aimd();
    window_of(&limit, Classification::SUCCESS).await;
    assert_eq!(limit.snapshot().limit(), 11);
    assert_eq!(limit.snapshot().latency(), WINDOW);
    assert_eq!(limit.snapshot().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn failures_lower_it_and_what_is_ignored_leaves_no_trace() {
    let limit = aimd();
    window_of(&limit, Classification::IGNORE).await;
    window_of(&limit, Classification::FAILURE.refused(true)).await;
    assert_eq!(limit.snapshot().limit(), 10);
    window_of(&limit, Classification::FAILURE).await;
    assert_eq!(limit.snapshot().limit(), 9);
    // Nine calls are no window yet; the next nine make it one.
    window_of(&limit, Classification::IGNORE.throttled(true)).await;
    assert_eq!(limit.snapshot().limit(), 9);
    window_of(&limit, Classification::IGNORE.throttled(true)).await;
    assert_eq!(limit.snapshot().limit(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_dropped_early_says_nothing_and_late_that_it_was_slow() {
    let slow = Aimd::new().initial(10).timeout(Duration::from_secs(1));
    let limit = AdaptiveLimit::builder("x").algorithm(slow).build().unwrap();
    window_of(&limit, Classification::SUCCESS).await;
    let before = limit.snapshot().limit();

    let permits = take_all(&limit);
    advance(WINDOW).await;
    drop(permits);
    assert_eq!(limit.snapshot().latency(), WINDOW, "no longer than usual");

    let permits = take_all(&limit);
    advance(Duration::from_secs(2)).await;
    drop(permits);
    assert!(limit.snapshot().limit() < before);
    assert_eq!(limit.snapshot().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lower_limit_holds_while_calls_from_before_go_on() {
    let limit = aimd();
    let permits = take_all(&limit);
    limit.set_limit(4).unwrap();
    assert_eq!(limit.snapshot().in_flight(), 10);
    assert!(limit.try_acquire().is_err());
    drop(permits);
    assert_eq!(take_all(&limit).len(), 4);
    assert!(limit.set_limit(0).is_err());
}

#[tokio::test(start_paused = true)]
async fn reconfiguring_goes_on_from_the_limit_of_now() {
    let limit = aimd();
    window_of(&limit, Classification::SUCCESS).await;
    let held = limit.try_acquire().unwrap();
    let other = AdaptiveLimit::builder("any").algorithm(Vegas::new());
    limit.reconfigure(other).unwrap();
    assert_eq!(limit.snapshot().limit(), 11);
    assert_eq!(limit.snapshot().in_flight(), 1);

    let narrow = AdaptiveLimit::builder("any").algorithm(Gradient2::new().initial(5).max(5));
    limit.reconfigure(narrow).unwrap();
    assert_eq!(limit.snapshot().limit(), 5);
    let wrong = AdaptiveLimit::builder("any").window(Duration::ZERO);
    assert!(matches!(
        limit.reconfigure(wrong),
        Err(InvalidAdaptiveLimit::Window(_))
    ));
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_outlives_its_limit_does_not_reach_the_next() {
    let fixed = || {
        let builder = AdaptiveLimit::builder("x").algorithm(Fixed::new(1));
        builder.build().unwrap()
    };
    let first = fixed();
    let late = first.try_acquire().unwrap();
    drop(first);
    let others: Vec<_> = (0..16).map(|_| fixed()).collect();
    let permits: Vec<_> = others.iter().map(|limit| limit.try_acquire()).collect();
    late.complete(&Classification::SUCCESS);
    assert!(others.iter().all(|limit| limit.try_acquire().is_err()));
    drop(permits);
    assert!(others.iter().all(|limit| limit.try_acquire().is_ok()));
}

/// Blocks in its update until it is told to go on.
#[derive(Debug)]
struct Slow(std::sync::mpsc::Sender<()>, std::sync::mpsc::Receiver<()>);

impl Limit for Slow {
    fn limit(&self) -> u32 {
        50
    }

    fn update(&mut self, _window: &Window) -> u32 {
        self.0.send(()).unwrap();
        self.1.recv().unwrap();
        50
    }

    fn restart(&mut self, _limit: u32) {}
}

#[test]
fn no_call_waits_for_the_update_that_another_makes() {
    let (began, has_begun) = std::sync::mpsc::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel();
    let limit = AdaptiveLimit::builder("x")
        .algorithm(Slow(began, may_go_on))
        .window(Duration::from_millis(10))
        .min_calls(1)
        .build()
        .unwrap();
    let call = || {
        let permit = limit.try_acquire().unwrap();
        permit.complete(&Classification::SUCCESS);
    };
    let updates = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Until it was this thread that made the update.
            while !updates.load(std::sync::atomic::Ordering::Relaxed) {
                call();
            }
        });
        has_begun.recv().unwrap();
        (0..1_000).for_each(|_| call());
        assert_eq!(limit.snapshot().in_flight(), 1, "the one that updates");
        updates.store(true, std::sync::atomic::Ordering::Relaxed);
        go_on.send(()).unwrap();
    });
    assert_eq!(limit.snapshot().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_is_seen_and_scraped() {
    let metrics = Metrics::new();
    let limit = AdaptiveLimit::builder("seen")
        .algorithm(Fixed::new(2))
        .metrics(&metrics)
        .build()
        .unwrap();
    limit
        .try_acquire()
        .unwrap()
        .complete(&Classification::SUCCESS);
    let held = take_all(&limit);
    let text = metrics.render();
    for line in [
        r#"msf_adaptive_calls_total{limit="seen"} 1"#,
        r#"msf_adaptive_in_flight{limit="seen"} 2"#,
        r#"msf_adaptive_limit{limit="seen"} 2"#,
        r#"msf_adaptive_refused_total{limit="seen"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let order = Control::SetLimit(3);
    policies::control(Kind::Adaptive, "seen", order).unwrap();
    assert_eq!(limit.snapshot().limit(), 3);
    drop(held);
}

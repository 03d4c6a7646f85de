//! The handle: windows, signals and what is told to clients.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use msf_core::metrics::Metrics;
use tokio::time::advance;

use crate::{
    adaptive::{AdaptiveLimit, Fixed},
    bulkhead::Bulkhead,
    load_shed::{InvalidLoadShed, LoadShed, Priority, Signal},
    policies,
};

const WINDOW: Duration = Duration::from_millis(250);

/// A load that a test sets.
#[derive(Clone, Default)]
struct Load(Arc<AtomicU64>);

impl Load {
    fn set(&self, load: f64) {
        self.0.store(load.to_bits(), Ordering::Relaxed);
    }

    fn signal(&self) -> impl Signal + use<> {
        let load = self.clone();
        move || f64::from_bits(load.0.load(Ordering::Relaxed))
    }
}

async fn windows(shed: &LoadShed, count: u32) {
    for _ in 0..count {
        advance(WINDOW).await;
        for priority in [Priority::SHEDDABLE, Priority::DEFAULT] {
            let _ = shed.check(priority);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_sheds_from_the_lowest_priority_up_and_comes_back() {
    let load = Load::default();
    let shed = LoadShed::builder("x")
        .signal(load.signal())
        .build()
        .unwrap();
    windows(&shed, 4).await;
    assert_eq!(shed.snapshot().share(), 1.0);

    load.set(1.0);
    windows(&shed, 8).await;
    assert!(shed.check(Priority::SHEDDABLE).is_err());
    assert!(shed.check(Priority::CRITICAL).is_ok());
    windows(&shed, 100).await;
    assert!(shed.check(Priority::CRITICAL).is_ok());
    assert!(shed.snapshot().share() < 0.01);

    load.set(0.0);
    windows(&shed, 60).await;
    assert_eq!(shed.snapshot().share(), 1.0);
    assert!(shed.check(Priority::SHEDDABLE).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_quiet_time_counts_as_many_windows() {
    let load = Load::default();
    let shed = LoadShed::builder("x")
        .signal(load.signal())
        .build()
        .unwrap();
    load.set(10.0);
    windows(&shed, 20).await;
    load.set(0.0);
    advance(WINDOW * 60).await;
    assert!(shed.check(Priority::SHEDDABLE).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_load_below_the_threshold_sheds_nothing() {
    let load = Load::default();
    let builder = LoadShed::builder("x").signal(load.signal());
    let shed = builder.threshold(0.5).build().unwrap();
    load.set(0.49);
    windows(&shed, 20).await;
    assert_eq!(shed.snapshot().share(), 1.0);
    load.set(0.5);
    windows(&shed, 1).await;
    assert!(shed.snapshot().share() < 1.0);
}

#[tokio::test(start_paused = true)]
async fn only_a_queue_that_never_empties_is_overload() {
    let target = Duration::from_millis(5);
    let builder = LoadShed::builder("x").queue_wait(target);
    let shed = builder.build().unwrap();
    for _ in 0..10 {
        for wait in [0, 100, 500] {
            shed.record_wait(Duration::from_millis(wait));
        }
        windows(&shed, 1).await;
    }
    assert_eq!(shed.snapshot().share(), 1.0, "bursts");
    for _ in 0..10 {
        for wait in [6, 100, 500] {
            shed.record_wait(Duration::from_millis(wait));
        }
        windows(&shed, 1).await;
    }
    assert!(shed.snapshot().share() < 0.5, "a standing queue");
    windows(&shed, 60).await;
    assert_eq!(shed.snapshot().share(), 1.0, "nothing waits any more");
}

#[tokio::test(start_paused = true)]
async fn limits_are_signals() {
    let limit = AdaptiveLimit::builder("x").algorithm(Fixed::new(2));
    let limit = limit.build().unwrap();
    let bulkhead = Bulkhead::builder("x").max_concurrent(4).build().unwrap();
    let shed = LoadShed::builder("x")
        .signal(limit.clone())
        .signal(bulkhead.clone())
        .build()
        .unwrap();
    let half = limit.try_acquire().unwrap();
    windows(&shed, 4).await;
    assert_eq!(shed.snapshot().share(), 1.0);
    let full = limit.try_acquire().unwrap();
    windows(&shed, 4).await;
    assert!(shed.snapshot().share() < 0.75);
    assert!((1.1..1.12).contains(&shed.snapshot().load()));
    drop((half, full));
}

#[tokio::test(start_paused = true)]
async fn clients_are_told_different_times() {
    let builder = LoadShed::builder("x").signal(|| 10.0);
    let shed = builder.retry_after(Duration::from_secs(4)).build().unwrap();
    windows(&shed, 20).await;
    let waits: Vec<_> = (0..50)
        .map(|_| shed.check(Priority::SHEDDABLE).unwrap_err().retry_after())
        .collect();
    let range = Duration::from_secs(4)..=Duration::from_secs(8);
    assert!(waits.iter().all(|wait| range.contains(wait)));
    assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn bad_knobs_are_named() {
    let build = || LoadShed::builder("x").signal(|| 0.0);
    let error = |builder: crate::load_shed::LoadShedBuilder| builder.build().unwrap_err();
    assert_eq!(error(LoadShed::builder("x")), InvalidLoadShed::NoSignal);
    assert_eq!(
        error(LoadShed::builder("").signal(|| 0.0)),
        InvalidLoadShed::Name
    );
    assert_eq!(
        error(build().threshold(0.0)),
        InvalidLoadShed::Threshold(0.0)
    );
    assert!(matches!(
        error(build().threshold(f64::NAN)),
        InvalidLoadShed::Threshold(_)
    ));
    let zero = Duration::ZERO;
    assert_eq!(error(build().window(zero)), InvalidLoadShed::Window(zero));
    assert_eq!(
        error(build().queue_wait(zero)),
        InvalidLoadShed::QueueWait(zero)
    );
    assert_eq!(
        error(build().retry_after(zero)),
        InvalidLoadShed::RetryAfter(zero)
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_seen_and_scraped_and_reconfigured() {
    let metrics = Metrics::new();
    let shed = LoadShed::builder("seen")
        .signal(|| 10.0)
        .metrics(&metrics)
        .build()
        .unwrap();
    windows(&shed, 20).await;
    assert!(shed.check(Priority::SHEDDABLE).is_err());
    let text = metrics.render();
    assert!(text.contains(r#"msf_load_shed_calls_total{load_shed="seen"} 41"#));
    assert!(text.contains(r#"msf_load_shed_refused_total{class="sheddable",load_shed="seen"}"#));
    let seen = policies::snapshots();
    let seen = seen
        .iter()
        .find(|policy| policy.name() == "seen" && policy.state() == Some("shedding"));
    assert!(seen.is_some());

    shed.reconfigure(LoadShed::builder("any").signal(|| 0.0))
        .unwrap();
    windows(&shed, 60).await;
    assert_eq!(shed.snapshot().share(), 1.0);
    assert!(shed.reconfigure(LoadShed::builder("any")).is_err());
}

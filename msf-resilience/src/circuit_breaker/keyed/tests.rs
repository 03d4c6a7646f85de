//! Circuits by key: apart from each other, bounded, and never forgotten while they matter.

use std::time::Duration;

use msf_core::{classify::Classification as Seen, metrics::Metrics};
use tokio::time::advance;

use super::{
    super::{InvalidCircuitBreaker, Ramp, State},
    KeyedCircuitBreaker, KeyedCircuitBreakerBuilder,
};

const SECOND: Duration = Duration::from_secs(1);

fn builder() -> KeyedCircuitBreakerBuilder<u32> {
    KeyedCircuitBreaker::builder("hosts").each(|each| each.min_calls(1).ramp(Ramp::none()))
}

fn call(breakers: &KeyedCircuitBreaker<u32>, key: u32, seen: &Seen) {
    breakers.try_acquire(&key).unwrap().complete(seen);
}

#[tokio::test(start_paused = true)]
async fn the_circuit_of_one_key_says_nothing_of_another() {
    let breakers = builder().build().unwrap();
    call(&breakers, 1, &Seen::FAILURE);
    assert_eq!(breakers.breaker(&1).state(), State::Open);
    assert_eq!(breakers.try_acquire(&1).unwrap_err().name(), "hosts[1]");
    call(&breakers, 2, &Seen::SUCCESS);
    assert_eq!(breakers.keys(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_keys_forgets_no_open_circuit() {
    let breakers = builder().max_keys(50).build().unwrap();
    call(&breakers, 0, &Seen::FAILURE);
    breakers.breaker(&1).force_open();
    let held = breakers.breaker(&2);
    for key in 3..10_000 {
        call(&breakers, key, &Seen::SUCCESS);
        assert!(breakers.keys() <= 50);
    }
    assert_eq!(breakers.breaker(&0).state(), State::Open);
    assert_eq!(breakers.breaker(&1).state(), State::ForcedOpen);
    held.force_open();
    assert!(
        breakers.try_acquire(&2).is_err(),
        "the handle is still the key's"
    );
}

#[tokio::test(start_paused = true)]
async fn the_keys_unused_for_the_longest_time_are_forgotten_first() {
    let breakers = builder().max_keys(16).build().unwrap();
    for key in 0..16 {
        call(&breakers, key, &Seen::SUCCESS);
        advance(Duration::from_millis(1)).await;
    }
    call(&breakers, 0, &Seen::SUCCESS);
    call(&breakers, 16, &Seen::SUCCESS);
    assert_eq!(breakers.keys(), 14, "an eighth went, and one came");
    let counted = |key| breakers.breaker(&key).snapshot().succeeded;
    assert_eq!(counted(0), 2);
    assert!((4..17).all(|key| counted(key) == 1));
    assert_eq!(counted(1), 0);
}

#[tokio::test(start_paused = true)]
async fn room_is_looked_for_again_after_a_while() {
    let breakers = builder().max_keys(1).build().unwrap();
    call(&breakers, 1, &Seen::FAILURE);
    call(&breakers, 2, &Seen::SUCCESS);
    let first = breakers.breaker(&1);
    first.force_open();
    first.release();
    drop(first);
    call(&breakers, 2, &Seen::SUCCESS);
    advance(Duration::from_millis(100)).await;
    call(&breakers, 2, &Seen::SUCCESS);
    assert_eq!(breakers.breaker(&2).name(), "hosts[2]");
}

/// Asks the breaker for another key whenever something is logged.
struct Curious(KeyedCircuitBreaker<u32>);

impl tracing::Subscriber for Curious {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        assert_eq!(self.0.keys(), 1);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_change_of_state_is_told_outside_of_the_lock_of_the_keys() {
    let breakers = builder().build().unwrap();
    call(&breakers, 1, &Seen::FAILURE);
    advance(5 * SECOND).await;
    tracing::subscriber::with_default(Curious(breakers.clone()), || {
        // Half-open: it would never return.
        call(&breakers, 1, &Seen::SUCCESS);
    });
}

#[tokio::test(start_paused = true)]
async fn keys_without_room_share_a_circuit() {
    let breakers = builder().max_keys(3).build().unwrap();
    for key in 0..3 {
        call(&breakers, key, &Seen::FAILURE);
    }
    call(&breakers, 3, &Seen::FAILURE);
    assert_eq!(breakers.try_acquire(&4).unwrap_err().name(), "hosts[..]");
    assert_eq!(breakers.keys(), 3);
}

#[tokio::test(start_paused = true)]
async fn idle_keys_are_forgotten_and_open_ones_are_not() {
    let breakers = builder().idle_after(60 * SECOND).build().unwrap();
    call(&breakers, 1, &Seen::FAILURE);
    call(&breakers, 2, &Seen::SUCCESS);
    advance(30 * SECOND).await;
    call(&breakers, 3, &Seen::SUCCESS);
    advance(30 * SECOND).await;
    assert_eq!(breakers.keys(), 2);
    assert_eq!(breakers.breaker(&1).state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn all_keys_count_in_one_set_of_series() {
    let metrics = Metrics::new();
    let breakers = builder().metrics(&metrics).max_keys(2).build().unwrap();
    for key in 0..2 {
        call(&breakers, key, &Seen::FAILURE);
    }
    call(&breakers, 7, &Seen::SUCCESS);
    let text = metrics.render();
    for line in [
        r#"msf_breaker_calls_total{breaker="hosts",outcome="failure"} 2"#,
        r#"msf_breaker_calls_total{breaker="hosts",outcome="success"} 1"#,
        r#"msf_breaker_keys{breaker="hosts",state="open"} 2"#,
        r#"msf_breaker_transitions_total{breaker="hosts",from="closed",to="open"} 2"#,
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_reaches_present_and_future_keys() {
    let breakers = builder().build().unwrap();
    call(&breakers, 1, &Seen::SUCCESS);
    let changed = super::super::CircuitBreaker::builder("hosts").min_calls(3);
    breakers.reconfigure(changed).unwrap();
    for key in [1, 2] {
        call(&breakers, key, &Seen::FAILURE);
        assert_eq!(breakers.breaker(&key).state(), State::Closed);
    }
}

#[test]
fn bounds_that_cannot_work_are_refused() {
    let none = builder().max_keys(0).build();
    assert_eq!(none.unwrap_err(), InvalidCircuitBreaker::MaxKeys(0));
    let short = builder().idle_after(Duration::ZERO).build();
    assert_eq!(
        short.unwrap_err(),
        InvalidCircuitBreaker::IdleAfter(Duration::ZERO)
    );
    let unnamed = KeyedCircuitBreaker::<u8>::builder("").build();
    assert_eq!(unnamed.unwrap_err(), InvalidCircuitBreaker::Name);
}

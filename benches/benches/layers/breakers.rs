//! Circuit breakers whose circuit is closed, with the same rule: half the calls of a window, or five in a row.

use std::{
    future::{Ready, ready},
    hint::black_box,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use circuitbreaker_rs::{
    BreakerBuilder, BreakerError, CircuitBreaker as CircuitBreakerRs, DefaultPolicy,
};
use failsafe::{
    Any, Config, Error, FailurePolicy, StateMachine, backoff,
    failure_policy::{consecutive_failures, success_rate_over_time_window},
    futures::{CircuitBreaker as _, ResponseFuture},
};
use layered::{Execute, Service as _, Stack};
use msf_core::{BoxError, classify::Classification, metrics::Metrics};
use msf_resilience::circuit_breaker::{CircuitBreaker, CircuitBreakerLayer, Trip};
use recloser::{AnyError, AsyncRecloser, Recloser, RecloserFuture};
use seatbelt::{
    RecoveryInfo, ResilienceContext,
    breaker::{Breaker, BreakerLayer},
    typestates::Set,
};
use tick::Clock;
use tower::{Layer, Service};
use tower_resilience::circuitbreaker::{CircuitBreakerLayer as TowerResilience, SlidingWindowType};

use crate::{
    Bare, SECOND,
    calls::{Answers, Failed, finish, missed},
    service,
    table::Table,
};

const WINDOW: Duration = Duration::from_secs(10);
const CALLS: u32 = 100;
const IN_A_ROW: u32 = 5;

pub(crate) fn rows(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    time_window(table, bare)?;
    count_window(table, bare)?;
    consecutive(table, bare)
}

fn time_window(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    table.heading("circuit breaker, half of the calls of 10 s");
    let breaker = CircuitBreaker::builder("time").window(WINDOW).build()?;
    let layer = CircuitBreakerLayer::new(breaker.clone()).classify(judge);
    service(table, bare.at_once, "msf", layer.layer(Answers)).target(15.0, 30.0);
    table.operation("msf, the handle alone", None, move || {
        match breaker.try_acquire() {
            Ok(permit) => permit.complete(black_box(&Classification::SUCCESS)),
            Err(_) => missed(),
        }
    });
    let trip = Trip::rate(0.5).or(Trip::slow(0.5, SECOND));
    let slow = CircuitBreaker::builder("slow")
        .trip(trip)
        .window(WINDOW)
        .build()?;
    let layer = CircuitBreakerLayer::new(slow).classify(judge);
    service(
        table,
        bare.at_once,
        "msf, slow calls too",
        layer.layer(Answers),
    );
    let counted = CircuitBreaker::builder("counted")
        .window(WINDOW)
        .metrics(&Metrics::new())
        .build()?;
    let layer = CircuitBreakerLayer::new(counted).classify(judge);
    service(
        table,
        bare.at_once,
        "msf, with metrics",
        layer.layer(Answers),
    );
    service(
        table,
        bare.at_once,
        "seatbelt, tower",
        seatbelt_layer().layer(Answers),
    );
    let layered = Arc::new((seatbelt_layer(), Execute::new(answer)).into_service());
    table.operation("seatbelt, layered", None, move || {
        if !matches!(finish(layered.execute(black_box(7))), Some(Ok(7))) {
            missed();
        }
    });
    let layer = TowerResilience::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_type(SlidingWindowType::TimeBased)
        .sliding_window_duration(WINDOW)
        .sliding_window_size(CALLS as usize)
        .minimum_number_of_calls(CALLS as usize)
        .build()?;
    // It keeps a record of every call of the window and looks at all of them in each call. With this bound, a thousand
    // or two are there when the table is made.
    service(
        table,
        bare.at_once,
        "tower-resilience, few calls in the window",
        layer.layer(Answers),
    )
    .at_most(10);
    let policy = success_rate_over_time_window(0.5, CALLS, WINDOW, backoff::constant(SECOND));
    service(table, bare.at_once, "failsafe", Failsafe::new(policy));
    Ok(())
}

fn count_window(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    table.heading("circuit breaker, half of the last 100 calls");
    let breaker = CircuitBreaker::builder("calls")
        .window_calls(CALLS)
        .build()?;
    let layer = CircuitBreakerLayer::new(breaker).classify(judge);
    service(table, bare.at_once, "msf", layer.layer(Answers));
    let layer = TowerResilience::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_type(SlidingWindowType::CountBased)
        .sliding_window_size(CALLS as usize)
        .minimum_number_of_calls(CALLS as usize)
        .build()?;
    service(
        table,
        bare.at_once,
        "tower-resilience (of all calls)",
        layer.layer(Answers),
    );
    let breaker = Recloser::custom()
        .error_rate(0.5)
        .closed_len(CALLS as usize)
        .build()
        .into();
    service(table, bare.at_once, "recloser", Reclosed(Answers, breaker));
    let breaker = BreakerBuilder::<DefaultPolicy, Failed>::new()
        .failure_threshold(0.5)
        .min_throughput(CALLS.into())
        .build();
    service(
        table,
        bare.at_once,
        "circuitbreaker-rs (of all calls)",
        Synchronous(breaker),
    );
    Ok(())
}

fn consecutive(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    table.heading("circuit breaker, five failures in a row");
    let breaker = CircuitBreaker::builder("row")
        .trip(Trip::consecutive(IN_A_ROW))
        .build()?;
    let layer = CircuitBreakerLayer::new(breaker).classify(judge);
    service(table, bare.at_once, "msf", layer.layer(Answers)).target(5.0, 10.0);
    let layer = TowerResilience::builder()
        .consecutive_failures(IN_A_ROW as usize)
        .build()?;
    service(
        table,
        bare.at_once,
        "tower-resilience",
        layer.layer(Answers),
    );
    let policy = consecutive_failures(IN_A_ROW, backoff::constant(SECOND));
    service(table, bare.at_once, "failsafe", Failsafe::new(policy));
    Ok(())
}

pub(crate) fn judge(outcome: Result<&u64, &Failed>) -> Classification {
    match outcome {
        Ok(_) => Classification::SUCCESS,
        Err(_) => Classification::FAILURE,
    }
}

async fn answer(request: u64) -> Result<u64, Failed> {
    black_box(Ok(request))
}

fn seatbelt_layer() -> BreakerLayer<u64, Result<u64, Failed>, Set, Set> {
    let context = ResilienceContext::new(Clock::new_tokio());
    Breaker::layer("breaker", &context)
        .recovery_with(|outcome: &Result<u64, Failed>, _| match outcome {
            Ok(_) => RecoveryInfo::never(),
            Err(_) => RecoveryInfo::retry(),
        })
        .rejected_input_error(|_, _| Failed)
        .failure_threshold(0.5)
        .min_throughput(CALLS)
        .sampling_duration(WINDOW)
}

/// failsafe has no layer; this is the least that makes it one.
struct Failsafe<P> {
    inner: Answers,
    breaker: StateMachine<P, ()>,
}

impl<P: FailurePolicy> Failsafe<P> {
    fn new(policy: P) -> Self {
        Self {
            inner: Answers,
            breaker: Config::new().failure_policy(policy).build(),
        }
    }
}

impl<P> Clone for Failsafe<P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner,
            breaker: self.breaker.clone(),
        }
    }
}

impl<P: FailurePolicy + Send + Sync> Service<u64> for Failsafe<P> {
    type Response = u64;
    type Error = Error<Failed>;
    type Future = ResponseFuture<Ready<Result<u64, Failed>>, P, (), Any>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        self.breaker.call(self.inner.call(request))
    }
}

/// The same for recloser.
#[derive(Clone)]
struct Reclosed(Answers, AsyncRecloser);

impl Service<u64> for Reclosed {
    type Response = u64;
    type Error = recloser::Error<Failed>;
    type Future = RecloserFuture<Ready<Result<u64, Failed>>, AnyError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        self.1.call(self.0.call(request))
    }
}

/// The same for circuitbreaker-rs, by its call that is not asynchronous.
struct Synchronous(CircuitBreakerRs<DefaultPolicy, Failed>);

impl Clone for Synchronous {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Service<u64> for Synchronous {
    type Response = u64;
    type Error = BreakerError<Failed>;
    type Future = Ready<Result<u64, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(self.0.call(|| black_box(Ok(request))))
    }
}

//! `msf_core::health` from the outside: readiness, shared runs and what probes are told.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use msf_core::{
    BoxError,
    health::{AddCheckError, Check, CheckError, Health, HealthCheck, MAX_CHECKS, Outcome, Status},
    testing::LogCapture,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, advance, sleep},
};
use tokio_test::{assert_pending, assert_ready, task};

const SECOND: Duration = Duration::from_secs(1);

// ===== readiness =====

#[tokio::test(start_paused = true)]
async fn readiness_follows_the_life_of_the_service() {
    let health = Health::new("orders");
    assert_eq!(status(&health, "/readyz").await, 503);
    health.set_ready();
    assert_eq!(status(&health, "/readyz").await, 200);
    health.set_draining();
    assert_eq!(status(&health, "/readyz").await, 503);
    health.set_ready();
    assert_eq!(health.status(), Status::Draining);
}

#[tokio::test(start_paused = true)]
async fn a_hard_failure_is_not_ready_and_a_soft_one_warns() {
    let health = ready();
    health.add(Check::new("cache", fails).soft()).unwrap();
    let report = health.report().await;
    assert_eq!((report.outcome, report.is_ready()), (Outcome::Warn, true));
    assert_eq!(status(&health, "/readyz").await, 200);

    health.add(Check::new("db", fails)).unwrap();
    let report = health.report().await;
    assert_eq!((report.outcome, report.is_ready()), (Outcome::Fail, false));
    assert_eq!(status(&health, "/readyz").await, 503);
}

#[tokio::test(start_paused = true)]
async fn draining_beats_passing_and_asks_nothing() {
    let health = ready();
    let probed = Probed::new();
    health.add(probed.check("db")).unwrap();
    health.set_draining();
    assert_eq!(status(&health, "/readyz").await, 503);
    assert_eq!(probed.runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn draining_during_a_run_beats_its_result() {
    let health = ready();
    let probed = Probed::gated();
    health.add(probed.check("db")).unwrap();
    let mut report = task::spawn(health.report());
    assert_pending!(report.poll());
    health.set_draining();
    probed.release();
    assert_eq!(assert_ready!(report.poll()).outcome, Outcome::Fail);
}

#[tokio::test(start_paused = true)]
async fn liveness_never_asks_a_check() {
    let health = Health::new("orders");
    let probed = Probed::new();
    health.add(probed.check("db")).unwrap();
    health.set_draining();
    assert_eq!(status(&health, "/livez").await, 200);
    assert_eq!(probed.runs(), 0);
}

#[test]
fn bad_duplicate_and_too_many_checks_are_refused() {
    let health = Health::new("orders");
    let long = "x".repeat(65);
    for name in ["", "a b", "a\nb", "dé", &long] {
        let refused = health.add(Check::new(name, passes)).unwrap_err();
        assert!(
            matches!(refused, AddCheckError::InvalidName { .. }),
            "{name}"
        );
    }
    for index in 0..MAX_CHECKS {
        health
            .add(Check::new(format!("check-{index}"), passes))
            .unwrap();
    }
    let refused = health.add(Check::new("check-0", passes)).unwrap_err();
    assert!(matches!(refused, AddCheckError::Duplicate { .. }));
    let refused = health.add(Check::new("more", passes)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "check `more` is one more than 64 allow"
    );
}

// ===== runs =====

#[tokio::test(start_paused = true)]
async fn a_slow_check_fails_after_its_timeout() {
    let health = ready();
    let slow = Check::new("db", || async {
        sleep(Duration::from_secs(60)).await;
        Ok::<(), BoxError>(())
    });
    health
        .add(slow.timeout(Duration::from_millis(300)))
        .unwrap();
    let started = Instant::now();
    let report = health.report().await;
    assert_eq!(started.elapsed(), Duration::from_millis(300));
    assert_eq!(
        report.checks[0].failure.as_deref(),
        Some("timed out after 300ms")
    );
}

#[tokio::test(start_paused = true)]
async fn checks_run_at_the_same_time() {
    let health = ready();
    for name in ["a", "b", "c"] {
        let slow = || async {
            sleep(Duration::from_millis(500)).await;
            Ok::<(), BoxError>(())
        };
        health.add(Check::new(name, slow)).unwrap();
    }
    let started = Instant::now();
    assert!(health.report().await.is_ready());
    assert_eq!(started.elapsed(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_result_holds_for_its_cache_time() {
    let health = ready();
    let probed = Probed::new();
    health.add(probed.check("db")).unwrap();
    health.report().await;
    advance(Duration::from_millis(999)).await;
    health.report().await;
    assert_eq!(probed.runs(), 1);
    advance(Duration::from_millis(1)).await;
    health.report().await;
    assert_eq!(probed.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_cache_every_probe_asks() {
    let health = ready();
    let probed = Probed::new();
    health
        .add(probed.check("db").cache(Duration::ZERO))
        .unwrap();
    health.report().await;
    health.report().await;
    assert_eq!(probed.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_probes_share_one_run() {
    let health = ready();
    let probed = Probed::gated();
    // Even without a cache: the run ended after both had asked.
    health
        .add(probed.check("db").cache(Duration::ZERO))
        .unwrap();
    let mut first = task::spawn(health.report());
    let mut second = task::spawn(health.report());
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    probed.release();
    assert!(first.is_woken());
    assert!(assert_ready!(first.poll()).is_ready());
    assert!(second.is_woken());
    assert!(assert_ready!(second.poll()).is_ready());
    assert_eq!(probed.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_probe_goes_on_with_the_run_of_a_dropped_one() {
    let health = ready();
    let probed = Probed::gated();
    health.add(probed.check("db")).unwrap();
    let mut first = task::spawn(health.report());
    let mut second = task::spawn(health.report());
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    drop(first);
    assert!(second.is_woken());
    assert_pending!(second.poll());
    assert_eq!((probed.runs(), probed.dropped()), (1, 0));

    probed.release();
    assert!(second.is_woken());
    assert!(assert_ready!(second.poll()).is_ready());
    assert_eq!(probed.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_waits_for_is_dropped_and_its_slot_is_free() {
    let health = ready();
    let probed = Probed::gated();
    health.add(probed.check("db")).unwrap();
    let mut first = task::spawn(health.report());
    let mut waiting = task::spawn(health.report());
    assert_pending!(first.poll());
    assert_pending!(waiting.poll());
    drop(waiting);
    assert_eq!(probed.dropped(), 0);
    drop(first);
    assert_eq!((probed.runs(), probed.dropped()), (1, 1));

    probed.release();
    assert!(health.report().await.is_ready());
    assert_eq!(probed.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_check_fails_and_the_others_are_heard() {
    let health = ready();
    let early = || -> std::future::Ready<Result<(), BoxError>> { panic!("on purpose") };
    let late = || async {
        tokio::task::yield_now().await;
        if true {
            panic!("on purpose");
        }
        Ok::<(), BoxError>(())
    };
    health.add(Check::new("early", early)).unwrap();
    health.add(Check::new("late", late)).unwrap();
    health.add(Check::new("sound", passes)).unwrap();
    let report = health.report().await;
    let failures: Vec<_> = report
        .checks
        .iter()
        .map(|check| check.failure.as_deref())
        .collect();
    assert_eq!(
        failures,
        [Some("check panicked"), Some("check panicked"), None]
    );
    advance(SECOND).await;
    assert!(!health.report().await.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_trait_object_is_a_check_and_recovers() {
    struct Flips(AtomicUsize);

    #[async_trait]
    impl HealthCheck for Flips {
        async fn check(&self) -> Result<(), CheckError> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(CheckError::new("warming up")),
                _ => Ok(()),
            }
        }
    }

    let health = ready();
    health
        .add(Check::new("flips", Flips(AtomicUsize::new(0))))
        .unwrap();
    assert!(!health.report().await.is_ready());
    advance(SECOND).await;
    assert!(health.report().await.is_ready());
}

#[tokio::test(start_paused = true)]
async fn the_cause_is_logged_when_the_result_changes_and_not_per_probe() {
    let log = LogCapture::start();
    let health = Health::new("orders");
    let working = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&working);
    let check = move || {
        let works = asked.load(Ordering::Relaxed);
        std::future::ready(if works {
            Ok(())
        } else {
            Err("10.0.0.7 refused")
        })
    };
    health.add(Check::new("db", check)).unwrap();
    for works in [false, false, true, true] {
        working.store(works, Ordering::Relaxed);
        health.report().await;
        advance(SECOND).await;
    }
    let events = log.events();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[0].level, tracing::Level::WARN);
    assert_eq!(
        events[0].field("error"),
        Some("check failed: 10.0.0.7 refused")
    );
    assert_eq!(events[1].message, "health check passes again");
}

// ===== responses =====

#[tokio::test(start_paused = true)]
async fn other_paths_are_left_to_others() {
    let health = ready();
    for path in ["/", "/readyz/", "/live", "/healthzz"] {
        assert!(health.respond(&Method::GET, path, None).is_none(), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_json_has_the_shape_of_the_draft_and_no_secrets() {
    let health = Health::builder("orders")
        .version("1")
        .release_id("1.4.2")
        .description("takes orders")
        .build();
    health.set_ready();
    let leaky = || async { Err(io::Error::other("password of 10.0.0.7 refused")) };
    health
        .add(Check::new("db", leaky).component_type("datastore"))
        .unwrap();
    let told = || async { Err(CheckError::new("cold").caused_by("10.0.0.8 said no")) };
    health.add(Check::new("cache", told).soft()).unwrap();
    let slow = || async {
        sleep(Duration::from_micros(12_500)).await;
        Ok::<(), BoxError>(())
    };
    health.add(Check::new("queue", slow)).unwrap();

    let response = probe(&health, Method::GET, "/health", Some("verbose")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        response.headers()["content-type"],
        "application/health+json"
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
    let mut json: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    for check in ["db", "cache", "queue"] {
        let time = json["checks"][check][0]["time"].take();
        assert!(
            humantime::parse_rfc3339(time.as_str().unwrap()).is_ok(),
            "{time}"
        );
    }
    // Timers of tokio are rounded up to the next millisecond.
    let expected = serde_json::json!({
        "status": "fail",
        "version": "1",
        "releaseId": "1.4.2",
        "serviceId": "orders",
        "description": "takes orders",
        "checks": {
            "db": [{
                "status": "fail", "componentType": "datastore",
                "observedValue": 0.0, "observedUnit": "ms", "time": null, "output": "check failed",
            }],
            "cache": [{
                "status": "warn",
                "observedValue": 0.0, "observedUnit": "ms", "time": null, "output": "cold",
            }],
            "queue": [{
                "status": "pass",
                "observedValue": 13.0, "observedUnit": "ms", "time": null,
            }],
        },
    });
    assert_eq!(json, expected);
}

#[tokio::test(start_paused = true)]
async fn a_starting_service_says_so() {
    let health = Health::new("orders");
    let response = probe(&health, Method::GET, "/readyz", None).await;
    assert_eq!(
        response.body(),
        r#"{"status":"fail","serviceId":"orders","output":"starting"}"#
    );
}

#[tokio::test(start_paused = true)]
async fn verbose_is_text_for_people() {
    let health = Health::new("orders");
    health.add(Check::new("db", passes)).unwrap();
    health.add(Check::new("cache", fails).soft()).unwrap();
    health.add(Check::new("bus", fails)).unwrap();
    let response = probe(&health, Method::GET, "/healthz", Some("a=1&verbose=true")).await;
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    assert_eq!(
        response.body(),
        "[-]serving failed: starting\n[+]db ok\n[!]cache failed (soft): check failed\n\
         [-]bus failed: check failed\nhealthz check failed\n"
    );
    let response = probe(&health, Method::GET, "/livez", Some("verbose")).await;
    assert_eq!(response.body(), "[+]ping ok\nlivez check passed\n");
}

#[tokio::test(start_paused = true)]
async fn head_answers_like_get_without_a_body() {
    let health = ready();
    let get = probe(&health, Method::GET, "/readyz", None).await;
    let head = probe(&health, Method::HEAD, "/readyz", None).await;
    assert!(head.body().is_empty());
    assert_eq!(head.status(), get.status());
    assert_eq!(head.headers(), get.headers());
    assert_eq!(
        head.headers()["content-length"],
        get.body().len().to_string()
    );
}

#[tokio::test(start_paused = true)]
async fn other_methods_are_not_allowed() {
    let response = probe(&ready(), Method::POST, "/readyz", None).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET, HEAD");
}

// ===== fixtures =====

fn ready() -> Health {
    let health = Health::new("orders");
    health.set_ready();
    health
}

async fn passes() -> Result<(), BoxError> {
    Ok(())
}

async fn fails() -> Result<(), BoxError> {
    Err("10.0.0.7 refused".into())
}

async fn status(health: &Health, path: &str) -> u16 {
    probe(health, Method::GET, path, None)
        .await
        .status()
        .as_u16()
}

async fn probe(
    health: &Health,
    method: Method,
    path: &str,
    query: Option<&str>,
) -> Response<Bytes> {
    health.respond(&method, path, query).unwrap().await
}

/// A check that counts its runs and those that were dropped unfinished, and may wait for a release.
struct Probed {
    runs: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Probed {
    fn new() -> Self {
        let probed = Self::gated();
        probed.release();
        probed
    }

    fn gated() -> Self {
        Self {
            runs: Arc::default(),
            dropped: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    fn check(&self, name: &'static str) -> Check {
        let (runs, dropped) = (Arc::clone(&self.runs), Arc::clone(&self.dropped));
        let gate = Arc::clone(&self.gate);
        Check::new(name, move || {
            runs.fetch_add(1, Ordering::Relaxed);
            let (unfinished, gate) = (Unfinished(Arc::clone(&dropped)), Arc::clone(&gate));
            async move {
                let _permit = gate.acquire().await?;
                unfinished.finish();
                Ok::<(), BoxError>(())
            }
        })
    }

    fn release(&self) {
        self.gate.add_permits(1);
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Counts its drop as that of a run that was cut off.
struct Unfinished(Arc<AtomicUsize>);

impl Unfinished {
    fn finish(mut self) {
        self.0 = Arc::default();
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

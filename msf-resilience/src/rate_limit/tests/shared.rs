//! Limits in a store.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use msf_core::{
    metrics::Metrics,
    problem::{Code, Problem},
};

use super::super::{
    Quota, Refused,
    shared::{SharedError, SharedRateLimiter},
    store::{Demand, LimitStore, MemoryStore, StoreError, Verdict},
    vectors,
};

#[tokio::test(start_paused = true)]
async fn the_memory_store_answers_every_vector() {
    vectors::run(&MemoryStore::new(1_000), "test", Duration::ZERO).await;
}

#[test]
fn every_vector_leaves_time_to_a_store_whose_clock_runs() {
    let steps = vectors::CASES.iter().flat_map(|case| case.steps);
    for step in steps {
        if let vectors::Action::Limited { retry_ms, .. } = step.action {
            assert!(retry_ms > 3 * vectors::SLACK_MS, "{step:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_processes_share_a_limit_through_one_store() {
    let store: Arc<dyn LimitStore> = Arc::new(MemoryStore::new(100));
    let limiter = || {
        SharedRateLimiter::builder_in(Arc::clone(&store), Quota::per_hour(2))
            .name("api")
            .build()
            .unwrap()
    };
    let (one, other) = (limiter(), limiter());
    assert_eq!(one.check("ada").await.unwrap().remaining(), 1);
    assert_eq!(other.check("ada").await.unwrap().remaining(), 0);
    let error = one.check("ada").await.unwrap_err();
    let SharedError::Refused(Refused::Limited(limited)) = error else {
        panic!("{error:?}")
    };
    assert_eq!(limited.retry_after(), Duration::from_secs(1_800));
    one.refund("ada", 1).await.unwrap();
    assert_eq!(other.peek("ada").await.unwrap().remaining(), 1);
    let error = one.check_n("ada", 3).await.unwrap_err();
    assert!(matches!(error, SharedError::Refused(Refused::TooCostly(_))));
}

#[tokio::test(start_paused = true)]
async fn a_full_store_forgets_idle_keys_first() {
    let store = MemoryStore::new(4);
    let hour = |key| Demand::new(key, Quota::per_hour(1), 1);
    let second = |key| Demand::new(key, Quota::per_second(1), 1);
    for key in ["a", "b", "c"] {
        assert!(store.decide(&[second(key)]).await.unwrap().allowed);
    }
    assert!(store.decide(&[hour("d")]).await.unwrap().allowed);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(store.decide(&[hour("e")]).await.unwrap().allowed);
    assert_eq!(store.keys(), 2);
    assert!(!store.decide(&[hour("d")]).await.unwrap().allowed);
}

/// A store that answers as it is told.
#[derive(Debug)]
struct Told(Option<Verdict>);

#[async_trait]
impl LimitStore for Told {
    async fn decide(&self, _demands: &[Demand<'_>]) -> Result<Verdict, StoreError> {
        let timeout = StoreError::Timeout(Duration::from_millis(20));
        self.0.clone().ok_or(timeout)
    }

    async fn refund(&self, _demands: &[Demand<'_>]) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_decide_is_told_apart_from_a_refusal() {
    let metrics = Metrics::new();
    let limiter = SharedRateLimiter::builder(Told(None), Quota::per_hour(1)).metrics(&metrics);
    let error = limiter.build().unwrap().check("ada").await.unwrap_err();
    assert!(matches!(error, SharedError::Store(StoreError::Timeout(_))));
    assert_eq!(Problem::from(error).code(), Code::Unavailable);
    let line = r#"msf_ratelimit_store_failures_total{policy="default"} 1"#;
    assert!(metrics.render().contains(line));
}

#[tokio::test(start_paused = true)]
async fn nonsense_of_a_store_is_an_error_and_not_a_panic() {
    for ahead in [vec![], vec![Duration::ZERO; 5]] {
        let store = Told(Some(Verdict::new(true, ahead)));
        let limiter = SharedRateLimiter::builder(store, Quota::per_hour(1))
            .build()
            .unwrap();
        let error = limiter.check("ada").await.unwrap_err();
        assert!(matches!(error, SharedError::Store(StoreError::Nonsense(_))));
    }
    let store = Told(Some(Verdict::new(false, vec![Duration::MAX])));
    let limiter = SharedRateLimiter::builder(store, Quota::per_hour(1))
        .build()
        .unwrap();
    let error = limiter.check("ada").await.unwrap_err();
    let SharedError::Refused(Refused::Limited(limited)) = error else {
        panic!("{error:?}")
    };
    assert_eq!(limited.retry_after(), Duration::from_secs(3_600));
}

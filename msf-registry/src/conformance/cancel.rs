//! What holds when a call is dropped before its end.

use std::{future::poll_fn, pin::pin, task::Poll};

use super::{
    stage::Stage,
    suite::{Suite, callable},
    values::{ids, instance, payment, payments},
};
use crate::{
    backend::{Discovery, ServiceRegistry},
    model::Renewal,
};

pub(super) async fn a_question_dropped_at_any_await_loses_nothing<S: Stage>(
    stage: &S,
    suite: &Suite,
) {
    let (backend, payment) = (stage.backend(), payment());
    let cursor = backend.fetch(&payment).await.unwrap().cursor();
    for polls in 1..QUESTION_POLLS {
        let _fetched = dropped_after(polls, backend.fetch(&payment)).await;
        let hang = dropped_after(polls, backend.next(&payment, cursor));
        let _hung = tokio::time::timeout(suite.grace, hang).await;
    }
    stage.list(&payment, &payments(1)).await;
    let listed = suite.until(backend, &payment, cursor, 1).await;
    assert_eq!(callable(&listed).count(), 1);
}

pub(super) async fn a_put_dropped_at_any_await_leaves_a_whole_registry<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let instance = instance("payment", "p-1", 81);
    for polls in 1..POLLS {
        let _dropped = dropped_after(polls, backend.put(&instance, suite.long)).await;
        // What is under way to the registry may still arrive, but not after the next one.
        tokio::time::sleep(suite.grace / 4).await;
        let between = backend.fetch(&payment()).await.unwrap();
        assert!(
            callable(&between).all(|member| *member.instance == instance),
            "half an instance after {polls} polls"
        );
        let lease = backend.put(&instance, suite.long).await.unwrap();
        let renewed = backend.renew(&lease).await.unwrap();
        assert_eq!(
            renewed,
            Renewal::Renewed { ttl: suite.long },
            "a put that was dropped after {polls} polls ends the one after it"
        );
        let listed = backend.fetch(&payment()).await.unwrap();
        assert_eq!(ids(&listed), ["p-1"], "listed twice after {polls} polls");
        backend.remove(&lease).await.unwrap();
        let left = backend.fetch(&payment()).await.unwrap();
        assert!(
            left.instances().is_empty(),
            "a put that was dropped after {polls} polls outlives the one after it"
        );
    }
}

pub(super) async fn a_renewal_dropped_at_any_await_keeps_the_lease<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let instance = instance("payment", "p-1", 81);
    let lease = backend.put(&instance, suite.long).await.unwrap();
    for polls in 1..POLLS {
        let _dropped = dropped_after(polls, backend.renew(&lease)).await;
        let renewed = backend.renew(&lease).await.unwrap();
        assert_eq!(
            renewed,
            Renewal::Renewed { ttl: suite.long },
            "lost by a renewal that was dropped after {polls} polls"
        );
    }
}

pub(super) async fn a_removal_dropped_at_any_await_can_be_repeated<B: ServiceRegistry>(
    backend: &B,
    suite: &Suite,
) {
    let instance = instance("payment", "p-1", 81);
    for polls in 1..POLLS {
        let lease = backend.put(&instance, suite.long).await.unwrap();
        let _dropped = dropped_after(polls, backend.remove(&lease)).await;
        backend.remove(&lease).await.unwrap();
        let left = backend.fetch(&payment()).await.unwrap();
        assert!(left.instances().is_empty(), "listed after {polls} polls");
    }
}

/// Polls a call so many times at most, then drops it at the await where it hangs.
async fn dropped_after<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|cx| {
        left -= 1;
        match call.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// More than a call of any backend here is polled until it ends.
const POLLS: usize = 12;
/// A question hangs after a few polls.
const QUESTION_POLLS: usize = 6;

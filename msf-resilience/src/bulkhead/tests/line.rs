//! Waiting: order, time, and who leaves.

use std::{pin::pin, task::Poll, time::Duration};

use msf_core::clock;
use tokio::{task::JoinSet, time::advance};

use super::{bulkhead, poll_once, take, waiting};
use crate::bulkhead::Cause;

#[tokio::test(start_paused = true)]
async fn who_waits_first_is_served_first_and_nobody_goes_past() {
    let bulkhead = waiting(1, 4);
    let permit = take(&bulkhead);
    let mut first = pin!(bulkhead.acquire());
    let mut second = pin!(bulkhead.acquire());
    assert!(poll_once(first.as_mut()).await.is_pending());
    assert!(poll_once(second.as_mut()).await.is_pending());
    assert_eq!(bulkhead.snapshot().queued(), 2);

    drop(permit);
    assert!(bulkhead.try_acquire().is_err(), "it is the first one's");
    assert!(poll_once(second.as_mut()).await.is_pending());
    let Poll::Ready(Ok(permit)) = poll_once(first.as_mut()).await else {
        panic!("the first one was not served")
    };
    assert!(poll_once(second.as_mut()).await.is_pending());
    drop(permit);
    assert!(poll_once(second.as_mut()).await.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_its_time_is_over() {
    let bulkhead = waiting(1, 4);
    let permit = take(&bulkhead);
    let start = clock::now();
    let refused = bulkhead.acquire().await.unwrap_err();
    assert_eq!(refused.cause(), Cause::WaitedTooLong);
    assert_eq!(start.elapsed(), Duration::from_millis(100));
    assert_eq!(bulkhead.snapshot().queued(), 0);
    drop(permit);
    assert!(bulkhead.acquire().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_comes_with_the_end_of_the_time_is_taken() {
    let bulkhead = waiting(1, 4);
    let permit = take(&bulkhead);
    let mut waiter = pin!(bulkhead.acquire());
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    advance(Duration::from_millis(100)).await;
    drop(permit);
    assert!(matches!(
        poll_once(waiter.as_mut()).await,
        Poll::Ready(Ok(_))
    ));
    assert_eq!(bulkhead.snapshot().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_line_refuses_at_once() {
    let bulkhead = waiting(1, 1);
    let permit = take(&bulkhead);
    let mut waiter = pin!(bulkhead.acquire());
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    let refused = bulkhead.acquire().await.unwrap_err();
    assert_eq!(refused.cause(), Cause::QueueFull);
    drop(permit);
    assert!(poll_once(waiter.as_mut()).await.is_ready());
}

#[tokio::test(start_paused = true)]
async fn without_a_waiting_time_nobody_waits() {
    let bulkhead = bulkhead(1);
    let _permit = take(&bulkhead);
    let refused = bulkhead.acquire().await.unwrap_err();
    assert_eq!(refused.cause(), Cause::Full);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_dropped_loses_nothing() {
    let bulkhead = waiting(1, 4);
    let permit = take(&bulkhead);
    {
        let mut gone = pin!(bulkhead.acquire());
        assert!(poll_once(gone.as_mut()).await.is_pending());
    }
    assert_eq!(bulkhead.snapshot().queued(), 0);
    drop(permit);
    assert!(bulkhead.try_acquire().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_permit_handed_to_a_waiter_that_is_dropped_goes_to_the_next() {
    let bulkhead = waiting(1, 4);
    let permit = take(&bulkhead);
    let mut next = pin!(bulkhead.acquire());
    {
        let mut gone = pin!(bulkhead.acquire());
        assert!(poll_once(gone.as_mut()).await.is_pending());
        assert!(poll_once(next.as_mut()).await.is_pending());
        drop(permit);
        // `gone` has the permit now and does not know it yet.
    }
    let Poll::Ready(Ok(permit)) = poll_once(next.as_mut()).await else {
        panic!("the permit is lost")
    };
    drop(permit);
    assert_eq!(bulkhead.snapshot().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_acquire_that_was_never_polled_stands_in_no_line() {
    let bulkhead = waiting(1, 4);
    let permit = take(&bulkhead);
    let idle = bulkhead.acquire();
    let mut waiter = pin!(bulkhead.acquire());
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    drop(permit);
    assert!(poll_once(waiter.as_mut()).await.is_ready());
    drop(idle);
    assert!(bulkhead.try_acquire().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_higher_limit_serves_the_line() {
    let bulkhead = waiting(1, 4);
    let permit = take(&bulkhead);
    let mut first = pin!(bulkhead.acquire());
    let mut second = pin!(bulkhead.acquire());
    assert!(poll_once(first.as_mut()).await.is_pending());
    assert!(poll_once(second.as_mut()).await.is_pending());
    bulkhead.set_limit(3).unwrap();
    assert!(poll_once(first.as_mut()).await.is_ready());
    assert!(poll_once(second.as_mut()).await.is_ready());
    drop(permit);
}

#[tokio::test(start_paused = true)]
async fn a_line_waits_until_a_lower_limit_is_kept() {
    let bulkhead = waiting(2, 4);
    let (first, second) = (take(&bulkhead), take(&bulkhead));
    bulkhead.set_limit(1).unwrap();
    let mut waiter = pin!(bulkhead.acquire());
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    drop(first);
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    drop(second);
    assert!(poll_once(waiter.as_mut()).await.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_outlives_every_handle() {
    let bulkhead = waiting(1, 4);
    let permit = take(&bulkhead);
    let mut waiter = pin!(bulkhead.acquire());
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    drop(bulkhead);
    drop(permit);
    let permit = waiter.await.unwrap();
    drop(permit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_waiters_that_come_and_go_lose_no_permit() {
    let bulkhead = waiting(2, 1_000);
    let mut tasks = JoinSet::new();
    for i in 0..400_u32 {
        let bulkhead = bulkhead.clone();
        tasks.spawn(async move {
            for round in 0..20 {
                let mut acquire = Box::pin(bulkhead.acquire());
                if (i + round) % 3 == 0 {
                    let _ = poll_once(acquire.as_mut()).await;
                    continue;
                }
                if let Ok(permit) = acquire.await {
                    tokio::task::yield_now().await;
                    drop(permit);
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let now = bulkhead.snapshot();
    assert_eq!((now.in_flight(), now.queued()), (0, 0));
    let both = (take(&bulkhead), take(&bulkhead));
    assert!(bulkhead.try_acquire().is_err());
    drop(both);
}

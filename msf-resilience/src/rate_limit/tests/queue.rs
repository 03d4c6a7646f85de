//! Reservations and those who wait.

use std::{future::Future, pin::pin, task::Poll, time::Duration};

use futures_poll::poll_once;
use msf_core::clock;
use tokio::time::advance;

use super::super::{DirectLimiter, Quota, RateLimiter, Refused};

mod futures_poll {
    use super::{Future, Poll};

    /// Whether it is ready, polled once.
    pub(super) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            })
        })
        .await
    }
}

const MS_100: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

fn limiter() -> RateLimiter<&'static str> {
    let builder = RateLimiter::builder(Quota::per_second(10).burst(1));
    builder.max_queue(5).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn waiters_do_not_wake_together_but_one_by_one_in_the_order_in_which_they_came() {
    let limiter = limiter();
    limiter.check(&"ada").unwrap();
    let start = clock::now();
    let mut waiters: Vec<_> = (0..5)
        .map(|_| Box::pin(limiter.acquire(&"ada", SECOND)))
        .collect();
    for waiter in &mut waiters {
        assert!(poll_once(waiter).await.is_none());
    }
    for (turn, mut waiter) in waiters.into_iter().enumerate() {
        waiter.as_mut().await.unwrap();
        assert_eq!(
            clock::now() - start,
            MS_100 * (1 + u32::try_from(turn).unwrap())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_overtakes_those_who_wait() {
    let limiter = limiter();
    limiter.check(&"ada").unwrap();
    let mut waiter = pin!(limiter.acquire(&"ada", SECOND));
    assert!(poll_once(&mut waiter).await.is_none());
    advance(MS_100 - Duration::from_millis(1)).await;
    limiter.check(&"ada").unwrap_err();
    advance(Duration::from_millis(1)).await;
    assert!(poll_once(&mut waiter).await.unwrap().is_ok());
    assert_eq!(limiter.check(&"ada").unwrap_err().retry_after(), MS_100);
}

#[tokio::test(start_paused = true)]
async fn the_last_of_the_queue_gives_its_turn_back_when_it_is_dropped() {
    let limiter = limiter();
    limiter.check(&"ada").unwrap();
    {
        let mut waiter = pin!(limiter.acquire(&"ada", SECOND));
        assert!(poll_once(&mut waiter).await.is_none());
        assert_eq!(limiter.peek(&"ada").retry_after(1), MS_100 * 2);
    }
    assert_eq!(limiter.peek(&"ada").retry_after(1), MS_100);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_in_the_middle_keeps_the_promises_made_to_those_behind_it() {
    let limiter = limiter();
    limiter.check(&"ada").unwrap();
    let first = limiter.reserve(&"ada", 1, SECOND).unwrap();
    let second = limiter.reserve(&"ada", 1, SECOND).unwrap();
    drop(first);
    assert_eq!(second.wait(), MS_100 * 2);
    assert_eq!(limiter.peek(&"ada").retry_after(1), MS_100 * 3);
    // Now it is the last.
    drop(second);
    assert_eq!(limiter.peek(&"ada").retry_after(1), MS_100 * 2);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_was_never_polled_has_taken_nothing() {
    let limiter = limiter();
    drop(limiter.acquire(&"ada", SECOND));
    assert_eq!(limiter.peek(&"ada").remaining(), 1);
    assert_eq!(limiter.keys(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_was_used_is_not_given_back() {
    let limiter = limiter();
    limiter.reserve(&"ada", 1, SECOND).unwrap().keep();
    limiter.acquire(&"ada", SECOND).await.unwrap();
    assert_eq!(limiter.peek(&"ada").retry_after(1), MS_100);
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_is_dropped_long_after_its_time_gives_back_no_more_than_it_took() {
    let limiter = limiter();
    let reservation = limiter.reserve(&"ada", 1, SECOND).unwrap();
    advance(SECOND).await;
    drop(reservation);
    assert_eq!(limiter.peek(&"ada").remaining(), 1);
    limiter.check(&"ada").unwrap();
    limiter.check(&"ada").unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_too_long_is_refused_at_once_and_takes_nothing() {
    let limiter = limiter();
    limiter.check(&"ada").unwrap();
    let refused = limiter.acquire(&"ada", MS_100 / 2).await.unwrap_err();
    let Refused::Limited(limited) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(limited.retry_after(), MS_100);
    assert_eq!(limiter.peek(&"ada").retry_after(1), MS_100);
    let refused = limiter.reserve(&"ada", 2, SECOND).unwrap_err();
    assert!(matches!(refused, Refused::TooCostly(_)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded() {
    let limiter = limiter();
    limiter.check(&"ada").unwrap();
    let hour = Duration::from_secs(3_600);
    let waiting: Vec<_> = (0..5)
        .map(|_| limiter.reserve(&"ada", 1, hour).unwrap())
        .collect();
    let refused = limiter.reserve(&"ada", 1, hour).unwrap_err();
    assert!(matches!(refused, Refused::QueueFull(_)), "{refused:?}");
    assert!(limiter.reserve(&"grace", 1, hour).is_ok());
    for reservation in waiting {
        reservation.keep();
    }
    advance(MS_100).await;
    assert!(limiter.reserve(&"ada", 1, hour).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_all_its_limits() {
    let minute = Quota::per_minute(2);
    let builder = DirectLimiter::builder(Quota::per_second(1)).limit("minute", minute);
    let limiter = builder.build_direct().unwrap();
    let start = clock::now();
    for expected in [0, 1, 30, 60] {
        limiter.acquire(Duration::from_secs(60)).await.unwrap();
        assert_eq!(clock::now() - start, SECOND * expected);
    }
}

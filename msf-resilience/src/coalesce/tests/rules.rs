//! Leading and following, under a paused clock.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending, poll_fn, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use msf_core::metrics::Metrics;
use proptest::prelude::*;
use tokio::{
    join,
    time::{Instant, advance, sleep, timeout},
};
use tokio_test::{assert_pending, assert_ready, assert_ready_eq, task};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::coalesce::{Coalesce, CoalesceLayer, InvalidCoalesce};

const MS: Duration = Duration::from_millis(1);

fn coalesce<K, T>() -> Coalesce<K, T> {
    Coalesce::builder("x").build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn equal_calls_at_one_time_are_made_once_and_later_ones_anew() {
    let calls = Cell::new(0);
    let service = service_fn(|n: u32| {
        calls.set(calls.get() + 1);
        async move {
            sleep(5 * MS).await;
            Ok::<_, &'static str>(n * 2)
        }
    });
    let coalesce = coalesce();
    let service = CoalesceLayer::new(coalesce.clone(), |n: &u32| Some(*n)).layer(service);
    let call = |n| service.clone().oneshot(n);
    let (a, b, c, other) = join!(call(1), call(1), call(1), call(2));
    assert_eq!([a, b, c, other].map(Result::unwrap), [2, 2, 2, 4]);
    assert_eq!(calls.get(), 2);
    assert_eq!(call(1).await.unwrap(), 2);
    assert_eq!(calls.get(), 3);
    assert_eq!(coalesce.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_goes_to_everybody_and_need_not_be_clone() {
    #[derive(Debug)]
    struct NotClone;

    let calls = Cell::new(0);
    let service = service_fn(|_: u32| {
        calls.set(calls.get() + 1);
        async {
            sleep(5 * MS).await;
            Err::<u32, _>(NotClone)
        }
    });
    let service = CoalesceLayer::new(coalesce(), |n: &u32| Some(*n)).layer(service);
    let (a, b) = join!(service.clone().oneshot(1), service.clone().oneshot(1));
    let (a, b) = (a.unwrap_err(), b.unwrap_err());
    assert!(std::ptr::eq(a.get_ref(), b.get_ref()));
    assert_eq!(calls.get(), 1);
}

/// An inner service whose calls the test answers one by one.
#[derive(Clone, Default)]
struct Manual(Rc<RefCell<Vec<tokio::sync::oneshot::Sender<u32>>>>);

impl Service<u32> for Manual {
    type Response = u32;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<u32, &'static str>>>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u32) -> Self::Future {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.0.borrow_mut().push(answer);
        Box::pin(async { answered.await.map_err(|_| "dropped") })
    }
}

impl Manual {
    fn calls(&self) -> usize {
        self.0.borrow().len()
    }

    /// Answers what is asked and has not been answered or dropped.
    fn answer_all(&self, n: u32) {
        for sender in self.0.borrow_mut().drain(..) {
            sender.send(n).ok();
        }
    }

    fn answer(&self, call: usize, n: u32) {
        let waker = || tokio::sync::oneshot::channel().0;
        let sender = std::mem::replace(&mut self.0.borrow_mut()[call], waker());
        sender.send(n).unwrap();
    }
}

type Layered = crate::coalesce::CoalesceService<
    Manual,
    u32,
    Result<u32, crate::coalesce::Error<&'static str>>,
    fn(&u32) -> Option<u32>,
>;

fn layered(
    manual: &Manual,
) -> (
    Layered,
    Coalesce<u32, Result<u32, crate::coalesce::Error<&'static str>>>,
) {
    let coalesce = coalesce();
    let key: fn(&u32) -> Option<u32> = |n| Some(*n);
    let service = CoalesceLayer::new(coalesce.clone(), key).layer(manual.clone());
    (service, coalesce)
}

#[tokio::test(start_paused = true)]
async fn a_follower_takes_over_wherever_the_leader_is_dropped() {
    for polls in [0, 1, 2] {
        let manual = Manual::default();
        let (mut service, coalesce) = layered(&manual);
        let mut leader = task::spawn(service.call(1));
        let mut first = task::spawn(service.call(1));
        let mut second = task::spawn(service.call(1));
        for _ in 0..polls {
            assert_pending!(leader.poll());
        }
        assert_pending!(first.poll());
        assert_pending!(second.poll());
        assert_eq!(manual.calls(), 1);

        drop(leader);
        assert!(
            first.is_woken() && !second.is_woken(),
            "one of them takes over"
        );
        assert_pending!(first.poll());
        assert_pending!(second.poll());
        assert_eq!(manual.calls(), 2);
        manual.answer(1, 7);
        assert_eq!(assert_ready!(first.poll()).unwrap(), 7);
        assert!(second.is_woken());
        assert_eq!(assert_ready!(second.poll()).unwrap(), 7);
        drop((first, second));
        assert_eq!(coalesce.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_is_dropped_after_it_was_woken_passes_the_call_on() {
    let manual = Manual::default();
    let (mut service, coalesce) = layered(&manual);
    let leader = task::spawn(service.call(1));
    let mut first = task::spawn(service.call(1));
    let mut second = task::spawn(service.call(1));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    drop(leader);
    assert!(first.is_woken());
    drop(first);
    assert!(second.is_woken());
    assert_pending!(second.poll());
    manual.answer(1, 7);
    assert_eq!(assert_ready!(second.poll()).unwrap(), 7);
    drop(second);
    assert_eq!(coalesce.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_everybody_leaves_is_gone() {
    let manual = Manual::default();
    let (mut service, coalesce) = layered(&manual);
    let leader = task::spawn(service.call(1));
    let mut first = task::spawn(service.call(1));
    let second = task::spawn(service.call(1));
    assert_pending!(first.poll());
    drop(leader);
    assert_eq!(coalesce.in_flight(), 1);
    drop(second);
    drop(first);
    assert_eq!(coalesce.in_flight(), 0);
    let mut next = task::spawn(service.call(1));
    assert_pending!(next.poll());
    manual.answer(1, 9);
    assert_eq!(assert_ready!(next.poll()).unwrap(), 9);
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_flight_without_a_leader_leads_it() {
    let manual = Manual::default();
    let (mut service, _) = layered(&manual);
    let leader = task::spawn(service.call(1));
    let mut follower = task::spawn(service.call(1));
    assert_pending!(follower.poll());
    drop(leader);
    let mut late = task::spawn(service.call(1));
    assert_eq!(manual.calls(), 2);
    assert_pending!(late.poll());
    assert_pending!(follower.poll());
    assert_eq!(manual.calls(), 2);
    manual.answer(1, 3);
    assert_eq!(assert_ready!(late.poll()).unwrap(), 3);
    assert_eq!(assert_ready!(follower.poll()).unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stalls_costs_one_more_call_per_patience() {
    let manual = Manual::default();
    let (mut service, _) = layered(&manual);
    // Never polled again: its executor is stuck.
    let mut stalled = task::spawn(service.call(1));
    assert_pending!(stalled.poll());
    let mut followers: Vec<_> = (0..5).map(|_| task::spawn(service.call(1))).collect();
    for follower in &mut followers {
        assert_pending!(follower.poll());
    }
    advance(Duration::from_secs(9)).await;
    followers
        .iter_mut()
        .for_each(|follower| assert_pending!(follower.poll()));
    assert_eq!(manual.calls(), 1);
    advance(Duration::from_secs(1)).await;
    followers
        .iter_mut()
        .for_each(|follower| assert_pending!(follower.poll()));
    assert_eq!(manual.calls(), 2, "one of five calls again");
    advance(Duration::from_secs(5)).await;
    followers
        .iter_mut()
        .for_each(|follower| assert_pending!(follower.poll()));
    assert_eq!(manual.calls(), 2, "the others are patient anew");

    manual.answer(1, 7);
    for follower in &mut followers {
        assert_eq!(assert_ready!(follower.poll()).unwrap(), 7);
    }
    manual.answer(0, 6);
    assert_eq!(
        assert_ready!(stalled.poll()).unwrap(),
        6,
        "the stalled one gets its own"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stalled_leader_that_comes_back_first_answers_for_all() {
    let manual = Manual::default();
    let (mut service, coalesce) = layered(&manual);
    let mut stalled = task::spawn(service.call(1));
    assert_pending!(stalled.poll());
    let mut usurper = task::spawn(service.call(1));
    let mut follower = task::spawn(service.call(1));
    assert_pending!(usurper.poll());
    assert_pending!(follower.poll());
    advance(Duration::from_secs(10)).await;
    assert_pending!(usurper.poll());
    assert_pending!(follower.poll());
    assert_eq!(manual.calls(), 2);
    manual.answer(0, 6);
    assert_eq!(assert_ready!(stalled.poll()).unwrap(), 6);
    assert_eq!(assert_ready!(follower.poll()).unwrap(), 6);
    drop(usurper);
    assert_eq!(coalesce.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_leader_is_its_own() {
    let calls = Cell::new(0);
    let service = service_fn(|_: u32| {
        calls.set(calls.get() + 1);
        let call = calls.get();
        async move {
            sleep(5 * MS).await;
            assert!(call > 1, "on purpose");
            Ok::<_, &'static str>(call)
        }
    });
    let coalesce = coalesce();
    let mut service = CoalesceLayer::new(coalesce.clone(), |n: &u32| Some(*n)).layer(service);
    service.ready().await.unwrap();
    let mut leader = Box::pin(service.call(1));
    service.ready().await.unwrap();
    let mut follower = pin!(service.call(1));
    poll_fn(|cx| {
        assert!(leader.as_mut().poll(cx).is_pending());
        assert!(follower.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    advance(5 * MS).await;
    let panicked =
        poll_fn(|cx| Poll::Ready(catch_unwind(AssertUnwindSafe(|| leader.as_mut().poll(cx)))));
    assert!(panicked.await.is_err());
    drop(leader);
    assert_eq!(follower.await.unwrap(), 2);
    assert_eq!(coalesce.in_flight(), 0);
    assert_eq!(service.ready().await.unwrap().call(1).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_full_table_lets_calls_go_alone() {
    let calls = Cell::new(0);
    let service = service_fn(|n: u32| {
        calls.set(calls.get() + 1);
        async move {
            sleep(5 * MS).await;
            Ok::<_, &'static str>(n)
        }
    });
    let metrics = Metrics::new();
    let builder = Coalesce::builder("full").max_keys(1).metrics(&metrics);
    let coalesce = builder.build().unwrap();
    let service = CoalesceLayer::new(coalesce.clone(), |n: &u32| Some(*n)).layer(service);
    // Sixteen parts of one key each: of 64 keys, at most 16 lead.
    let all = (0..64).map(|n| Box::pin(service.clone().oneshot(n)));
    let mut all: Vec<_> = all.collect();
    let mut done = 0;
    let mut most = 0;
    while done < 64 {
        poll_fn(|cx| {
            all.retain_mut(|call| match call.as_mut().poll(cx) {
                Poll::Ready(outcome) => {
                    outcome.unwrap();
                    done += 1;
                    false
                }
                Poll::Pending => true,
            });
            most = most.max(coalesce.in_flight());
            Poll::Ready(())
        })
        .await;
        advance(MS).await;
    }
    assert!((1..=16).contains(&most), "{most}");
    assert_eq!(calls.get(), 64);
    assert_eq!(coalesce.in_flight(), 0);
    let text = metrics.render();
    let line = format!(
        r#"msf_coalesce_calls_total{{coalesce="full",part="alone"}} {}"#,
        64 - most
    );
    assert!(text.lines().any(|seen| seen == line), "{line}\n{text}");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_key_goes_alone() {
    let calls = Cell::new(0);
    let service = service_fn(|_: u32| {
        calls.set(calls.get() + 1);
        async {
            sleep(5 * MS).await;
            Ok::<_, &'static str>(())
        }
    });
    let none: fn(&u32) -> Option<u32> = |_| None;
    let service = CoalesceLayer::new(coalesce(), none).layer(service);
    let (a, b) = join!(service.clone().oneshot(1), service.clone().oneshot(1));
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(calls.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn run_takes_over_with_the_followers_own_closure() {
    let coalesce = coalesce();
    let mut leader = task::spawn(coalesce.run(1, pending::<u32>));
    let mut follower = task::spawn(coalesce.run(1, || ready(2)));
    assert_pending!(leader.poll());
    assert_pending!(follower.poll());
    drop(leader);
    assert!(follower.is_woken());
    assert_ready_eq!(follower.poll(), 2);
    assert_eq!(coalesce.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_whose_clone_panics_leaves_everybody_on_their_own() {
    #[derive(Debug)]
    struct Bomb;
    impl Clone for Bomb {
        fn clone(&self) -> Self {
            panic!("on purpose")
        }
    }

    let coalesce = coalesce();
    let mut leader = Box::pin(coalesce.run(1, || async {
        sleep(MS).await;
        Bomb
    }));
    let mut follower = task::spawn(coalesce.run(1, || ready(Bomb)));
    poll_fn(|cx| {
        assert!(leader.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    assert_pending!(follower.poll());
    advance(MS).await;
    let panicked = poll_fn(|cx| {
        Poll::Ready(catch_unwind(AssertUnwindSafe(|| {
            leader.as_mut().poll(cx).is_ready()
        })))
    });
    assert!(panicked.await.is_err());
    drop(leader);
    assert_ready!(follower.poll());
    assert_eq!(coalesce.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn metrics_say_who_led_and_who_joined() {
    let metrics = Metrics::new();
    let builder = Coalesce::builder("m").metrics(&metrics);
    let coalesce: Coalesce<u8, u8> = builder.build().unwrap();
    let call = || async {
        sleep(MS).await;
        1
    };
    join!(
        coalesce.run(1, call),
        coalesce.run(1, call),
        coalesce.run(1, call)
    );
    let text = metrics.render();
    for line in [
        r#"msf_coalesce_calls_total{coalesce="m",part="joined"} 2"#,
        r#"msf_coalesce_calls_total{coalesce="m",part="led"} 1"#,
        r#"msf_coalesce_taken_over_total{coalesce="m"} 0"#,
    ] {
        assert!(text.lines().any(|seen| seen == line), "{line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_since_the_last_scrape_is_not_lost_with_the_handle() {
    let metrics = Metrics::new();
    let builder = Coalesce::<u32, u32>::builder("gone").metrics(&metrics);
    let coalesce = builder.build().unwrap();
    assert_eq!(coalesce.run(1, || ready(7)).await, 7);
    drop(coalesce);
    let line = r#"msf_coalesce_calls_total{coalesce="gone",part="led"} 1"#;
    let text = metrics.render();
    assert!(text.lines().any(|seen| seen == line), "{text}");
}

#[tokio::test(start_paused = true)]
async fn new_patience_holds_for_the_next_call() {
    let coalesce: Coalesce<u8, u8> = coalesce();
    coalesce
        .reconfigure(Coalesce::builder("x").patience(MS))
        .unwrap();
    let mut stalled = task::spawn(coalesce.run(1, pending::<u8>));
    assert_pending!(stalled.poll());
    let start = Instant::now();
    let second = timeout(Duration::from_secs(1), coalesce.run(1, || ready(2)));
    assert_eq!(second.await, Ok(2));
    assert!(start.elapsed() <= 2 * MS);
    let bad = Coalesce::builder("x").patience(Duration::ZERO);
    assert_eq!(
        coalesce.reconfigure(bad),
        Err(InvalidCoalesce::Patience(Duration::ZERO))
    );
}

#[test]
fn a_knob_out_of_range_is_named() {
    let new = || Coalesce::<u8, u8>::builder("x");
    let name = Coalesce::<u8, u8>::builder("").build().unwrap_err();
    assert_eq!(name, InvalidCoalesce::Name);
    assert_eq!(
        new().max_keys(0).build().unwrap_err(),
        InvalidCoalesce::MaxKeys(0)
    );
    let body = (64 << 20) + 1;
    assert_eq!(
        new().max_body(body).build().unwrap_err(),
        InvalidCoalesce::MaxBody(body)
    );
}

proptest! {
    /// Callers come, are polled, and go in any order; then only those that were woken are polled.
    #[test]
    fn no_wakeup_is_lost_whoever_comes_and_goes(
        steps in proptest::collection::vec((0_u8..6, any::<proptest::sample::Index>()), 1..80),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let _guard = runtime.enter();
        let manual = Manual::default();
        let (mut service, coalesce) = layered(&manual);
        let mut calls = Vec::new();
        for (step, pick) in steps {
            match step {
                0 | 1 => {
                    let mut call = task::spawn(service.call(1));
                    if call.poll().is_pending() {
                        calls.push(call);
                    }
                }
                2 if !calls.is_empty() => drop(calls.swap_remove(pick.index(calls.len()))),
                3 if !calls.is_empty() => {
                    let index = pick.index(calls.len());
                    if calls[index].poll().is_ready() {
                        drop(calls.swap_remove(index));
                    }
                }
                4 => manual.answer_all(7),
                5 => {
                    // One that was woken is gone before it is polled.
                    if let Some(index) = calls.iter().position(task::Spawn::is_woken) {
                        drop(calls.swap_remove(index));
                    }
                }
                _ => {}
            }
        }
        loop {
            manual.answer_all(7);
            let before = calls.len();
            let woken = calls.iter().filter(|call| call.is_woken()).count();
            calls.retain_mut(|call| !call.is_woken() || call.poll().is_pending());
            if woken == 0 && calls.len() == before {
                break;
            }
        }
        prop_assert!(calls.is_empty(), "{} wait for nobody", calls.len());
        prop_assert_eq!(coalesce.in_flight(), 0);
    }
}

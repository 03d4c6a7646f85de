//! What a timeout promises.

use std::{
    convert::Infallible,
    future::{Pending, pending, poll_fn, ready},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use msf_core::{
    classify::{Classification, Classify, Http},
    clock,
    deadline::Deadline,
    metrics::Metrics,
};
use tokio::{
    task::coop,
    time::{advance, sleep},
};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{Elapsed, Error, TimeoutLayer};
use crate::Through;

const SECOND: Duration = Duration::from_secs(1);

type Hang = Pending<Result<(), Infallible>>;

fn hang(_: ()) -> Hang {
    pending()
}

#[test]
fn what_is_ready_at_once_needs_no_runtime() {
    // A timer, or tokio's paused clock, would panic here.
    let layer = TimeoutLayer::new(Duration::ZERO);
    let mut service = layer.layer(service_fn(|n: u8| ready(Ok::<_, Infallible>(n))));
    let mut call = task::spawn(service.call(7));
    assert_eq!(assert_ready!(call.poll()), Ok(7));
}

#[tokio::test(start_paused = true)]
async fn the_time_begins_at_the_first_poll() {
    let mut service = TimeoutLayer::new(SECOND).layer(service_fn(hang));
    let mut call = task::spawn(service.call(()));
    advance(10 * SECOND).await;
    assert_pending!(call.poll());
    advance(SECOND - Duration::from_millis(2)).await;
    assert_pending!(call.poll());
    advance(Duration::from_millis(3)).await;
    let elapsed = Error::Elapsed(Elapsed::of_timeout(SECOND));
    assert_eq!(assert_ready!(call.poll()), Err(elapsed));
}

#[tokio::test(start_paused = true)]
async fn the_call_is_dropped_the_moment_the_time_is_over() {
    let held = Arc::new(());
    let inner = Arc::clone(&held);
    let mut service = TimeoutLayer::new(SECOND).layer(service_fn(move |()| {
        let held = Arc::clone(&inner);
        async move {
            let _held = held;
            pending::<Result<(), Infallible>>().await
        }
    }));
    let mut call = task::spawn(service.call(()));
    assert_pending!(call.poll());
    assert_eq!(Arc::strong_count(&held), 3);
    advance(2 * SECOND).await;
    assert!(assert_ready!(call.poll()).is_err());
    assert_eq!(Arc::strong_count(&held), 2, "though `call` still lives");
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_time_passes_and_a_tie_goes_to_the_answer() {
    let mut service = TimeoutLayer::new(SECOND).layer(service_fn(|after| async move {
        sleep(after).await;
        Ok::<_, Infallible>(after)
    }));
    for after in [Duration::ZERO, SECOND / 2, SECOND] {
        assert_eq!(service.ready().await.unwrap().call(after).await, Ok(after));
    }
    assert!(
        service
            .call(SECOND + Duration::from_millis(2))
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_shortens_the_time_and_never_lengthens_it() {
    let layer = TimeoutLayer::new(SECOND).until_deadline();
    let service = layer.layer(service_fn(|_: Request<()>| {
        pending::<Result<(), Infallible>>()
    }));
    for (left, waited, why) in [
        (SECOND / 4, SECOND / 4, Elapsed::of_deadline()),
        (Duration::ZERO, Duration::ZERO, Elapsed::of_deadline()),
        (9 * SECOND, SECOND, Elapsed::of_timeout(SECOND)),
    ] {
        let mut request = Request::new(());
        request.extensions_mut().insert(Deadline::after(left));
        let begun = clock::now();
        let outcome = service.clone().oneshot(request).await;
        assert_eq!(outcome, Err(Error::Elapsed(why)));
        assert!(clock::now() - begun - waited < Duration::from_millis(2));
    }
}

#[test]
fn a_timeout_is_the_callees_failure_and_a_deadline_is_not() {
    let judge = |elapsed| {
        let error: Error<Infallible> = Error::Elapsed(elapsed);
        Through(Http::default()).classify(Err::<&Response<()>, _>(&error))
    };
    assert_eq!(judge(Elapsed::of_timeout(SECOND)), Classification::FAILURE);
    assert_eq!(judge(Elapsed::of_deadline()), Classification::IGNORE);
}

#[tokio::test(start_paused = true)]
async fn a_busy_future_cannot_starve_its_timer() {
    let layer = TimeoutLayer::new(SECOND);
    let mut service = layer.layer(service_fn(|()| {
        poll_fn(|cx| {
            // Uses up all that the task may do before it must yield.
            while let Poll::Ready(budget) = coop::poll_proceed(cx) {
                budget.made_progress();
            }
            cx.waker().wake_by_ref();
            Poll::<Result<(), Infallible>>::Pending
        })
    }));
    let call = msf_core::task::spawn("busy", async move { service.call(()).await });
    advance(SECOND / 2).await;
    advance(SECOND).await;
    assert!(call.join().await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_new_time_holds_for_every_service_of_the_layer() {
    let metrics = Metrics::new();
    let layer = TimeoutLayer::new(60 * SECOND);
    let layer = layer.metrics(&metrics, "payment").unwrap();
    let service = layer.layer(service_fn(hang));
    layer.clone().reconfigure(SECOND);
    assert_eq!(
        service.oneshot(()).await,
        Err(Error::Elapsed(Elapsed::of_timeout(SECOND)))
    );
    let line = r#"msf_timeout_elapsed_total{limit="timeout",timeout="payment"} 1"#;
    assert!(metrics.render().contains(line), "{}", metrics.render());
}

#[tokio::test(start_paused = true)]
async fn a_call_may_outlive_its_layer() {
    let metrics = Metrics::new();
    let layer = TimeoutLayer::new(SECOND).metrics(&metrics, "x").unwrap();
    let call = layer.layer(service_fn(hang)).call(());
    drop(layer);
    assert!(call.await.is_err());
    assert!(metrics.render().contains(r#"timeout="x"} 1"#));
}

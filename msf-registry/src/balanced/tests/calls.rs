//! One call: when it is in flight, how it is judged, what it waits for, and that it may be dropped.

use super::*;

#[tokio::test(start_paused = true)]
async fn each_instance_is_called_through_its_own_service() {
    let listed = Listed::of(Balance::RoundRobin, [instance(1), instance(2)]);
    let mut balanced = Balanced::new(listed.handle.clone(), port_of);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(called(&mut balanced).await);
    }
    seen.sort();
    assert_eq!(seen, ["8001", "8001", "8002", "8002"]);
    assert_eq!(balanced.kept(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_in_flight_until_its_body_has_ended() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1)]);
    let balanced = Balanced::new(listed.handle.clone(), port_of);
    let response = balanced.clone().oneshot(request()).await.unwrap();
    assert_eq!(listed.handle.in_flight(), 1);
    let mut body = response.into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "8001");
    assert_eq!(listed.handle.in_flight(), 0);
    drop(body);

    let unread = balanced.oneshot(request()).await.unwrap();
    assert_eq!(listed.handle.in_flight(), 1);
    drop(unread);
    assert_eq!(listed.handle.in_flight(), 0);

    let empty = |_: &Instance| {
        service_fn(|_: Request<()>| {
            ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
        })
    };
    let response = Balanced::new(listed.handle.clone(), empty)
        .oneshot(request())
        .await;
    assert_eq!(listed.handle.in_flight(), 0);
    drop(response);
}

/// A body that fails after the head.
struct Torn;

impl http_body::Body for Torn {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::Error::other("torn"))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_ends_the_call() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1)]);
    let torn =
        |_: &Instance| service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Torn))));
    let response = Balanced::new(listed.handle.clone(), torn)
        .oneshot(request())
        .await;
    let mut body = response.unwrap().into_body();
    assert_eq!(listed.handle.in_flight(), 1);
    assert!(body.frame().await.unwrap().is_err());
    assert_eq!(listed.handle.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_judged_once_and_at_the_head() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1)]);
    let judged = Arc::new(AtomicUsize::new(0));
    let is_up = Arc::new(Mutex::new(true));
    let told = Arc::clone(&is_up);
    let make = move |_: &Instance| {
        let is_up = Arc::clone(&told);
        service_fn(move |_: Request<()>| {
            let answer = Response::new(Full::new(Bytes::from_static(b"here")));
            let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
            ready(if *is_up.lock().unwrap() {
                Ok(answer)
            } else {
                Err(refused)
            })
        })
    };
    let balanced = Balanced::new(listed.handle.clone(), make).classify(counting(&judged));
    let response = balanced.clone().oneshot(request()).await.unwrap();
    assert_eq!(judged.load(Ordering::Relaxed), 1);
    answered(response).await;
    assert_eq!(judged.load(Ordering::Relaxed), 1);

    *is_up.lock().unwrap() = false;
    let error = balanced.oneshot(request()).await.unwrap_err();
    assert!(
        matches!(error, Error::Inner(refused) if refused.kind() == io::ErrorKind::ConnectionRefused)
    );
    assert_eq!(judged.load(Ordering::Relaxed), 2);
    assert_eq!(listed.handle.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_be_dropped_wherever_it_waits() {
    let judged = Arc::new(AtomicUsize::new(0));
    let nobody = Listed::of(Balance::PeakEwma, []);
    let service = held(1);
    let made = service.clone();
    let mut balanced = Balanced::new(nobody.handle.clone(), move |_: &Instance| made.clone())
        .wait_for_endpoints(Duration::from_secs(1))
        .classify(counting(&judged));

    // For an instance.
    let mut call = Box::pin(balanced.call(request()));
    assert!(poll_once(call.as_mut()).is_pending());
    drop(call);
    nobody.publish([instance(1)]);
    assert_eq!(nobody.handle.in_flight(), 0);

    // For its service, for an answer, and not at all.
    for (permits, polls) in [(0, true), (1, true), (1, false)] {
        service.gate.forget_permits(9);
        service.gate.add_permits(permits);
        let mut call = Box::pin(balanced.call(request()));
        assert!(!polls || poll_once(call.as_mut()).is_pending());
        assert_eq!(nobody.handle.in_flight(), 1);
        drop(call);
        assert_eq!(nobody.handle.in_flight(), 0);
    }
    assert_eq!(judged.load(Ordering::Relaxed), 0);
    assert_eq!(balanced.kept(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_clone_that_is_called_is_the_one_that_was_ready() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1), instance(2)]);
    let probe = StatefulInner::new(|_: Request<()>| Response::new(Empty::<Bytes>::new()));
    let made = probe.clone();
    let balanced = Balanced::new(listed.handle.clone(), move |_: &Instance| made.clone());
    for _ in 0..10 {
        balanced.clone().oneshot(request()).await.unwrap();
    }
    assert_eq!((probe.calls(), probe.violations()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_limit_inside_a_service_holds_calls_back() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1)]);
    let service = held(9);
    let limited = ConcurrencyLimit::new(service.clone(), 1);
    let balanced = Balanced::new(listed.handle.clone(), move |_: &Instance| limited.clone());
    let [first, second] =
        [(), ()].map(|()| task::spawn("call", balanced.clone().oneshot(request())));
    settle().await;
    let called = || u32::try_from(service.answers.lock().unwrap().len()).unwrap();
    assert_eq!((called(), listed.handle.in_flight()), (1, 2));

    for (call, left) in [(first, 1), (second, 0)] {
        let answer = service.answers.lock().unwrap().pop().unwrap();
        answer.send(()).unwrap();
        assert_eq!(answered(call.join().await.unwrap().unwrap()).await, "held");
        settle().await;
        assert_eq!((called(), listed.handle.in_flight()), (left, left));
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_instance_a_call_fails_at_once_or_after_a_while() {
    let listed = Listed::of(Balance::PeakEwma, []);
    let balanced = Balanced::new(listed.handle.clone(), port_of);
    let began = clock::now();
    let error = balanced.clone().oneshot(request()).await.unwrap_err();
    let Error::NoEndpoints(nobody) = error;
    assert_eq!(nobody.reason, NoEndpointsReason::NoneRegistered);
    assert_eq!(clock::now(), began);

    // For ever is a time, too.
    let mut endless = balanced.clone().wait_for_endpoints(Duration::MAX);
    assert!(poll_once(Box::pin(endless.call(request())).as_mut()).is_pending());

    let patient = balanced.wait_for_endpoints(Duration::from_secs(3));
    let error = patient.clone().oneshot(request()).await.unwrap_err();
    assert!(matches!(error, Error::NoEndpoints(_)));
    assert_eq!(clock::now() - began, Duration::from_secs(3));

    let call = task::spawn("call", patient.oneshot(request()));
    advance(Duration::from_secs(2)).await;
    listed.publish([instance(7)]);
    let response = call.join().await.unwrap().unwrap();
    assert_eq!(answered(response).await, "8007");
}

#[tokio::test(start_paused = true)]
async fn a_call_allocates_nothing_of_its_own() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1), instance(2)]);
    let empty = |_: &Instance| {
        service_fn(|_: Request<()>| {
            ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
        })
    };
    let mut balanced = Balanced::new(listed.handle.clone(), empty);
    for _ in 0..20 {
        balanced.call(request()).await.unwrap();
    }
    let cost = allocations(|| {
        for _ in 0..100 {
            let mut call = pin!(balanced.call(request()));
            assert!(poll_once(call.as_mut()).is_ready());
        }
    });
    assert_eq!(cost.count, 0);
}

//! Calls through services that the test holds in its hand, under lists that it publishes.

use std::{
    convert::Infallible,
    future::{Ready, poll_fn, ready},
    io,
    num::NonZeroU16,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use msf_core::{
    classify::Classification,
    clock,
    name::{InstanceId, ServiceName},
    task,
    testing::{StatefulInner, advance, allocations},
};
use tokio::sync::{Semaphore, oneshot};
use tower::{
    Service, ServiceExt,
    discover::{Change, Discover},
    limit::ConcurrencyLimit,
    service_fn,
};

use super::*;
use crate::{
    balance::{Balance, LoadBalancing, Sticky},
    metrics::Picks,
    model::{Authority, Cursor, Health, Instance, Member, Snapshot},
    service::{NoEndpointsReason, ServiceHandle, State, Watch},
};

/// A service whose list is what the test says.
struct Listed {
    state: Arc<State>,
    handle: ServiceHandle,
}

impl Listed {
    fn of(balance: Balance, instances: impl IntoIterator<Item = Instance>) -> Self {
        let rules = LoadBalancing::new(balance);
        let state = Arc::new(State::new(payment(), rules, Picks::noop()));
        let task = task::spawn("watches nothing", std::future::pending());
        let handle = ServiceHandle::new(Watch::new(Arc::clone(&state), task));
        let listed = Self { state, handle };
        listed.publish(instances);
        listed
    }

    fn publish(&self, instances: impl IntoIterator<Item = Instance>) {
        let members = instances
            .into_iter()
            .map(|instance| Member::new(Arc::new(instance), Health::Unknown));
        let snapshot = Snapshot::new(
            payment(),
            Cursor::new(1, 1),
            Authority::Complete,
            members.collect::<Vec<_>>(),
        );
        self.state.publish(snapshot);
    }
}

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

fn instance(n: u16) -> Instance {
    let id = InstanceId::new(format!("p-{n}")).unwrap();
    Instance::new(payment(), id, ([127, 0, 0, 1], 8_000 + n).into())
}

fn request() -> Request<()> {
    Request::new(())
}

/// Counts what it judged.
fn counting<R>(
    judged: &Arc<AtomicUsize>,
) -> impl Fn(Result<&Response<R>, &io::Error>) -> Classification + Clone + use<R> {
    let judged = Arc::clone(judged);
    move |outcome| {
        judged.fetch_add(1, Ordering::Relaxed);
        if outcome.is_ok() {
            Classification::SUCCESS
        } else {
            Classification::FAILURE
        }
    }
}

/// Answers with the port of its instance.
fn port_of(
    instance: &Instance,
) -> impl Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ use<> {
    let port = instance.addr().port().to_string();
    service_fn(move |_: Request<()>| {
        let answer = Response::new(Full::new(Bytes::from(port.clone())));
        ready(Ok(answer))
    })
}

async fn answered<B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>>(
    response: Response<B>,
) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Lets other tasks run.
async fn settle() {
    for _ in 0..10 {
        task::spawn("nothing", async {}).join().await;
    }
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(std::task::Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn each_instance_is_called_through_its_own_service() {
    let listed = Listed::of(Balance::RoundRobin, [instance(1), instance(2)]);
    let mut balanced = Balanced::new(listed.handle.clone(), port_of);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let response = balanced
            .ready()
            .await
            .unwrap()
            .call(request())
            .await
            .unwrap();
        seen.push(answered(response).await);
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

/// Is ready when the gate lets it, and answers when it is told.
#[derive(Clone)]
struct Held {
    gate: Arc<Semaphore>,
    answers: Arc<Mutex<Vec<oneshot::Sender<()>>>>,
}

impl Service<Request<()>> for Held {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        let mut waiting = pin!(self.gate.acquire());
        match waiting.as_mut().poll(cx) {
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(_closed)) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn call(&mut self, _request: Request<()>) -> Self::Future {
        let (answer, told) = oneshot::channel();
        self.answers.lock().unwrap().push(answer);
        Box::pin(async move {
            let _ = told.await;
            Ok(Response::new(Full::new(Bytes::from_static(b"held"))))
        })
    }
}

fn held(permits: usize) -> Held {
    Held {
        gate: Arc::new(Semaphore::new(permits)),
        answers: Arc::default(),
    }
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
async fn a_service_that_will_never_be_ready_again_is_made_anew() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1)]);
    let judged = Arc::new(AtomicUsize::new(0));
    let made = Arc::new(Mutex::new(Vec::<Held>::new()));
    let log = Arc::clone(&made);
    let make = move |_: &Instance| {
        let service = held(9);
        log.lock().unwrap().push(service.clone());
        service
    };
    let mut balanced = Balanced::new(listed.handle.clone(), make).classify(counting(&judged));
    let mut first = Box::pin(balanced.call(request()));
    assert!(poll_once(first.as_mut()).is_pending());
    made.lock().unwrap()[0].gate.close();
    let error = balanced.call(request()).await.unwrap_err();
    assert!(matches!(error, Error::Inner(broken) if broken.kind() == io::ErrorKind::BrokenPipe));
    assert_eq!((judged.load(Ordering::Relaxed), balanced.kept()), (1, 0));

    let mut second = Box::pin(balanced.call(request()));
    assert!(poll_once(second.as_mut()).is_pending());
    assert_eq!((made.lock().unwrap().len(), balanced.kept()), (2, 1));
    // Who was in flight through the old one still gets its answer.
    let answer = made.lock().unwrap()[0].answers.lock().unwrap().pop();
    answer.unwrap().send(()).unwrap();
    assert_eq!(answered(first.await.unwrap()).await, "held");
}

/// Counts those that are alive.
#[derive(Debug)]
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A maker whose services are counted.
fn counted(
    alive: &Arc<AtomicUsize>,
    made: &Arc<AtomicUsize>,
) -> impl Fn(&Instance) -> Counted + Send + Sync + 'static + use<> {
    let (alive, made) = (Arc::clone(alive), Arc::clone(made));
    move |_| {
        alive.fetch_add(1, Ordering::Relaxed);
        made.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::new(Alive(Arc::clone(&alive))))
    }
}

#[derive(Clone)]
struct Counted(#[expect(dead_code, reason = "its drop is what counts")] Arc<Alive>);

impl Service<Request<()>> for Counted {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Empty::new())))
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_lives_as_long_as_its_instance_is_listed() {
    let [alive, made] = [(), ()].map(|()| Arc::new(AtomicUsize::new(0)));
    let counts = || (alive.load(Ordering::Relaxed), made.load(Ordering::Relaxed));
    let listed = Listed::of(Balance::RoundRobin, (0..10).map(instance));
    let balanced = Balanced::new(listed.handle.clone(), counted(&alive, &made));
    for _ in 0..50 {
        balanced.clone().oneshot(request()).await.unwrap();
    }
    assert_eq!(counts(), (10, 10));

    // Nobody calls, and yet it goes.
    listed.publish((0..4).map(instance));
    settle().await;
    assert_eq!(counts(), (4, 10));

    // What says nothing about how to reach it changes nothing.
    let weight = NonZeroU16::new(7).unwrap();
    listed.publish((0..4).map(|n| instance(n).weight(weight)));
    settle().await;
    for _ in 0..20 {
        balanced.clone().oneshot(request()).await.unwrap();
    }
    assert_eq!(counts(), (4, 10));

    listed.publish((0..4).map(|n| instance(n).moved_to(([127, 0, 0, 1], 9_000 + n).into())));
    settle().await;
    assert_eq!(counts(), (0, 10));
    for _ in 0..20 {
        balanced.clone().oneshot(request()).await.unwrap();
    }
    assert_eq!(counts(), (4, 14));

    drop(balanced);
    settle().await;
    assert_eq!(counts(), (0, 14));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_leaves_between_pick_and_call_is_called_and_not_kept() {
    let [alive, made] = [(), ()].map(|()| Arc::new(AtomicUsize::new(0)));
    let listed = Listed::of(Balance::PeakEwma, [instance(1)]);
    let mut balanced = Balanced::new(listed.handle.clone(), counted(&alive, &made));
    let call = balanced.call(request());
    listed.publish([instance(2)]);
    settle().await;
    call.await.unwrap();
    assert_eq!(alive.load(Ordering::Relaxed), 0);

    // The list is newer than the cache, which nobody had time to tell.
    listed.publish([instance(3)]);
    let call = balanced.call(request());
    listed.publish([instance(4)]);
    balanced.call(request()).await.unwrap();
    call.await.unwrap();
    settle().await;
    assert_eq!(alive.load(Ordering::Relaxed), 1);
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
async fn attempts_go_to_instances_that_were_not_tried() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1), instance(2), instance(3)]);
    let balanced = Balanced::new(listed.handle.clone(), port_of);
    let call = Tried::follow(request());
    let tried = call.extensions().get::<Tried>().cloned().unwrap();
    let mut ports = Vec::new();
    for _ in 0..3 {
        // As a layer that makes attempts does.
        let response = balanced.clone().oneshot(call.clone()).await.unwrap();
        ports.push(answered(response).await);
    }
    ports.sort();
    assert_eq!(ports, ["8001", "8002", "8003"]);
    assert_eq!(tried.ids().len(), 3);
    // All were tried: any is better than none.
    balanced.clone().oneshot(call.clone()).await.unwrap();
    assert_eq!(tried.ids().len(), 3);
    // Another call starts anew.
    assert!(
        Tried::follow(request())
            .extensions()
            .get::<Tried>()
            .unwrap()
            .ids()
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn hedged_attempts_go_to_different_instances() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1), instance(2)]);
    let service = held(9);
    let mut balanced = Balanced::new(listed.handle, move |_: &Instance| service.clone());
    for _ in 0..20 {
        let call = Tried::follow(request());
        let both = [balanced.call(call.clone()), balanced.call(call.clone())];
        assert_eq!(call.extensions().get::<Tried>().unwrap().ids().len(), 2);
        drop(both);
    }
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_one_session_stay_together() {
    for balance in [Balance::Maglev, Balance::RingHash, Balance::Rendezvous] {
        let listed = Listed::of(balance, (0..10).map(instance));
        let balanced = Balanced::new(listed.handle.clone(), port_of)
            .sticky(Sticky::cookie("session").unwrap());
        let call = async |session: u32| {
            let mut request = request();
            let cookie = format!("session={session}").parse().unwrap();
            request.headers_mut().insert("cookie", cookie);
            answered(balanced.clone().oneshot(request).await.unwrap()).await
        };
        let mut ports = std::collections::BTreeSet::new();
        for session in 0..50 {
            let first = call(session).await;
            for _ in 0..3 {
                assert_eq!(call(session).await, first, "{balance:?}");
            }
            ports.insert(first);
        }
        assert!(ports.len() > 5, "{balance:?}: {ports:?}");
    }
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

#[tokio::test(start_paused = true)]
async fn towers_balancer_follows_the_list() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1)]);
    let discovered = Discovered::new(listed.handle.clone(), |instance: &Instance| {
        tower::load::Constant::new(port_of(instance), 1)
    });
    let mut balance = tower::balance::p2c::Balance::new(discovered);
    let mut ports = Vec::new();
    for n in 2..4 {
        let response = balance
            .ready()
            .await
            .unwrap()
            .call(request())
            .await
            .unwrap();
        ports.push(answered(response).await);
        listed.publish([instance(n)]);
        settle().await;
    }
    assert_eq!(ports, ["8001", "8002"]);
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_once_and_the_last_ones_stay() {
    let listed = Listed::of(Balance::PeakEwma, [instance(1), instance(2)]);
    let mut discovered = pin!(Discovered::new(
        listed.handle.clone(),
        |instance: &Instance| instance.addr().port()
    ));
    let mut told = |changes: usize| {
        let mut seen = Vec::new();
        while let Poll::Ready(change) =
            poll_once(pin!(poll_fn(|cx| discovered.as_mut().poll_discover(cx))))
        {
            seen.push(match change.unwrap().unwrap() {
                Change::Insert(id, port) => format!("+{id}:{port}"),
                Change::Remove(id) => format!("-{id}"),
            });
        }
        assert_eq!(seen.len(), changes, "{seen:?}");
        seen.sort();
        seen
    };
    assert_eq!(told(2), ["+p-1:8001", "+p-2:8002"]);
    listed.publish([instance(1), instance(2)]);
    told(0);
    let moved = instance(2).moved_to(([127, 0, 0, 1], 9_002).into());
    listed.publish([moved.clone(), instance(3)]);
    assert_eq!(told(3), ["+p-2:9002", "+p-3:8003", "-p-1"]);
    // A service may be made for any of its endpoints.
    let more = moved.clone().endpoint("tcp://127.0.0.1:7".parse().unwrap());
    let weight = NonZeroU16::new(7).unwrap();
    for (changes, second) in [
        (1, more.clone()),
        (0, more.weight(weight)),
        (1, moved.clone()),
    ] {
        listed.publish([second, instance(3)]);
        told(changes);
    }
    // A balancer without any would wait for ever.
    listed.publish([]);
    told(0);
    listed.publish([moved]);
    assert_eq!(told(1), ["-p-3"]);
}

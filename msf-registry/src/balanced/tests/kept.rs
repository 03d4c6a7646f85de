//! How long the service of an instance is kept.

use super::*;

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

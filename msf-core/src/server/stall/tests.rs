//! Clients of HTTP/2 that take nothing, and those that are only slow; and the times as a property.

use std::{convert::Infallible, sync::atomic::AtomicUsize};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::time::{sleep, timeout};

use super::*;
use crate::{
    server::{Body, Drain, Limits, handler::Handler},
    task,
};

const TIMEOUT: Duration = Duration::from_secs(30);

/// How many bodies are held.
#[derive(Clone, Default)]
struct Held(Arc<AtomicUsize>);

impl Held {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// So many frames of so many bytes, each after a pause.
struct Slow {
    held: Held,
    frames: usize,
    size: usize,
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.held.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.frames == 0 {
            return Poll::Ready(None);
        }
        if !self.pause.is_zero() {
            let pause = self.pause;
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(pause)));
            std::task::ready!(timer.as_mut().poll(cx));
            self.timer = None;
        }
        self.frames -= 1;
        Poll::Ready(Some(Ok(Frame::data(vec![b'x'; self.size].into()))))
    }
}

struct Served {
    client: h2::client::SendRequest<Bytes>,
    held: Held,
    activity: Arc<Activity>,
    refused: Arc<AtomicUsize>,
}

/// A real client and a real server, with nothing but memory between them, so that the clock can be paused.
async fn serve(window: u32, frames: usize, size: usize, pause: Duration) -> Served {
    let held = Held::default();
    let bodies = held.clone();
    let service = tower::service_fn(move |_request: Request<Body>| {
        bodies.0.fetch_add(1, Ordering::SeqCst);
        let body = Body::new(Slow {
            held: bodies.clone(),
            frames,
            size,
            pause,
            timer: None,
        });
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    let local = ([127, 0, 0, 1], 1).into();
    let connection = Connection::new(local, local, 0, Drain::default().signal());
    let activity = Arc::new(Activity::new(clock::now()));
    activity.set_http2();
    let refused = Arc::new(AtomicUsize::new(0));
    let mut refusals = Refusals::default();
    let counts = refused.clone();
    refusals.tell(move |refused| {
        assert_eq!(refused.reason, Refusal::ResponseStalled);
        counts.fetch_add(1, Ordering::SeqCst);
    });
    let limits = Limits::default().write_timeout(TIMEOUT);
    let handler = Handler::new(
        service,
        connection,
        activity.clone(),
        limits,
        Arc::new(refusals),
    );
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let server =
        http2::Builder::new(handler.streams()).serve_connection(TokioIo::new(theirs), handler);
    task::spawn("server", async { drop(server.await) }).detach();
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(window)
        .handshake(ours)
        .await
        .unwrap();
    task::spawn("client", async { drop(connection.await) }).detach();
    Served {
        client,
        held,
        activity,
        refused,
    }
}

impl Served {
    async fn ask(&self) -> h2::RecvStream {
        let mut client = self.client.clone().ready().await.unwrap();
        let request = Request::get("http://x/").body(()).unwrap();
        let (answer, _body) = client.send_request(request, true).unwrap();
        answer.await.unwrap().into_body()
    }

    fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}

fn reason(error: &h2::Error) -> Option<h2::Reason> {
    error.is_reset().then(|| error.reason()).flatten()
}

#[tokio::test(start_paused = true)]
async fn a_window_that_never_opens_holds_nothing_for_ever() {
    for (window, size) in [(0, 100), (0, 1 << 20), (1, 1 << 20)] {
        let served = serve(window, 5, size, Duration::ZERO).await;
        let begun = clock::now();
        let mut bodies = Vec::new();
        for _ in 0..20 {
            bodies.push(served.ask().await);
        }
        assert_eq!(served.held.count(), 20);
        sleep(TIMEOUT - Duration::from_secs(1)).await;
        assert_eq!((served.held.count(), served.refused()), (20, 0));
        sleep(Duration::from_secs(2)).await;
        assert_eq!((served.held.count(), served.refused()), (0, 20));
        assert!(!served.activity.is_busy());
        for body in &mut bodies {
            let error = loop {
                match body.data().await.unwrap() {
                    Ok(data) => assert_eq!(data.len(), 1),
                    Err(error) => break error,
                }
            };
            assert_eq!(reason(&error), Some(h2::Reason::CANCEL));
        }
        assert!(clock::now() - begun < TIMEOUT * 2);
        // The connection lives.
        let _body = served.ask().await;
        assert_eq!(served.held.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_slow_is_not_its_clients_doing() {
    let pause = TIMEOUT * 10;
    let served = serve(65_535, 5, 10, pause).await;
    let mut body = served.ask().await;
    for _ in 0..5 {
        assert_eq!(body.data().await.unwrap().unwrap().len(), 10);
        body.flow_control().release_capacity(10).unwrap();
    }
    // The end is an empty frame.
    while let Some(data) = body.data().await {
        assert!(data.unwrap().is_empty());
    }
    assert_eq!((served.held.count(), served.refused()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_slow_but_reads_has_all() {
    // One frame of the service is much more than the client takes in a timeout.
    let served = serve(2_000, 1, 100_000, Duration::ZERO).await;
    let begun = clock::now();
    let mut body = served.ask().await;
    let mut read = 0;
    while let Some(data) = body.data().await {
        let data = data.unwrap_or_else(|error| {
            panic!(
                "{error} after {read} in {:?}, {}",
                clock::now() - begun,
                served.refused()
            )
        });
        read += data.len();
        // By bytes and not by frames, which a small window makes ever smaller.
        sleep(Duration::from_millis(data.len() as u64)).await;
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(read, 100_000);
    assert!(clock::now() - begun > TIMEOUT * 2);
    assert_eq!((served.held.count(), served.refused()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stream_waits_longer_while_others_go_on_but_not_for_ever() {
    let served = serve(20_000, 100, 16 << 10, Duration::ZERO).await;
    let begun = clock::now();
    let stalled = served.ask().await;
    let mut body = served.ask().await;
    while served.refused() == 0 {
        let data = body.data().await.unwrap().unwrap();
        sleep(Duration::from_secs(5)).await;
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    let waited = clock::now() - begun;
    assert!(waited >= TIMEOUT * TURNS_MAX, "{waited:?}");
    assert!(
        waited <= TIMEOUT * TURNS_MAX + Duration::from_secs(6),
        "{waited:?}"
    );
    assert_eq!(served.held.count(), 1, "the other one goes on");
    drop(stalled);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_stalled_is_let_go_at_once_and_not_counted() {
    let served = serve(0, 5, 100, Duration::ZERO).await;
    let body = served.ask().await;
    assert_eq!(served.held.count(), 1);
    drop(body);
    timeout(Duration::from_secs(1), async {
        while served.held.count() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    sleep(TIMEOUT * 2).await;
    assert_eq!(served.refused(), 0);
    assert!(!served.activity.is_busy());
}

proptest! {
    /// Against the rule as it is told: no earlier than one timeout, no later than four, and after one in which nothing
    /// went on.
    #[test]
    fn a_wait_ends_between_one_timeout_and_four(laps in proptest::collection::vec((any::<bool>(), any::<bool>()), 8)) {
        let start = Instant::now();
        let mut wait = Wait::new(start, 0);
        let mut moves = 0;
        let mut now = start + TIMEOUT;
        for (turns, (moved, is_blocked)) in (1..).zip(laps) {
            moves += u32::from(moved);
            let early = now - Duration::from_millis(1);
            let mut looks_early = wait;
            let too_early = looks_early.next(early, TIMEOUT, moves, is_blocked);
            prop_assert_eq!(too_early, Some(now));
            let next = wait.next(now, TIMEOUT, moves, is_blocked);
            let goes_on = turns < TURNS_MAX && (moved || is_blocked);
            prop_assert_eq!(next, goes_on.then_some(now + TIMEOUT));
            if !goes_on {
                break;
            }
            now += TIMEOUT;
        }
    }
}

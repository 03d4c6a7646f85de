//! Callees for the tests: echoes, scripted sockets, and bodies that a test feeds by hand.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use msf_core::{
    BoxError,
    body::Body,
    task::{self, Task},
    testing::TestServer,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    task::yield_now,
    time,
};

/// A callee that gives every request its own body back, as it comes.
pub(crate) async fn echo() -> TestServer {
    TestServer::start(tower::service_fn(|request: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    }))
    .await
}

/// A callee that does with each connection what a script says.
pub(crate) struct Scripted {
    pub(crate) addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _task: Task<()>,
}

impl Scripted {
    pub(crate) async fn start<F, T>(script: F) -> Self
    where
        F: Fn(TcpStream) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        let task = task::spawn("scripted callee", async move {
            let mut connections = Vec::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                connections.push(task::spawn("scripted connection", script(stream)));
            }
        });
        Self {
            addr,
            accepted,
            _task: task,
        }
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

/// Reads the head of a request; `None` when the connection ends first.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// A body that ends when the sender is dropped.
pub(crate) struct Fed(mpsc::UnboundedReceiver<Result<Bytes, BoxError>>);

pub(crate) type Feeder = mpsc::UnboundedSender<Result<Bytes, BoxError>>;

pub(crate) fn fed() -> (Feeder, Body) {
    let (feeder, pieces) = mpsc::unbounded_channel();
    (feeder, Body::new(Fed(pieces)))
}

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let piece = self.0.poll_recv(cx);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// An address that takes no connection: the kernel's queue is full, and it drops what else comes.
pub(crate) async fn full_queue() -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = time::timeout(Duration::from_millis(200), TcpStream::connect(addr)).await
    {
        queue.push(stream.unwrap());
    }
    (addr, (listener, queue))
}

/// Polls a future so often, and drops it; `None` if it was not ready until then. After each poll others run, or in
/// every third case a pause passes, if there is one.
pub(crate) async fn polled<F: Future>(
    future: F,
    polls: usize,
    pause: Option<Duration>,
) -> Option<F::Output> {
    let mut future = tokio_test::task::spawn(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = future.poll() {
            return Some(output);
        }
        match pause.filter(|_| polls.is_multiple_of(3)) {
            Some(pause) => time::sleep(pause).await,
            None => yield_now().await,
        }
    }
    None
}

/// Waits for something that happens in another task.
pub(crate) async fn eventually(mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            time::sleep(Duration::from_millis(2)).await;
        }
    };
    time::timeout(Duration::from_secs(10), wait)
        .await
        .expect("it becomes so in time");
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .header("host", "callee")
        .body(Body::empty())
        .unwrap()
}

pub(crate) fn post(body: Body) -> Request<Body> {
    Request::post("/")
        .header("host", "callee")
        .body(body)
        .unwrap()
}

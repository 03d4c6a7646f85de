//! A server on a free port.

use std::{convert::Infallible, fmt, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, select, time};
use tower_service::Service;

use super::TestResponse;
use crate::{
    BoxError,
    server::{Body, Drain, DrainPlan, Listener, Served, Server},
    task::{self, Task},
};

/// A service on a free port of this machine, for as long as the value lives.
///
/// ```
/// use std::convert::Infallible;
/// use http::Response;
/// use msf_core::{server::Body, testing::TestServer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let server = TestServer::start(tower::service_fn(|_request| async {
///     Ok::<_, Infallible>(Response::new(Body::from("hello")))
/// }))
/// .await;
///
/// assert_eq!(server.get("/").await.text(), "hello");
/// assert_eq!(server.stop().await.cut, 0);
/// # }
/// ```
#[derive(Debug)]
pub struct TestServer {
    addr: SocketAddr,
    drain: Drain,
    task: Task<std::io::Result<Served>>,
}

impl TestServer {
    /// Starts a server with the default limits.
    ///
    /// # Panics
    ///
    /// When no port of the loopback address can be had.
    #[expect(
        clippy::unused_async,
        reason = "says that it needs a runtime, and may wait one day"
    )]
    pub async fn start<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let loopback = ([127, 0, 0, 1], 0).into();
        let listener = Listener::bind(loopback).expect("the loopback address has a free port");
        let addr = listener.local_addr();
        let server = Server::new();
        let drain = server.drain().clone();
        let task = task::spawn("test server", async move {
            server.serve(listener, service).await
        });
        Self { addr, drain, task }
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// What leads it to its end.
    #[must_use]
    pub const fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Sends `GET` over a connection of its own.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    pub async fn get(&self, path: &str) -> TestResponse {
        let request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(header::HOST, self.addr.to_string())
            .body(Empty::<Bytes>::new())
            .expect("the path is a valid URI");
        self.send(request).await
    }

    /// Sends a request over a connection of its own.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    pub async fn send<B>(&self, request: Request<B>) -> TestResponse
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError> + fmt::Debug,
    {
        let exchange = async {
            let stream = TcpStream::connect(self.addr).await?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            let _connection = task::spawn("test connection", connection);
            let response = sender.send_request(request).await?;
            Ok::<_, BoxError>(TestResponse::read(response).await)
        };
        time::timeout(ANSWER_MAX, exchange)
            .await
            .expect("the server answers in time")
            .expect("the server answers")
    }

    /// Drains it and waits for the end: requests in flight are finished, and after 10 s they are cut.
    ///
    /// # Panics
    ///
    /// When the server itself failed.
    pub async fn stop(mut self) -> Served {
        let plan = DrainPlan::new(Duration::ZERO, FINISH_MAX);
        select! {
            biased;
            () = self.task.finished() => {}
            () = self.drain.run(plan) => {}
        }
        self.task
            .join()
            .await
            .expect("the server does not panic")
            .expect("the runtime takes the listener")
    }
}

/// An honest answer takes milliseconds; a test that hangs helps nobody.
const ANSWER_MAX: Duration = Duration::from_secs(30);
const FINISH_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_lets_requests_finish() {
        let server = TestServer::start(tower::service_fn(|_request: Request<Body>| async {
            time::sleep(Duration::from_millis(200)).await;
            Ok::<_, Infallible>(Response::new(Body::from("slow")))
        }))
        .await;
        let url = format!("http://{}/", server.addr());
        let client = ask(server.addr(), url);
        let (answer, served) = tokio::join!(client, async {
            time::sleep(Duration::from_millis(50)).await;
            server.stop().await
        });
        assert_eq!(answer.text(), "slow");
        assert_eq!(served.cut, 0);
    }

    async fn ask(addr: SocketAddr, url: String) -> TestResponse {
        let stream = TcpStream::connect(addr).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let _connection = task::spawn("test connection", connection);
        let request = Request::get(url).body(Empty::<Bytes>::new()).unwrap();
        TestResponse::read(sender.send_request(request).await.unwrap()).await
    }
}

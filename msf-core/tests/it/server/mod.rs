//! The server against raw sockets: what a client sees, byte for byte.

mod drain;
mod idle;
mod limits;
mod protocol;
mod refused;

use std::{convert::Infallible, future::Future, net::SocketAddr, time::Duration};

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use msf_core::{
    problem::Problem,
    server::{Body, Connection, Drain, Limits, Listener, Phase, Served, Server},
    task::{self, Task},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Nothing that works takes this long; what does not work must not hang the tests.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server of this process and what ends it.
struct Running {
    addr: SocketAddr,
    drain: Drain,
    server: Server,
    task: Task<std::io::Result<Served>>,
}

impl Running {
    fn start(limits: Limits) -> Self {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let addr = listener.local_addr();
        let server = Server::new().limits(limits);
        let drain = server.drain().clone();
        let clone = server.clone();
        let task = task::spawn("server", async move {
            clone.serve(listener, tower::service_fn(answer)).await
        });
        Self {
            addr,
            drain,
            server,
            task,
        }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.addr).await.unwrap())
    }

    async fn end(self) -> Served {
        self.drain.advance(Phase::Stopping);
        soon(self.task.join()).await.unwrap().unwrap()
    }

    /// One request on a connection of its own: the proof that the server lives.
    async fn is_alive(&self) {
        let mut client = self.connect().await;
        client.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 200);
    }
}

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("the test hangs")
}

/// More than the buffers of two sockets hold.
const LARGE: usize = 30 << 20;

/// The service under all these tests; the path says what it does.
async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(match request.uri().path() {
        "/hello" => Response::new("hello".into()),
        "/panic" => panic!("on purpose"),
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Response::new("slow".into())
        }
        "/large" => Response::new(vec![b'x'; LARGE].into()),
        "/never" => std::future::pending().await,
        "/length" => match request.into_body().collect().await {
            Ok(body) => Response::new(body.to_bytes().len().to_string().into()),
            Err(error) => Problem::from_error(error).into_response(),
        },
        "/endless" => Response::new(Body::new(Endless { polite: None })),
        "/polite" => {
            let drain = request
                .extensions()
                .get::<Connection>()
                .unwrap()
                .drain()
                .clone();
            let polite = Box::pin(async move { drain.draining().await });
            Response::new(Body::new(Endless {
                polite: Some(polite),
            }))
        }
        "/upgrade" => {
            let mut request = request;
            let upgrade = hyper::upgrade::on(&mut request);
            task::spawn("echo", async move {
                let upgraded = upgrade.await.unwrap();
                let mut io = hyper_util::rt::TokioIo::new(upgraded);
                let mut byte = [0; 1];
                while let Ok(1) = io.read(&mut byte).await {
                    io.write_all(&byte).await.unwrap();
                }
            })
            .detach();
            Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header("connection", "upgrade")
                .header("upgrade", "echo")
                .body(Body::empty())
                .unwrap()
        }
        _ => Response::builder().status(404).body(Body::empty()).unwrap(),
    })
}

/// One chunk, and then nothing for ever - or until the drain, for a polite one.
struct Endless {
    polite: Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Infallible>>> {
        match &mut self.polite {
            Some(drain) => drain.as_mut().poll(cx).map(|()| None),
            None => std::task::Poll::Pending,
        }
    }
}

/// A client that sends exactly what it is told.
struct Client(TcpStream);

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn problem(&self) -> serde_json::Value {
        assert!(
            self.head.contains("application/problem+json"),
            "{}",
            self.head
        );
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next response: its head, and as much body as `content-length` says.
    async fn answer(&mut self) -> Answer {
        self.try_answer()
            .await
            .expect("the server closed the connection")
    }

    async fn try_answer(&mut self) -> Option<Answer> {
        soon(async {
            let mut bytes = Vec::new();
            let head_end = loop {
                if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                    break end + 4;
                }
                if self.0.read_buf(&mut bytes).await.ok()? == 0 {
                    return None;
                }
            };
            let mut body = bytes.split_off(head_end);
            let head = String::from_utf8(bytes).unwrap().to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse::<usize>().unwrap());
            while body.len() < length {
                assert_ne!(
                    self.0.read_buf(&mut body).await.unwrap(),
                    0,
                    "body cut short"
                );
            }
            let status = head[9..12].parse().unwrap();
            Some(Answer { status, head, body })
        })
        .await
    }

    /// Waits for the end of the connection, which must be a FIN and not a reset.
    async fn closed(&mut self) {
        let mut rest = Vec::new();
        soon(self.0.read_to_end(&mut rest))
            .await
            .expect("reset instead of closed");
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    }
}

//! Clients that are slow, that send too much, or that never come to an end, beside others that are served.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use msf_core::{body::Body, server::Limits, task};
use msf_gateway::{Route, RunningGateway};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{self, Instant},
};

use crate::common::{PATIENCE, System, get, hello, raw, read_until};

async fn serve(
    system: &System,
    routes: impl IntoIterator<Item = Route>,
    limits: Limits,
) -> RunningGateway {
    let server = system
        .gateway(routes)
        .await
        .server(([127, 0, 0, 1], 0).into());
    server.workers(1).limits(limits).start().unwrap()
}

fn quick() -> Limits {
    let quick = Duration::from_millis(300);
    Limits::default()
        .header_timeout(quick)
        .idle_timeout(quick)
        .body_timeout(quick)
        .write_timeout(Duration::from_secs(1))
}

/// Reads all of the body and says how much it was, or that it broke off.
async fn count(request: Request<Body>) -> Response<Body> {
    match request.into_body().collect().await {
        Ok(body) => Response::new(Body::from(format!("{} bytes", body.to_bytes().len()))),
        Err(_) => Response::new(Body::from("broke off")),
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_408_and_its_service_is_let_go() {
    let system = System::new().with("order", count).await;
    let gateway = serve(&system, [Route::prefix("/").to("order").public()], quick()).await;
    for head in ["content-length: 100", "transfer-encoding: chunked"] {
        let request = format!("POST / HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\n5\r\nbegun");
        let answer = raw(gateway.addr(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("request_timeout"), "{answer}");
    }
}

#[tokio::test]
async fn a_head_that_drips_is_cut_and_an_idle_connection_is_closed() {
    let system = System::new().with("order", hello).await;
    let gateway = serve(&system, [Route::prefix("/").to("order").public()], quick()).await;
    let mut dripping = TcpStream::connect(gateway.addr()).await.unwrap();
    let begun = Instant::now();
    let drip = async {
        loop {
            if dripping.write_all(b"G").await.is_err() {
                break;
            }
            let mut answer = [0; 1_024];
            let read = time::timeout(Duration::from_millis(50), dripping.read(&mut answer));
            if read.await.is_ok() {
                break;
            }
        }
    };
    time::timeout(PATIENCE, drip).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(250));

    let mut idle = TcpStream::connect(gateway.addr()).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut idle, "hello").await;
    let end = time::timeout(PATIENCE, idle.read(&mut [0; 16]))
        .await
        .unwrap();
    assert_eq!(end.unwrap(), 0);
}

/// A large answer in pieces, which counts as wanted for as long as it is held.
struct Large {
    left: usize,
    wanted: Arc<AtomicI64>,
}

impl Drop for Large {
    fn drop(&mut self) {
        self.wanted.fetch_sub(1, Ordering::SeqCst);
    }
}

impl http_body::Body for Large {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return std::task::Poll::Ready(None);
        }
        self.left -= 1;
        let piece = Bytes::from_static(&[b'x'; 64 << 10]);
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(piece))))
    }
}

/// A service of large answers, and how many of them are wanted.
async fn with_large() -> (System, Arc<AtomicI64>) {
    let wanted = Arc::new(AtomicI64::new(0));
    let counted = Arc::clone(&wanted);
    let system = System::new()
        .with("large", move |_request| {
            counted.fetch_add(1, Ordering::SeqCst);
            let wanted = Arc::clone(&counted);
            async move {
                Response::new(Body::new(Large {
                    left: 4_096,
                    wanted,
                }))
            }
        })
        .await;
    (system, wanted)
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_holds_nothing() {
    let (system, wanted) = with_large().await;
    let system = system.with("order", hello).await;
    let routes = [
        Route::prefix("/large").to("large").public(),
        Route::prefix("/").to("order").public(),
    ];
    let gateway = serve(&system, routes, quick()).await;
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    stream
        .write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut stream, "xxxx").await;
    // And no more: what does not fit into the sockets must not be read from the service.
    let let_go = async {
        while wanted.load(Ordering::SeqCst) > 0 {
            assert_eq!(get(gateway.addr(), "/").await.text(), "hello");
            time::sleep(Duration::from_millis(50)).await;
        }
    };
    time::timeout(PATIENCE, let_go).await.unwrap();
    drop(stream);
}

/// RFC 9113 section 5.2.2: TCP is content, and the window stays shut.
#[tokio::test]
async fn a_window_that_stays_shut_holds_no_service() {
    let (system, wanted) = with_large().await;
    let route = Route::prefix("/").to("large").public();
    let gateway = serve(&system, [route], quick()).await;
    for window in [0, 1] {
        let stream = TcpStream::connect(gateway.addr()).await.unwrap();
        let (mut client, connection) = h2::client::Builder::new()
            .initial_window_size(window)
            .handshake::<_, Bytes>(stream)
            .await
            .unwrap();
        task::spawn("h2 client", async { drop(connection.await) }).detach();
        let mut bodies = Vec::new();
        for _ in 0..5 {
            client = client.ready().await.unwrap();
            let (answer, _body) = client.send_request(request("/"), true).unwrap();
            bodies.push(answer.await.unwrap().into_body());
        }
        assert_eq!(wanted.load(Ordering::SeqCst), 5);
        let let_go = async {
            while wanted.load(Ordering::SeqCst) > 0 {
                time::sleep(Duration::from_millis(20)).await;
            }
        };
        time::timeout(PATIENCE, let_go).await.unwrap();
        drop(bodies);
    }
}

#[tokio::test]
async fn slow_clients_do_not_slow_the_others() {
    let system = System::new().with("order", count).await;
    let limits = Limits::default().header_timeout(Duration::from_secs(30));
    let gateway = serve(&system, [Route::prefix("/").to("order").public()], limits).await;
    let addr = gateway.addr();
    let mut slow = Vec::new();
    for index in 0..200 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let begun: &[u8] = match index % 3 {
            0 => b"GET / HTT",
            1 => b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nbegun",
            _ => b"",
        };
        stream.write_all(begun).await.unwrap();
        slow.push(stream);
    }
    let begun = Instant::now();
    for _ in 0..50 {
        assert_eq!(get(addr, "/").await.text(), "0 bytes");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert!(gateway.connections() >= 200);
}

async fn http2(
    addr: SocketAddr,
) -> (
    h2::client::SendRequest<Bytes>,
    task::Task<Result<(), h2::Error>>,
) {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    (client, task::spawn("h2 client", connection))
}

fn request(path: &str) -> Request<()> {
    let request = Request::get(format!("http://shop.example{path}"));
    request.body(()).unwrap()
}

/// CVE-2023-44487: streams that are opened and reset cost the client nothing.
#[tokio::test]
async fn streams_that_are_reset_at_once_harm_nobody_else() {
    let in_flight = Arc::new(AtomicI64::new(0));
    let counted = Arc::clone(&in_flight);
    let system = System::new()
        .with("slow", move |_request| {
            counted.fetch_add(1, Ordering::SeqCst);
            let guard = Large {
                left: 0,
                wanted: Arc::clone(&counted),
            };
            async move {
                let _guard = guard;
                std::future::pending::<Response<Body>>().await
            }
        })
        .await
        .with("order", hello)
        .await;
    let routes = [
        Route::prefix("/slow").to("slow").public(),
        Route::prefix("/").to("order").public(),
    ];
    let gateway = serve(&system, routes, Limits::default()).await;
    let (mut client, connection) = http2(gateway.addr()).await;
    let attack = async {
        for _ in 0..2_000 {
            client = match client.clone().ready().await {
                Ok(client) => client,
                // Told to go away, which is as well.
                Err(_) => return,
            };
            let Ok((_answer, mut stream)) = client.send_request(request("/slow"), true) else {
                return;
            };
            stream.send_reset(h2::Reason::CANCEL);
            tokio::task::yield_now().await;
        }
    };
    time::timeout(PATIENCE, attack).await.unwrap();
    let begun = Instant::now();
    assert_eq!(get(gateway.addr(), "/").await.text(), "hello");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    drop((client, connection));
    let calm = async {
        while in_flight.load(Ordering::SeqCst) > 0 {
            time::sleep(Duration::from_millis(10)).await;
        }
    };
    time::timeout(PATIENCE, calm).await.unwrap();
}

/// RFC 9113 sections 5.1.2 and 10.5.1.
#[tokio::test]
async fn http2_has_its_limits_too() {
    let system = System::new().with("order", hello).await;
    let limits = Limits::default().http2_streams_max(3);
    let gateway = serve(&system, [Route::prefix("/").to("order").public()], limits).await;
    let (client, _connection) = http2(gateway.addr()).await;
    let mut client = client.ready().await.unwrap();
    let (answer, _) = client.send_request(request("/"), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    assert_eq!(client.current_max_send_streams(), 3);

    let mut large = request("/");
    large
        .headers_mut()
        .insert("x", "a".repeat(60_000).parse().unwrap());
    let mut client = client.ready().await.unwrap();
    let refused = match client.send_request(large, true) {
        Ok((answer, _)) => match answer.await {
            Ok(answer) => answer.status() == 431,
            Err(error) => error.is_reset() || error.is_go_away() || error.is_io(),
        },
        Err(_) => true,
    };
    assert!(refused);
    assert_eq!(get(gateway.addr(), "/").await.text(), "hello");
}

/// RFC 9110 section 6.6.1: a recipient with a clock adds a date where there is none.
#[tokio::test]
async fn the_gateways_own_answers_have_one_date() {
    let system = System::new().with("order", hello).await;
    let route = Route::prefix("/").to("order").public();
    let gateway = serve(&system, [route], Limits::default()).await;
    let own = b"GET /%00 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = raw(gateway.addr(), own).await.to_ascii_lowercase();
    assert_eq!(answer.matches("\r\ndate: ").count(), 1, "{answer}");
}

//! Both protocols on both sides.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use msf_client::transport::{Connections, Protocol, ResponseBody};
use msf_core::{body::Body, task};
use msf_gateway::{Route, RunningGateway};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Notify, mpsc},
    time,
};

use crate::common::{PATIENCE, System, eventually, raw, read_until, scripted, start_speaking};

const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::H2c];

fn all() -> Route {
    Route::prefix("/").to("service").public()
}

/// A gateway that speaks `up` to a service that is a function.
async fn between<F, R>(up: Protocol, answer: F) -> (RunningGateway, System)
where
    F: Fn(Request<Body>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let system = System::new().with("service", answer).await;
    let gateway = start_speaking(system.gateway([all()]).await, up);
    (gateway, system)
}

fn client(down: Protocol) -> Connections {
    Connections::builder().protocol(down).build()
}

async fn send(
    down: Protocol,
    addr: SocketAddr,
    mut request: Request<Body>,
) -> Response<ResponseBody> {
    let host = "shop.example".parse().unwrap();
    request.headers_mut().insert("host", host);
    let sending = time::timeout(PATIENCE, client(down).send(addr, request));
    sending.await.unwrap().unwrap()
}

fn sum(value: &str) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert("x-sum", value.parse().unwrap());
    fields.insert("x-user-id", "1".parse().unwrap());
    fields.insert("x-secret", "2".parse().unwrap());
    fields
}

/// Says what it got, and answers with trailers of its own.
async fn account(request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let seen = format!(
        "{:?} {} {} te={:?} body={:?} trailers={:?}",
        parts.version,
        parts.method,
        parts.uri.path(),
        parts.headers.get("te"),
        body.to_bytes(),
        trailers
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect::<Vec<_>>(),
    );
    let mut fields = sum("8");
    fields.insert("set-cookie", "a=b".parse().unwrap());
    let (feeder, pieces) = mpsc::unbounded_channel();
    feeder
        .send(Ok(http_body::Frame::data(Bytes::from(seen))))
        .unwrap();
    feeder.send(Ok(http_body::Frame::trailers(fields))).unwrap();
    Response::builder()
        .header("trailer", "x-sum, x-secret, set-cookie")
        .body(Body::new(Fed(pieces)))
        .unwrap()
}

#[tokio::test]
async fn bodies_and_trailers_pass_in_every_combination() {
    for up in BOTH {
        let (gateway, _system) = between(up, account).await;
        for down in BOTH {
            let body = Full::new(Bytes::from("data"));
            let body = body.with_trailers(async move { Some(Ok(sum("7"))) });
            let request = Request::put("/a")
                .header("te", "trailers")
                .header("trailer", "x-sum, x-user-id")
                .body(Body::new(body))
                .unwrap();
            let response = send(down, gateway.addr(), request).await;
            assert_eq!(response.status(), StatusCode::OK, "{down:?} {up:?}");
            let answer = response.into_body().collect().await.unwrap();
            let trailers = answer.trailers().cloned().unwrap_or_default();
            let seen = answer.to_bytes();
            let version = match up {
                Protocol::H2c => "HTTP/2.0",
                _ => "HTTP/1.1",
            };
            let expected = format!(
                "{version} PUT /a te=Some(\"trailers\") body=b\"data\" trailers=[(\"x-sum\", \"7\")]"
            );
            assert_eq!(seen, expected, "{down:?} {up:?}");
            assert_eq!(trailers["x-sum"], "8", "{down:?} {up:?}");
            assert!(!trailers.contains_key("set-cookie"), "{down:?} {up:?}");
        }
        // Who does not ask for trailers over HTTP/1.1 gets none, and neither does the service hear of it.
        let request = "GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let seen = raw(gateway.addr(), request.as_bytes()).await;
        assert!(seen.contains("te=None"), "{seen}");
        assert!(seen.ends_with("\r\n0\r\n\r\n"), "{seen}");
    }
}

#[tokio::test]
async fn answers_without_a_body_have_none_in_any_combination() {
    for up in BOTH {
        let answer = |request: Request<Body>| async move {
            match request.uri().path() {
                "/none" => Response::builder().status(204).body(Body::empty()),
                "/same" => Response::builder()
                    .status(304)
                    .header("etag", "\"1\"")
                    .body(Body::empty()),
                _ => Response::builder()
                    .header("content-length", "7")
                    .body(Body::from("content")),
            }
            .unwrap()
        };
        let (gateway, _system) = between(up, answer).await;
        for down in BOTH {
            let of = |method: &str, path: &str| {
                let request = Request::builder().method(method).uri(path);
                send(down, gateway.addr(), request.body(Body::empty()).unwrap())
            };
            let head = of("HEAD", "/some").await;
            assert_eq!(head.headers()["content-length"], "7", "{down:?} {up:?}");
            assert!(
                head.into_body()
                    .collect()
                    .await
                    .unwrap()
                    .to_bytes()
                    .is_empty()
            );
            let none = of("GET", "/none").await;
            assert_eq!(none.status(), StatusCode::NO_CONTENT);
            assert!(!none.headers().contains_key("content-length"));
            assert!(!none.headers().contains_key("transfer-encoding"));
            let same = of("GET", "/same").await;
            assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(same.headers()["etag"], "\"1\"");
            let some = of("GET", "/some").await;
            assert_eq!(some.headers()["content-length"], "7");
            let body = some.into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes(), "content");
        }
    }
}

#[tokio::test]
async fn an_old_service_that_ends_with_its_connection_is_passed_on_in_chunks() {
    let addr = scripted(|mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let answer = b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nold";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let system = System::new().with_addr("service", addr).await;
    let gateway = system.serve([all()]).await;
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    for _ in 0..2 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let seen = read_until(&mut stream, "0\r\n\r\n").await;
        assert!(seen.starts_with("HTTP/1.1 200 "), "{seen}");
        assert!(seen.contains("3\r\nold\r\n0\r\n"), "{seen}");
    }
    let response = send(
        Protocol::H2c,
        gateway.addr(),
        Request::get("/").body(Body::empty()).unwrap(),
    );
    let body = response.await.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "old");
}

/// Sends the half of an answer and breaks off when it is told.
async fn breaking(up: Protocol, told: Arc<Notify>) -> SocketAddr {
    scripted(move |mut stream: TcpStream| {
        let told = told.clone();
        async move {
            if up == Protocol::H2c {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_request, mut respond))) = connection.accept().await {
                    let mut send = respond.send_response(Response::new(()), false).unwrap();
                    send.send_data("begun".into(), false).unwrap();
                    let told = told.clone();
                    task::spawn("breaking", async move {
                        told.notified().await;
                        send.send_reset(h2::Reason::INTERNAL_ERROR);
                    })
                    .detach();
                }
                return;
            }
            read_until(&mut stream, "\r\n\r\n").await;
            let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n";
            stream.write_all(answer).await.unwrap();
            told.notified().await;
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_that_breaks_off_looks_complete_to_nobody() {
    for up in BOTH {
        let tell = Arc::new(Notify::new());
        let addr = breaking(up, tell.clone()).await;
        let system = System::new().with_addr("service", addr).await;
        let gateway = start_speaking(system.gateway([all()]).await, up);
        for down in BOTH {
            let request = Request::get("/").body(Body::empty()).unwrap();
            let response = send(down, gateway.addr(), request).await;
            let mut body = response.into_body();
            let first = body.frame().await.unwrap().unwrap();
            assert_eq!(first.into_data().unwrap(), "begun", "{down:?} {up:?}");
            tell.notify_one();
            let rest = time::timeout(PATIENCE, body.collect()).await.unwrap();
            assert!(rest.is_err(), "{down:?} {up:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_service_in_every_combination() {
    struct OnDrop(mpsc::UnboundedSender<()>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            let _unheard = self.0.send(());
        }
    }
    for up in BOTH {
        let (told, mut tells) = mpsc::unbounded_channel();
        let begun = Arc::new(Notify::new());
        let begins = begun.clone();
        let answer = move |_request| {
            let (guard, begins) = (OnDrop(told.clone()), begins.clone());
            async move {
                let _guard = guard;
                begins.notify_one();
                std::future::pending::<Response<Body>>().await
            }
        };
        let (gateway, _system) = between(up, answer).await;
        for down in BOTH {
            let connections = client(down);
            let request = Request::get("/").header("host", "a");
            let request = request.body(Body::empty()).unwrap();
            let sending = connections.send(gateway.addr(), request);
            tokio::select! {
                _answer = sending => panic!("nobody answers"),
                () = begun.notified() => {}
            }
            let gone = time::timeout(PATIENCE, tells.recv()).await;
            assert!(gone.is_ok(), "{down:?} {up:?}");
        }
    }
}

#[tokio::test]
async fn an_early_answer_passes_while_the_body_is_still_coming() {
    for up in BOTH {
        let answer = |_request| async { Response::new(Body::from("no more")) };
        let (gateway, _system) = between(up, answer).await;
        for down in BOTH {
            let (feeder, pieces) =
                mpsc::unbounded_channel::<Result<http_body::Frame<Bytes>, String>>();
            feeder
                .send(Ok(http_body::Frame::data(Bytes::from("begun"))))
                .unwrap();
            let request = Request::post("/").body(Body::new(Fed(pieces))).unwrap();
            let response = send(down, gateway.addr(), request).await;
            let mut body = response.into_body();
            let first = body.frame().await.unwrap().unwrap();
            assert_eq!(first.into_data().unwrap(), "no more", "{down:?} {up:?}");
            drop(body);
            eventually(|| feeder.is_closed()).await;
        }
    }
}

struct Fed(mpsc::UnboundedReceiver<Result<http_body::Frame<Bytes>, String>>);

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, String>>> {
        self.0.poll_recv(cx)
    }
}

#[tokio::test]
async fn each_piece_passes_before_the_next_in_every_combination() {
    for up in BOTH {
        let (gateway, _system) = between(up, |request: Request<Body>| async {
            Response::new(request.into_body())
        })
        .await;
        for down in BOTH {
            let (feeder, pieces) = mpsc::unbounded_channel();
            let request = Request::post("/").body(Body::new(Fed(pieces))).unwrap();
            feeder
                .send(Ok(http_body::Frame::data(Bytes::from("first"))))
                .unwrap();
            let mut body = send(down, gateway.addr(), request).await.into_body();
            for piece in ["first", "second", "third"] {
                if piece != "first" {
                    let frame = http_body::Frame::data(Bytes::from(piece));
                    feeder.send(Ok(frame)).unwrap();
                }
                let frame = time::timeout(PATIENCE, body.frame()).await;
                let frame = frame.unwrap().unwrap().unwrap();
                assert_eq!(frame.into_data().unwrap(), piece, "{down:?} {up:?}");
            }
            drop(feeder);
            assert!(body.collect().await.unwrap().to_bytes().is_empty());
        }
    }
}

#[tokio::test]
async fn many_requests_of_one_client_share_few_connections_of_the_service() {
    let (gateway, _system) = between(Protocol::H2c, |request: Request<Body>| async move {
        assert_eq!(request.version(), Version::HTTP_2);
        Response::new(request.into_body())
    })
    .await;
    let connections = client(Protocol::H2c);
    let sends: Vec<_> = (0..200)
        .map(|number| {
            let (connections, addr) = (connections.clone(), gateway.addr());
            task::spawn("caller", async move {
                let text = number.to_string();
                let request = Request::post("/").header("host", "a");
                let request = request.body(Body::from(text.clone())).unwrap();
                let response = connections.send(addr, request).await.unwrap();
                let body = response.into_body().collect().await.unwrap();
                assert_eq!(body.to_bytes(), text);
            })
        })
        .collect();
    for send in sends {
        send.join().await.expect("no caller panics");
    }
    assert!(connections.open() <= 4, "{}", connections.open());
}

/// RFC 9113 section 8.1: half of a request must not pass for the whole of it, whatever its client says in going.
#[tokio::test]
async fn an_upload_that_is_cut_off_does_not_look_complete() {
    for up in BOTH {
        for reason in [h2::Reason::NO_ERROR, h2::Reason::CANCEL] {
            let (tell, mut told) = mpsc::unbounded_channel();
            let (gateway, _system) = between(up, move |request: Request<Body>| {
                let tell = tell.clone();
                async move {
                    // By itself: the call may be gone before its body is read.
                    let reading = task::spawn("reading", async move {
                        let mut body = request.into_body();
                        loop {
                            let frame = body.frame().await;
                            let is_over = !matches!(frame, Some(Ok(_)));
                            tell.send(frame.map(|frame| frame.is_ok())).unwrap();
                            if is_over {
                                return;
                            }
                        }
                    });
                    reading.detach();
                    std::future::pending().await
                }
            })
            .await;
            let stream = TcpStream::connect(gateway.addr()).await.unwrap();
            let (client, connection) = h2::client::handshake(stream).await.unwrap();
            let _connection = task::spawn("h2 client", connection);
            let mut client = client.ready().await.unwrap();
            let request = Request::post("http://shop.example/").body(()).unwrap();
            let (_answer, mut upload) = client.send_request(request, false).unwrap();
            upload.send_data(Bytes::from("half"), false).unwrap();
            let mut next = async || time::timeout(PATIENCE, told.recv()).await.unwrap();
            assert_eq!(next().await, Some(Some(true)));
            upload.send_reset(reason);
            assert_eq!(next().await, Some(Some(false)), "{up:?} {reason:?}");
        }
    }
}

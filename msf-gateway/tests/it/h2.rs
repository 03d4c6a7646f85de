//! Both protocols on both sides, and clients of HTTP/2 that say what HTTP/1.1 must not be told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use msf_client::transport::{Connections, Protocol, ResponseBody};
use msf_core::{body::Body, task};
use msf_gateway::{Route, RunningGateway};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
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

/// What a service may say about a body that it does not have.
#[tokio::test]
async fn a_length_where_no_body_can_be_is_not_passed_on() {
    let addr = scripted(|mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let answer = b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let system = System::new().with_addr("service", addr).await;
    let gateway = system.serve([all()]).await;
    let seen = raw(
        gateway.addr(),
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(seen.starts_with("HTTP/1.1 204 "), "{seen}");
    assert!(!seen.contains("content-length"), "{seen}");
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

/// Fields of a request as HPACK has them, none of them checked.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal that is not indexed, with a name of its own (RFC 7541 section 6.2.2).
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = len[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Sends a request of frames and reads how it ends: answered, reset, or with the connection.
async fn sends(addr: SocketAddr, fields: &[(&str, &str)], data: &[u8]) -> &'static str {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    let flags = if data.is_empty() {
        END_HEADERS | END_STREAM
    } else {
        END_HEADERS
    };
    bytes.extend(frame(HEADERS, flags, 1, &block(fields)));
    if !data.is_empty() {
        bytes.extend(frame(DATA, END_STREAM, 1, data));
    }
    stream.write_all(&bytes).await.unwrap();
    let end = async {
        let mut head = [0; 9];
        while stream.read_exact(&mut head).await.is_ok() {
            let len = usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; len];
            if stream.read_exact(&mut payload).await.is_err() {
                break;
            }
            match head[3] {
                HEADERS => return "answered",
                RST_STREAM => return "reset",
                GOAWAY => return "closed",
                _ => {}
            }
        }
        "closed"
    };
    time::timeout(PATIENCE, end).await.unwrap()
}

#[tokio::test]
async fn what_http1_would_read_as_another_request_does_not_get_through() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = seen.clone();
    let addr = scripted(move |mut stream: TcpStream| {
        let told = told.clone();
        async move {
            let mut bytes = [0; 4_096];
            while let Ok(len @ 1..) = stream.read(&mut bytes).await {
                let text = String::from_utf8_lossy(&bytes[..len]).into_owned();
                told.lock().unwrap().push(text);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        }
    })
    .await;
    let system = System::new().with_addr("service", addr).await;
    let gateway = system.serve([all()]).await;
    let get = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "shop.example"),
        (":path", "/"),
    ];
    // The harness itself is heard.
    assert_eq!(sends(gateway.addr(), &get, b"").await, "answered");
    assert_eq!(seen.lock().unwrap().len(), 1);
    seen.lock().unwrap().clear();

    let with = |at: usize, value: &'static str| {
        let mut fields = get.to_vec();
        fields[at].1 = value;
        fields
    };
    let and = |more: &[(&'static str, &'static str)]| {
        let mut fields = get.to_vec();
        fields.extend_from_slice(more);
        fields
    };
    let evil = "GET /evil HTTP/1.1\r\nhost: a\r\n\r\n";
    let cases: Vec<(&str, Vec<(&str, &str)>, &[u8])> = vec![
        ("a line in :path", with(3, "/ HTTP/1.1\r\nx: evil"), b""),
        ("a space in :path", with(3, "/ evil"), b""),
        ("a NUL in :path", with(3, "/\0evil"), b""),
        ("no slash in :path", with(3, "evil"), b""),
        ("an empty :path", with(3, ""), b""),
        (
            "a line in :method",
            with(0, "GET /evil HTTP/1.1\r\nx: "),
            b"",
        ),
        ("a space in :method", with(0, "GET /evil"), b""),
        ("a line in :authority", with(2, "a\r\nx: evil"), b""),
        ("a path in :authority", with(2, "a/evil"), b""),
        ("a user in :authority", with(2, "evil@a"), b""),
        ("another host", and(&[("host", "evil")]), b""),
        ("a line in a value", and(&[("x", "1\r\nevil: 1")]), b""),
        ("a line feed in a value", and(&[("x", "1\nevil: 1")]), b""),
        ("a NUL in a value", and(&[("x", "1\0evil")]), b""),
        ("a colon in a name", and(&[("x: evil", "1")]), b""),
        ("a line in a name", and(&[("x\r\nevil", "1")]), b""),
        ("a space in a name", and(&[("x evil", "1")]), b""),
        ("large letters in a name", and(&[("Evil", "1")]), b""),
        (
            "chunks",
            and(&[("transfer-encoding", "chunked")]),
            evil.as_bytes(),
        ),
        ("a connection", and(&[("connection", "evil")]), b""),
        ("an upgrade", and(&[("upgrade", "evil")]), b""),
        (
            "a length that is too short",
            and(&[("content-length", "3")]),
            evil.as_bytes(),
        ),
        (
            "a length that is too long",
            and(&[("content-length", "99")]),
            evil.as_bytes(),
        ),
        (
            "two lengths",
            and(&[("content-length", "3"), ("content-length", "33")]),
            evil.as_bytes(),
        ),
        (
            "a length that is none",
            and(&[("content-length", "+33")]),
            evil.as_bytes(),
        ),
        ("a second :path", and(&[(":path", "/evil")]), b""),
        ("an unknown pseudo header", and(&[(":evil", "1")]), b""),
        ("a protocol", and(&[(":protocol", "websocket")]), b""),
        ("no method", get[1..].to_vec(), b""),
    ];
    for (name, fields, data) in cases {
        let ended = sends(gateway.addr(), &fields, data).await;
        // A 400 of the gateway is as good as a reset; what counts is what the service has seen.
        let heard: String = seen.lock().unwrap().drain(..).collect();
        assert!(!heard.contains("evil"), "{name}: {ended} {heard}");
        let requests = heard.matches("HTTP/1.1\r\n").count();
        assert!(requests <= 1, "{name}: {heard}");
        println!("{name}: {ended}, {requests} forwarded");
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

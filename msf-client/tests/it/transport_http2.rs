//! HTTP/2 without TLS.

use std::{
    future::pending,
    net::TcpListener as StdListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use msf_client::transport::{Connections, Protocol, ResponseBody, TransportError, Upstream};
use msf_core::{body::Body, testing::TestServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::yield_now,
    time,
};

use crate::callee::{Scripted, echo, eventually, fed, get, post};

fn h2c() -> Connections {
    Connections::builder().protocol(Protocol::H2c).build()
}

async fn text(response: Response<ResponseBody>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a callee does with each request.
type Answer = Arc<dyn Fn(usize, Request<h2::RecvStream>, SendResponse<Bytes>) + Send + Sync>;

/// A callee with so many streams per connection.
async fn callee(streams_max: u32, answer: Answer) -> Scripted {
    let requests = Arc::new(AtomicUsize::new(0));
    Scripted::start(move |stream: TcpStream| {
        let (answer, requests) = (answer.clone(), requests.clone());
        async move {
            let mut builder = h2::server::Builder::new();
            builder.max_concurrent_streams(streams_max);
            let Ok(mut connection) = builder.handshake(stream).await else {
                return;
            };
            while let Some(Ok((request, respond))) = connection.accept().await {
                answer(requests.fetch_add(1, Ordering::Relaxed), request, respond);
            }
        }
    })
    .await
}

fn ok(mut respond: SendResponse<Bytes>) {
    respond.send_response(Response::new(()), true).unwrap();
}

#[tokio::test]
async fn requests_share_a_connection() {
    let callee = callee(100, Arc::new(|_, _, respond| ok(respond))).await;
    let connections = h2c();
    for _ in 0..3 {
        let sends: Vec<_> = (0..20)
            .map(|_| {
                let (connections, addr) = (connections.clone(), callee.addr);
                msf_core::task::spawn("caller", async move {
                    connections.send(addr, get("/")).await.unwrap()
                })
            })
            .collect();
        for send in sends {
            let response = send.join().await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
        }
    }
    assert_eq!(callee.accepted(), 1);
    eventually(|| (connections.idle(), connections.open()) == (1, 1)).await;
}

#[tokio::test]
async fn both_protocols_are_spoken_to_one_callee() {
    let callee = echo().await;
    let connections = Connections::default();
    for (protocol, version) in [
        (Protocol::Http1, Version::HTTP_11),
        (Protocol::H2c, Version::HTTP_2),
    ] {
        let upstream = Upstream::new().protocol(protocol);
        let request = post(Body::from("hello"));
        let response = connections.send_to(callee.addr(), &upstream, request);
        let response = response.await.unwrap();
        assert_eq!(response.version(), version);
        assert_eq!(text(response).await, "hello");
    }
    assert_eq!(connections.open(), 2);
}

#[tokio::test]
async fn the_next_connection_is_opened_at_four_fifths_of_the_streams() {
    let (held, mut holds) = mpsc::unbounded_channel();
    let answer = move |_, _, respond| held.send(respond).unwrap();
    let callee = callee(5, Arc::new(answer)).await;
    let connections = h2c();
    let mut sends = Vec::new();
    let mut responds = Vec::new();
    for expected in [1, 1, 1, 1, 2, 2, 2, 2] {
        let (connections, addr) = (connections.clone(), callee.addr);
        let send = async move { connections.send(addr, get("/")).await };
        sends.push(msf_core::task::spawn("caller", send));
        responds.push(holds.recv().await.unwrap());
        assert_eq!(callee.accepted(), expected);
    }
    responds.into_iter().for_each(ok);
    for send in sends {
        assert!(send.join().await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn requests_wait_for_a_stream_when_there_may_be_no_other_connection() {
    let (held, mut holds) = mpsc::unbounded_channel();
    let answer = move |_, _, respond| held.send(respond).unwrap();
    let callee = callee(1, Arc::new(answer)).await;
    let connections = Connections::builder()
        .protocol(Protocol::H2c)
        .max_connections(1)
        .queue_max(2)
        .streams_max(1)
        .build();
    let mut sends = Vec::new();
    for _ in 0..3 {
        let mut send = tokio_test::task::spawn(connections.send(callee.addr, get("/")));
        assert!(send.poll().is_pending());
        sends.push(send);
    }
    let error = connections.send(callee.addr, get("/")).await.unwrap_err();
    assert!(
        matches!(error, TransportError::QueueFull { limit: 2, .. }),
        "{error}"
    );
    for mut send in sends {
        let respond = async {
            ok(holds.recv().await.unwrap());
            pending::<()>().await;
        };
        let response = tokio::select! {
            response = &mut send => response.unwrap(),
            () = respond => unreachable!(),
        };
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(callee.accepted(), 1);
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_whole() {
    let answer = |number, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>| {
        if number == 0 {
            respond.send_reset(h2::Reason::REFUSED_STREAM);
            return;
        }
        msf_core::task::spawn("reader", async move {
            let mut body = request.into_body();
            let mut seen = Vec::new();
            while let Some(piece) = body.data().await {
                seen.extend_from_slice(&piece.unwrap());
            }
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data(seen.into(), true).unwrap();
        })
        .detach();
    };
    let callee = callee(100, Arc::new(answer)).await;
    let request = post(Body::from("all of it"));
    let response = h2c().send(callee.addr, request).await.unwrap();
    assert_eq!(text(response).await, "all of it");
}

#[tokio::test]
async fn a_callee_that_refuses_everything_is_named() {
    let answer =
        |_, _, mut respond: SendResponse<Bytes>| respond.send_reset(h2::Reason::REFUSED_STREAM);
    let callee = callee(100, Arc::new(answer)).await;
    let connections = h2c();
    let error = connections.send(callee.addr, get("/")).await.unwrap_err();
    assert!(matches!(error, TransportError::Refused { .. }), "{error:?}");
    assert!(error.is_unsent() && !error.is_own_fault());
    eventually(|| connections.idle() == connections.open()).await;
}

#[tokio::test]
async fn any_other_reset_is_not_sent_again() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let answer = move |_, _, mut respond: SendResponse<Bytes>| {
        count.fetch_add(1, Ordering::Relaxed);
        respond.send_reset(h2::Reason::INTERNAL_ERROR);
    };
    let callee = callee(100, Arc::new(answer)).await;
    let error = h2c().send(callee.addr, get("/")).await.unwrap_err();
    assert!(matches!(error, TransportError::Reset { .. }), "{error:?}");
    assert!(!error.is_unsent());
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}

/// Reads one frame: its type, flags and stream.
async fn read_frame(stream: &mut TcpStream) -> Option<(u8, u8, u32)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut rest = vec![0; usize::try_from(len).unwrap()];
    stream.read_exact(&mut rest).await.ok()?;
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some((head[3], head[4], id))
}

#[tokio::test]
async fn a_stream_above_the_last_of_a_goaway_goes_to_the_next_connection() {
    let turn = Arc::new(AtomicUsize::new(0));
    let callee = Scripted::start(move |mut stream: TcpStream| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        async move {
            if turn > 0 {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_request, respond))) = connection.accept().await {
                    ok(respond);
                }
                return;
            }
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).await.unwrap();
            let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
            stream.write_all(&settings).await.unwrap();
            while read_frame(&mut stream).await.unwrap().0 != HEADERS {}
            let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            stream.write_all(&goaway).await.unwrap();
            while read_frame(&mut stream).await.is_some() {}
        }
    })
    .await;
    let connections = h2c();
    let response = connections
        .send(callee.addr, post(Body::from("kept")))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(callee.accepted(), 2);
    eventually(|| connections.open() == 1).await;
}

const HEADERS: u8 = 1;

#[tokio::test]
async fn what_was_in_flight_before_a_goaway_is_finished() {
    let callee = Scripted::start(|stream: TcpStream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
        connection.graceful_shutdown();
        let late = async move {
            time::sleep(Duration::from_millis(50)).await;
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data("late".into(), true).unwrap();
            pending::<()>().await;
        };
        tokio::select! {
            () = late => {}
            _ended = async { while connection.accept().await.is_some() {} } => {}
        }
    })
    .await;
    let connections = h2c();
    for connection in 1..3 {
        let response = connections.send(callee.addr, get("/")).await.unwrap();
        assert_eq!(text(response).await, "late");
        assert_eq!(callee.accepted(), connection);
    }
}

#[tokio::test]
async fn both_bodies_stream_at_once() {
    let callee = echo().await;
    let connections = h2c();
    let (feeder, body) = fed();
    let response = connections.send(callee.addr(), post(body)).await.unwrap();
    let mut answer = response.into_body();
    for piece in ["first", "second"] {
        feeder.send(Ok(Bytes::from(piece))).unwrap();
        let frame = answer.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
    }
    drop(feeder);
    assert!(answer.collect().await.unwrap().to_bytes().is_empty());
    eventually(|| connections.idle() == 1).await;
}

#[tokio::test]
async fn an_answer_that_is_dropped_ends_the_upload_and_spares_the_connection() {
    let callee = echo().await;
    let connections = h2c();
    let (feeder, body) = fed();
    feeder.send(Ok(Bytes::from("begun"))).unwrap();
    let response = connections.send(callee.addr(), post(body)).await.unwrap();
    drop(response);
    eventually(|| feeder.is_closed()).await;
    assert_eq!((connections.idle(), connections.open()), (1, 1));
    let response = connections.send(callee.addr(), post(Body::from("next")));
    assert_eq!(text(response.await.unwrap()).await, "next");
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_reset() {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let answer = move |_, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>| {
        let ended = ended.clone();
        msf_core::task::spawn("watcher", async move {
            let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            drop(request);
            ended.send(reason.unwrap()).unwrap();
        })
        .detach();
    };
    let callee = callee(100, Arc::new(answer)).await;
    let connections = h2c();
    let (feeder, body) = fed();
    feeder.send(Ok(Bytes::from("begun"))).unwrap();
    let send = connections.send(callee.addr, post(body));
    assert!(
        time::timeout(Duration::from_millis(100), send)
            .await
            .is_err()
    );
    assert_eq!(ends.recv().await, Some(h2::Reason::CANCEL));
    eventually(|| feeder.is_closed()).await;
    assert_eq!((connections.idle(), connections.open()), (1, 1));
}

#[tokio::test]
async fn a_request_body_that_fails_says_why_and_resets_the_stream() {
    let callee = callee(
        100,
        Arc::new(|_, request: Request<h2::RecvStream>, respond| {
            msf_core::task::spawn("reader", async move {
                let mut body = request.into_body();
                while let Some(Ok(_)) = body.data().await {}
                pending::<()>().await;
                drop(respond);
            })
            .detach();
        }),
    )
    .await;
    let connections = h2c();
    let (feeder, body) = fed();
    feeder.send(Err("the disk is gone".into())).unwrap();
    let error = connections.send(callee.addr, post(body)).await.unwrap_err();
    let TransportError::RequestBody { source } = error else {
        panic!("{error:?}");
    };
    assert_eq!(source.to_string(), "the disk is gone");
    eventually(|| connections.idle() == 1).await;
}

#[tokio::test]
async fn trailers_go_both_ways_without_what_may_not_trail() {
    let (seen, mut sees) = mpsc::unbounded_channel();
    let answer = move |_, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>| {
        let seen = seen.clone();
        msf_core::task::spawn("reader", async move {
            assert_eq!(request.headers()["te"], "trailers");
            let mut body = request.into_body();
            while let Some(Ok(_)) = body.data().await {}
            seen.send(body.trailers().await.unwrap()).unwrap();
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data("x".into(), false).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            trailers.insert("set-cookie", "a=b".parse().unwrap());
            send.send_trailers(trailers).unwrap();
        })
        .detach();
    };
    let callee = callee(100, Arc::new(answer)).await;
    let mut fields = HeaderMap::new();
    for name in ["x-sum", "x-user-id", "authorization"] {
        fields.insert(name, "7".parse().unwrap());
    }
    let mut request = post(Body::new(
        Full::new(Bytes::from("data")).with_trailers(async move { Some(Ok(fields)) }),
    ));
    let headers = request.headers_mut();
    headers.insert("te", "trailers".parse().unwrap());
    headers.insert("trailer", "x-sum, authorization".parse().unwrap());
    let response = h2c().send(callee.addr, request).await.unwrap();
    let answer = response.into_body().collect().await.unwrap();
    let trailers = answer.trailers().unwrap();
    assert_eq!(trailers.len(), 1);
    assert_eq!(trailers["grpc-status"], "0");
    let arrived = sees.recv().await.unwrap().unwrap();
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived["x-sum"], "7");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_holds_up_no_other() {
    let answer = |_, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>| {
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        let pieces = if request.uri().path() == "/large" {
            64
        } else {
            4
        };
        for piece in 0..pieces {
            let data = Bytes::from(vec![7; 64 << 10]);
            send.send_data(data, piece + 1 == pieces).unwrap();
        }
    };
    let callee = callee(100, Arc::new(answer)).await;
    let connections = h2c();
    let mut unread = Vec::new();
    for _ in 0..20 {
        unread.push(connections.send(callee.addr, get("/large")).await.unwrap());
    }
    let response = connections.send(callee.addr, get("/small")).await.unwrap();
    let body = time::timeout(Duration::from_secs(5), response.into_body().collect());
    assert_eq!(body.await.unwrap().unwrap().to_bytes().len(), 256 << 10);
    assert_eq!(callee.accepted(), 1);
}

#[tokio::test]
async fn dropping_a_send_at_any_poll_leaks_nothing() {
    let callee = echo().await;
    let connections = h2c();
    for warm in [false, true] {
        for polls in 0..20 {
            if warm {
                let response = connections.send(callee.addr(), post(Body::from("warm")));
                assert_eq!(text(response.await.unwrap()).await, "warm");
            }
            let mut send = tokio_test::task::spawn(connections.send(callee.addr(), get("/")));
            for _ in 0..polls {
                if send.poll().is_ready() {
                    break;
                }
                yield_now().await;
            }
            drop(send);
            eventually(|| connections.open() == connections.idle()).await;
        }
    }
    assert!(connections.open() <= 1);
}

#[tokio::test]
async fn an_idle_connection_reaches_its_timeout() {
    let callee = echo().await;
    let connections = Connections::builder()
        .protocol(Protocol::H2c)
        .idle_timeout(Duration::from_millis(60))
        .build();
    for _ in 0..2 {
        let response = connections.send(callee.addr(), post(Body::from("x")));
        assert_eq!(text(response.await.unwrap()).await, "x");
        eventually(|| connections.open() == 0).await;
    }
}

#[tokio::test]
async fn a_callee_that_has_ended_is_called_on_a_new_connection() {
    let callee = TestServer::start(tower::service_fn(|_request| async {
        Ok::<_, std::convert::Infallible>(Response::new(Body::from("first")))
    }))
    .await;
    let connections = h2c();
    let addr = callee.addr();
    let response = connections.send(addr, get("/")).await.unwrap();
    assert_eq!(text(response).await, "first");
    callee.stop().await;
    let error = connections.send(addr, get("/")).await.unwrap_err();
    assert!(error.is_unsent(), "{error:?}");
    eventually(|| connections.open() == 0).await;
}

#[tokio::test]
async fn nobody_there_is_an_error_that_may_be_repeated() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let connections = h2c();
    let sends: Vec<_> = (0..5)
        .map(|_| {
            let connections = connections.clone();
            msf_core::task::spawn("caller", async move {
                connections.send(addr, get("/")).await.unwrap_err()
            })
        })
        .collect();
    for send in sends {
        let error = send.join().await.unwrap();
        assert!(matches!(error, TransportError::Connect { .. }), "{error}");
        assert!(error.is_unsent() && !error.is_own_fault());
    }
    assert_eq!(connections.open(), 0);
}

#[tokio::test]
async fn a_callee_that_speaks_another_protocol_breaks_this_one() {
    let callee = Scripted::start(|mut stream: TcpStream| async move {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        pending::<()>().await;
    })
    .await;
    let connections = h2c();
    let error = connections.send(callee.addr, get("/")).await.unwrap_err();
    assert!(
        matches!(error, TransportError::Protocol { .. }),
        "{error:?}"
    );
    assert!(!error.is_unsent() && !error.is_own_fault());
    eventually(|| connections.open() == 0).await;
}

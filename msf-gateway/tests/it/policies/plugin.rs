//! Plugins at a real client and a real service.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Response, StatusCode, request::Parts, response};
use msf_auth::{Identity, policy::authenticated};
use msf_core::{
    assert_problem,
    body::Body,
    problem::{Code, Problem},
};
use msf_gateway::{ClientAddr, Completed, DirectResponse, Flow, Plugin, Route};
use tokio::{io::AsyncWriteExt, net::TcpStream, time};

use super::{builder, request};
use crate::common::{PATIENCE, System, mirror, read_until, seen, send, start};

type Notes = Arc<Mutex<Vec<String>>>;

struct Noted {
    name: &'static str,
    notes: Notes,
}

impl Noted {
    fn new(name: &'static str, notes: &Notes) -> Self {
        let notes = Arc::clone(notes);
        Self { name, notes }
    }

    fn note(&self, what: &str) {
        self.notes
            .lock()
            .unwrap()
            .push(format!("{} {what}", self.name));
    }
}

impl Plugin for Noted {
    type Context = String;

    async fn on_request(&self, request: &mut Parts, context: &mut String) -> Flow {
        tokio::task::yield_now().await;
        self.note("request");
        let client = request.extensions.get::<ClientAddr>().unwrap().0.unwrap();
        let caller = Identity::of(&request.extensions).map(|caller| caller.subject().to_owned());
        *context = format!("{client} {}", caller.unwrap_or_default());
        request
            .headers
            .insert("x-plugin", self.name.parse().unwrap());
        if request.uri.path().ends_with("/no") {
            return Flow::Respond(Problem::new(Code::Forbidden).into_response());
        }
        Flow::Continue
    }

    fn on_response(&self, response: &mut response::Parts, context: &mut String) {
        self.note("response");
        response.headers.append("x-seen", context.parse().unwrap());
    }

    fn on_complete(&self, completed: &Completed, _context: &mut String) {
        let Completed {
            status, is_whole, ..
        } = completed;
        self.note(&format!("complete {status} {is_whole}"));
    }
}

fn taken(notes: &Notes) -> Vec<String> {
    std::mem::take(&mut *notes.lock().unwrap())
}

async fn noted(notes: &Notes, len: usize) -> Vec<String> {
    let so = async {
        while notes.lock().unwrap().len() < len {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        time::timeout(PATIENCE, so).await.is_ok(),
        "{:?}",
        taken(notes)
    );
    taken(notes)
}

#[tokio::test]
async fn plugins_see_requests_in_order_and_answers_the_other_way_round() {
    let system = System::new().with("order", mirror).await;
    let notes = Notes::default();
    let gateway = builder(&system)
        .plugin(Noted::new("all", &notes))
        .route(
            Route::prefix("/orders")
                .to("order")
                .policy(authenticated())
                .plugin(Noted::new("one", &notes)),
        )
        .route(
            Route::exact("/ok")
                .public()
                .respond(DirectResponse::status(StatusCode::OK)),
        );
    let gateway = start(system.build(gateway).await);
    let addr = gateway.addr();
    let bearer = format!("Bearer {}", system.token("7", &[]));
    let ask = |path| {
        send(
            addr,
            request(Method::GET, path, &[("authorization", &bearer)]),
        )
    };

    let answer = ask("/orders").await;
    assert_eq!(seen(&answer, "x-plugin"), ["one"]);
    assert_eq!(answer.headers().get_all("x-seen").iter().count(), 2);
    assert_eq!(answer.header("x-seen"), Some("127.0.0.1 7"));
    assert_eq!(
        noted(&notes, 6).await,
        [
            "all request",
            "one request",
            "one response",
            "all response",
            "one complete 200 OK true",
            "all complete 200 OK true",
        ]
    );

    // The first one answers: the second one and the service see nothing.
    let answer = ask("/orders/no").await;
    assert_eq!(answer.header("x-seen"), Some("127.0.0.1 7"));
    assert_problem!(answer, Code::Forbidden);
    assert_eq!(
        noted(&notes, 3).await,
        [
            "all request",
            "all response",
            "all complete 403 Forbidden true"
        ]
    );

    // Who may not pass, and a route that leads nowhere, are not shown.
    assert_eq!(
        send(addr, request(Method::GET, "/orders", &[]))
            .await
            .status(),
        401
    );
    assert_eq!(ask("/ok").await.status(), 200);
    assert!(taken(&notes).is_empty());
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_answer() {
    let system = System::new()
        .with("slow", |_request| async {
            let body = http_body_util::StreamBody::new(Endless(false));
            Response::new(Body::new(body))
        })
        .await;
    let notes = Notes::default();
    let route = Route::prefix("/")
        .to("slow")
        .public()
        .plugin(Noted::new("one", &notes));
    let gateway = system.serve([route]).await;
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut stream, "first").await;
    drop(stream);
    let notes = noted(&notes, 3).await;
    assert_eq!(notes[2], "one complete 200 OK false");
}

/// One piece, and then nothing for ever.
struct Endless(bool);

impl futures_core::Stream for Endless {
    type Item = Result<http_body::Frame<bytes::Bytes>, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        if std::mem::replace(&mut self.0, true) {
            return std::task::Poll::Pending;
        }
        let piece = http_body::Frame::data(bytes::Bytes::from("first"));
        std::task::Poll::Ready(Some(Ok(piece)))
    }
}

//! What a whole service answers when something goes wrong, and what its log and metrics say of it.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Router,
    routing::{get, post},
};
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::Full;
use msf_core::{
    assert_problem,
    axum::Json,
    host::{HostConfig, RunningHost, ServiceHost},
    problem::{Code, Problem},
    testing::{LogCapture, TestResponse},
};

async fn start(routes: Router) -> RunningHost {
    let mut config = HostConfig::default();
    config.server.bind = "127.0.0.1:0".to_owned();
    config.server.body_limit = 1_000;
    ServiceHost::builder("answers")
        .config(config)
        .router(routes)
        .start()
        .await
        .unwrap()
}

async fn send<B>(host: &RunningHost, request: Request<B>) -> TestResponse
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<msf_core::BoxError>,
{
    let stream = tokio::net::TcpStream::connect(host.addr()).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    let _connection = msf_core::task::spawn("client", connection);
    TestResponse::read(sender.send_request(request).await.unwrap()).await
}

fn get_request(path: &str) -> Request<Full<Bytes>> {
    Request::get(path)
        .header("host", "x")
        .body(Full::default())
        .unwrap()
}

#[tokio::test]
async fn a_panic_can_be_followed_from_the_answer_to_the_log() {
    let logs = LogCapture::start();
    let host = start(Router::new().route(
        "/",
        get(|| async {
            if true {
                panic!("off by one")
            }
        }),
    ))
    .await;
    let response = send(&host, get_request("/")).await;
    let problem = assert_problem!(response, Code::Internal);

    let line = logs.find("answered with a problem").unwrap();
    println!("{logs:#?}");
    assert_eq!(line.field("trace_id"), problem.trace_id.as_deref());
    assert_eq!(
        line.field("detail"),
        Some("the handler panicked: off by one")
    );
    assert_eq!(line.field("request_id"), response.header("x-request-id"));
    let metrics = host.metrics().render();
    assert!(metrics.contains(r#"error_type="internal""#), "{metrics}");
}

#[tokio::test]
async fn the_code_of_a_problem_is_its_error_type() {
    let logs = LogCapture::start();
    let host = start(Router::new().route(
        "/",
        get(|| async { Err::<(), _>(Problem::new(Code::BulkheadFull)) }),
    ))
    .await;
    assert_problem!(send(&host, get_request("/")).await, Code::BulkheadFull);
    assert_problem!(send(&host, get_request("/nowhere")).await, Code::NotFound);

    let metrics = host.metrics().render();
    assert!(
        metrics.contains(r#"error_type="bulkhead_full""#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"error_type="not_found""#), "{metrics}");
    let access = logs.find("request served").unwrap();
    assert_eq!(access.field("error.type"), Some("bulkhead_full"));
}

#[tokio::test]
async fn a_body_that_hides_its_size_is_413_through_an_extractor_too() {
    let echo = post(|Json(value): Json<serde_json::Value>| async move { Json(value) });
    let host = start(Router::new().route("/", echo)).await;
    let request = Request::post("/")
        .header("host", "x")
        .header("content-type", "application/json")
        .body(Pieces(4))
        .unwrap();
    assert_problem!(send(&host, request).await, Code::PayloadTooLarge);
}

/// Pieces of 400 blanks, of which nobody says how many there are.
struct Pieces(u8);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.checked_sub(1).map(|left| {
            self.0 = left;
            Ok(Frame::data(Bytes::from_static(&[b' '; 400])))
        }))
    }
}

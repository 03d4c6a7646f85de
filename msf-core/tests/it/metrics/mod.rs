//! `msf_core::metrics` from the outside: registration, bounds, and every way a request can end.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod cost;
mod endings;
mod labels;
mod registration;
mod service;

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use msf_core::{
    BoxError,
    metrics::{HttpMetricsLayer, Metrics, http::ResponseBody},
    route::MatchedRoute,
};
use tower::{Layer, Service, ServiceExt, service_fn};

/// A layer, its metrics, and requests to `/items/{id}`.
struct Bench {
    metrics: Metrics,
    layer: HttpMetricsLayer,
}

impl Bench {
    fn new() -> Self {
        let metrics = Metrics::new();
        let layer = HttpMetricsLayer::new(&metrics).unwrap();
        Self { metrics, layer }
    }

    async fn answer(&self, body: Script) -> Response<ResponseBody<Script>> {
        self.call(Method::GET, move || Response::new(body.clone()))
            .await
    }

    async fn call(
        &self,
        method: Method,
        answer: impl Fn() -> Response<Script>,
    ) -> Response<ResponseBody<Script>> {
        let service = self.layer.layer(service_fn(|_: Request<()>| {
            std::future::ready(Ok::<_, Infallible>(answer()))
        }));
        let mut request = get("/items/{id}");
        *request.method_mut() = method;
        service.oneshot(request).await.unwrap()
    }

    /// One connection on which every request gets `body` and three in the header `head`.
    fn serve(
        &self,
        head: &'static str,
        body: Script,
    ) -> (tokio::io::DuplexStream, tokio::task::JoinHandle<()>) {
        let service = self.layer.layer(service_fn(move |_: Request<_>| {
            let response = Response::builder().header(head, "3").body(body.clone());
            std::future::ready(Ok::<_, Infallible>(response.unwrap()))
        }));
        let (client, server) = tokio::io::duplex(1024);
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(server), TowerToHyperService::new(service));
        let task = tokio::runtime::Handle::current().spawn(async {
            let _hung_up = connection.await;
        });
        (client, task)
    }

    fn active(&self, method: &str) -> f64 {
        let gauge = format!(r#"http_server_active_requests{{http_request_method="{method}"}}"#);
        value(&self.metrics.render(), &gauge)
    }

    fn count(&self, method: &str, route: &str, status: &str, error: &str) -> f64 {
        let name = "http_server_request_duration_seconds_count";
        value(
            &self.metrics.render(),
            &series(name, method, route, status, error),
        )
    }

    fn total(&self) -> f64 {
        let text = self.metrics.render();
        let counts = text
            .lines()
            .filter(|line| line.starts_with("http_server_request_duration_seconds_count"));
        counts
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    #[track_caller]
    fn ended_once(&self, status: &str, error: &str) {
        assert_eq!(self.count("GET", "/items/{id}", status, error), 1.0);
        assert_eq!(self.total(), 1.0);
        assert_eq!(self.active("GET"), 0.0);
    }
}

/// One request to a service that answers at once, read to its end.
fn exchange<S, B>(service: &mut S, request: Request<()>)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body + Unpin,
{
    let future = std::pin::pin!(service.call(request));
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let Poll::Ready(Ok(response)) = future.poll(&mut cx) else {
        panic!("the service answers at once");
    };
    let mut body = response.into_body();
    while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut cx) {
        drop(frame);
    }
}

fn get(route: &str) -> Request<()> {
    let mut request = Request::new(());
    request.extensions_mut().insert(MatchedRoute::new(route));
    request
}

fn full(body: &'static str) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from(body)))
}

async fn collect<B>(response: Response<B>)
where
    B: Body,
    B::Error: std::fmt::Debug,
{
    response.into_body().collect().await.unwrap();
}

fn series(name: &str, method: &str, route: &str, status: &str, error: &str) -> String {
    format!(
        r#"{name}{{error_type="{error}",http_request_method="{method}",http_response_status_code="{status}",http_route="{route}"}}"#
    )
}

/// The value of a series, 0 if it is not there.
fn value(text: &str, series: &str) -> f64 {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    lines.next().map_or(0.0, |value| value.parse().unwrap())
}

#[derive(Clone, Debug)]
enum Step {
    Data(&'static str),
    Trailers,
    Fail,
    Panic,
    Wait,
}

/// A streaming body that does as it is told and knows neither its length nor its end.
#[derive(Clone, Debug)]
struct Script(VecDeque<Step>);

impl Script {
    fn new<const N: usize>(steps: [Step; N]) -> Self {
        Self(steps.into())
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match self.0.pop_front() {
            None => None,
            Some(Step::Data(data)) => Some(Ok(Frame::data(Bytes::from(data)))),
            Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Step::Fail) => Some(Err("broken".into())),
            Some(Step::Panic) => panic!("on purpose"),
            Some(Step::Wait) => {
                self.0.push_front(Step::Wait);
                return Poll::Pending;
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

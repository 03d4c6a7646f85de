//! The paths that every service has.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::axum_routes::{Routes, RoutesBody, own_body};
use crate::{
    health::Health,
    metrics::{self, Metrics},
    problem::{Code, Problem},
    server::Body,
};

/// Answers probes and scrapes itself and hands everything else to the routes.
///
/// It stands in front of the trace and metrics layers: probes come every second and would bury the
/// traces and metrics of real requests.
#[derive(Clone, Debug)]
pub(super) struct Ops {
    // Cloned for every request, of which few ask for it.
    answers: Arc<Answers>,
    routes: Routes,
}

#[derive(Debug)]
struct Answers {
    health: Health,
    metrics: Metrics,
}

type OpsFuture = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

pin_project! {
    /// The response of the routes or of an operational path.
    #[project = ResponseProjection]
    pub(super) enum ResponseFuture {
        Own { answer: OpsFuture },
        Routes { #[pin] future: <Routes as Service<Request<Body>>>::Future },
    }
}

impl Ops {
    pub(super) fn new(health: Health, metrics: Metrics, routes: Routes) -> Self {
        Self {
            answers: Arc::new(Answers { health, metrics }),
            routes,
        }
    }
}

impl Answers {
    fn answer(&self, method: &Method, path: &str, query: Option<&str>) -> Option<OpsFuture> {
        if path == METRICS_PATH {
            let is_read = matches!(*method, Method::GET | Method::HEAD);
            let metrics = is_read.then(|| self.metrics.clone());
            return Some(Box::pin(async move {
                metrics.map_or_else(method_not_allowed, |metrics| scrape(&metrics))
            }));
        }
        let probe = self.health.respond(method, path, query)?;
        Some(Box::pin(probe))
    }
}

impl Service<Request<Body>> for Ops {
    type Response = Response<RoutesBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.routes.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let uri = request.uri();
        match self
            .answers
            .answer(request.method(), uri.path(), uri.query())
        {
            Some(answer) => ResponseFuture::Own { answer },
            None => ResponseFuture::Routes {
                future: self.routes.call(request),
            },
        }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<RoutesBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ResponseProjection::Own { answer } => answer
                .as_mut()
                .poll(cx)
                .map(|response| Ok(response.map(|body| own_body(body.into())))),
            ResponseProjection::Routes { future } => future.poll(cx),
        }
    }
}

fn scrape(metrics: &Metrics) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(metrics.render()));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(metrics::CONTENT_TYPE);
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn method_not_allowed() -> Response<Bytes> {
    let mut response = Problem::new(Code::MethodNotAllowed).into_response::<Bytes>();
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

const METRICS_PATH: &str = "/metrics";

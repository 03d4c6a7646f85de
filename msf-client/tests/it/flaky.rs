//! Callees that do with each request what a test says.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use msf_core::{body::Body, testing::TestServer};

/// What a callee was sent.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A callee that knows how many requests it got, and answers by their number.
pub(crate) struct Flaky {
    server: TestServer,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Flaky {
    /// Answers the first request with the first status, and all after the last with that.
    pub(crate) async fn statuses(statuses: &'static [u16]) -> Self {
        Self::start(move |number, _seen| {
            let status = statuses[number.min(statuses.len() - 1)];
            Box::pin(async move { answer(status) })
        })
        .await
    }

    pub(crate) async fn start(
        answer: impl Fn(usize, &Seen) -> Answering + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (log, answer) = (seen.clone(), Arc::new(answer));
        let server = TestServer::start(tower::service_fn(move |request: Request<Body>| {
            let (log, answer) = (log.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                // A request that breaks off was not received.
                let body = body.collect().await.map(|body| body.to_bytes());
                let seen = Seen {
                    headers: parts.headers,
                    body: body.unwrap_or_default(),
                };
                let number = {
                    let mut log = log.lock().unwrap();
                    log.push(seen.clone());
                    log.len() - 1
                };
                Ok::<_, Infallible>(answer(number, &seen).await)
            }
        }))
        .await;
        Self { server, seen }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

pub(crate) fn answer(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::from(status.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

pub(crate) fn answering(status: u16) -> Answering {
    Box::pin(async move { answer(status) })
}

/// Never answers.
pub(crate) fn silence() -> Answering {
    Box::pin(std::future::pending())
}

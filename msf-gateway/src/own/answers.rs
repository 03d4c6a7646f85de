//! From a path to an answer of the gateway's own.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};
use msf_core::{
    health::Health,
    metrics::{self, Metrics},
    problem::{Code, Problem},
};

use super::{HEALTH, METRICS, Services};

/// Whoever asks at this listener may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What anybody may know.
    Public,
    /// Everything.
    Operations,
}

/// Answers the paths of the gateway's own.
#[derive(Debug)]
pub(crate) struct OwnAnswers {
    pub(crate) health: Health,
    pub(crate) services: Services,
    pub(crate) metrics: Metrics,
    pub(crate) exposes_metrics: bool,
}

/// An answer of the gateway's own. Boxed: probes are few.
pub(crate) type OwnFuture = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

impl OwnAnswers {
    /// Answers, or `None` if the path is none of the gateway's own.
    pub(crate) fn answer(
        self: &Arc<Self>,
        scope: Scope,
        method: &Method,
        path: &str,
        query: Option<&str>,
    ) -> Option<OwnFuture> {
        // Nearly every request leaves here, after one comparison of lengths or a few of bytes.
        if !super::is_reserved(path) {
            return None;
        }
        if path != HEALTH && path != METRICS {
            let probe = self.health.respond(method, path, query)?;
            return Some(Box::pin(probe));
        }
        if path == METRICS && scope == Scope::Public && !self.exposes_metrics {
            return Some(ready(Problem::new(Code::NotFound).into_response()));
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Some(ready(method_not_allowed()));
        }
        Some(match (path, scope) {
            (METRICS, _) => ready(scrape(&self.metrics)),
            (_, Scope::Public) => ready(self.services.answer_routed(self.health.status())),
            (_, Scope::Operations) => {
                let own = Arc::clone(self);
                Box::pin(async move { own.services.answer_all(own.health.status()).await })
            }
        })
    }
}

fn ready(response: Response<Bytes>) -> OwnFuture {
    Box::pin(std::future::ready(response))
}

fn scrape(metrics: &Metrics) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(metrics.render()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(metrics::CONTENT_TYPE),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn method_not_allowed() -> Response<Bytes> {
    let mut response = Problem::new(Code::MethodNotAllowed).into_response::<Bytes>();
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

//! Probe endpoints: from a request line to a response.

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{render, report::Report, state::Health};
use crate::problem::{Code, Problem};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const HEALTH_JSON: HeaderValue = HeaderValue::from_static("application/health+json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const GET_HEAD: HeaderValue = HeaderValue::from_static("GET, HEAD");

impl Health {
    /// Answers a probe, or `None` if `path` is none of the four probe paths.
    ///
    /// The status is 200 or 503 (405 for anything but `GET` and `HEAD`); the body is
    /// `application/health+json`, or text for people with `?verbose` in the query. The future
    /// borrows nothing, so it may be spawned or stored.
    ///
    /// # Cancel safety
    ///
    /// As [`report`](Health::report).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use http::{Method, StatusCode};
    /// use msf_core::health::Health;
    ///
    /// let health = Health::new("orders");
    /// assert!(health.respond(&Method::GET, "/orders", None).is_none());
    ///
    /// let probe = health.respond(&Method::GET, "/readyz", None).unwrap();
    /// assert_eq!(probe.await.status(), StatusCode::SERVICE_UNAVAILABLE);
    ///
    /// health.set_ready();
    /// let probe = health.respond(&Method::GET, "/readyz", Some("verbose")).unwrap();
    /// assert_eq!(probe.await.body(), "[+]serving ok\nreadyz check passed\n");
    /// # });
    /// ```
    #[must_use]
    pub fn respond(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
    ) -> Option<impl Future<Output = Response<Bytes>> + Send + use<>> {
        let probe = Probe::at(path)?;
        let method = Reading::of(method);
        let verbose = probe.verbose_allowed() && query.is_some_and(asks_verbose);
        let health = self.clone();
        Some(async move {
            let Some(method) = method else {
                return method_not_allowed();
            };
            let answer = match probe {
                Probe::Live => Answer::live(&health, verbose),
                Probe::Ready { name, .. } => {
                    let report = health.report().await;
                    Answer::ready(&health, &report, name, verbose)
                }
            };
            answer.into_response(method)
        })
    }
}

#[derive(Clone, Copy)]
enum Probe {
    Live,
    Ready {
        name: &'static str,
        always_json: bool,
    },
}

impl Probe {
    fn at(path: &str) -> Option<Self> {
        let ready = |name, always_json| Self::Ready { name, always_json };
        match path {
            "/livez" => Some(Self::Live),
            "/readyz" => Some(ready("readyz", false)),
            "/healthz" => Some(ready("healthz", false)),
            "/health" => Some(ready("health", true)),
            _ => None,
        }
    }

    fn verbose_allowed(self) -> bool {
        match self {
            Self::Live => true,
            Self::Ready { always_json, .. } => !always_json,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Get,
    Head,
}

impl Reading {
    fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET => Some(Self::Get),
            Method::HEAD => Some(Self::Head),
            _ => None,
        }
    }
}

struct Answer {
    status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
}

impl Answer {
    fn live(health: &Health, verbose: bool) -> Self {
        Self::new(true, verbose, render::live_text, || {
            render::live_json(health.identity())
        })
    }

    fn ready(health: &Health, report: &Report, name: &str, verbose: bool) -> Self {
        Self::new(
            report.is_ready(),
            verbose,
            || render::ready_text(report, name),
            || render::ready_json(health.identity(), report),
        )
    }

    fn new(
        pass: bool,
        verbose: bool,
        text: impl FnOnce() -> Bytes,
        json: impl FnOnce() -> Bytes,
    ) -> Self {
        let (content_type, body) = if verbose {
            (TEXT, text())
        } else {
            (HEALTH_JSON, json())
        };
        let status = if pass {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        Self {
            status,
            content_type,
            body,
        }
    }

    fn into_response(self, method: Reading) -> Response<Bytes> {
        let length = HeaderValue::from(self.body.len());
        let body = match method {
            Reading::Get => self.body,
            Reading::Head => Bytes::new(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type);
        headers.insert(CACHE_CONTROL, NO_STORE);
        // The length a GET would have had (RFC 9110 section 9.3.2).
        headers.insert(CONTENT_LENGTH, length);
        response
    }
}

fn method_not_allowed() -> Response<Bytes> {
    let mut response: Response<Bytes> = Problem::new(Code::MethodNotAllowed).into_response();
    response.headers_mut().insert(ALLOW, GET_HEAD);
    response
}

/// `verbose`, with or without a value, as Kubernetes takes it.
fn asks_verbose(query: &str) -> bool {
    query
        .split('&')
        .any(|pair| pair.split('=').next() == Some("verbose"))
}

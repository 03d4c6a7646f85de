//! Calling a service without a socket.

use std::{convert::Infallible, fmt};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use serde::Serialize;
use tower::ServiceExt;
use tower_service::Service;

use super::TestResponse;
use crate::{BoxError, server::Body};

/// Calls a service in memory.
///
/// No task and no socket is involved, so a paused clock steps exactly when the test says so. See the
/// [module documentation](super) for an example.
#[derive(Clone, Debug)]
pub struct TestClient<S> {
    service: S,
}

impl<S, B> TestClient<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError> + fmt::Debug,
{
    /// A client of this service.
    pub const fn new(service: S) -> Self {
        Self { service }
    }

    /// Sends a request.
    ///
    /// # Panics
    ///
    /// When the response body fails.
    pub async fn send(&self, request: Request<impl Into<Body>>) -> TestResponse {
        let request = request.map(Into::into);
        match self.service.clone().oneshot(request).await {
            Ok(response) => TestResponse::read(response).await,
            Err(never) => match never {},
        }
    }

    /// Sends `GET`.
    ///
    /// # Panics
    ///
    /// When the path is not a valid URI, or the response body fails.
    pub async fn get(&self, path: &str) -> TestResponse {
        self.send(request(Method::GET, path, Body::empty())).await
    }

    /// Sends `POST` with a JSON body.
    ///
    /// # Panics
    ///
    /// When the path is not a valid URI, the value does not serialize, or the response body fails.
    pub async fn post_json(&self, path: &str, value: &impl Serialize) -> TestResponse {
        let body = serde_json::to_vec(value).expect("the value serializes");
        let mut request = request(Method::POST, path, body.into());
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        self.send(request).await
    }
}

fn request(method: Method, path: &str, body: Body) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(body)
        .expect("the path is a valid URI")
}

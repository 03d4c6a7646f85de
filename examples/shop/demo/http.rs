//! An outside user's HTTP client: one connection, one request, no knowledge of the shop.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use msf_core::{BoxError, clock, task};
use serde_json::Value;
use tokio::{net::TcpStream, time};

/// Speaks to one address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Http {
    addr: SocketAddr,
}

/// A request that is being put together.
#[derive(Clone, Debug)]
pub(super) struct Call {
    addr: SocketAddr,
    request: Request<Full<Bytes>>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// `null` where the body is no JSON.
    pub(super) body: Value,
    pub(super) took: Duration,
}

impl Http {
    pub(super) const fn new(addr: SocketAddr) -> Self {
        Self { addr }
    }

    pub(super) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path, Bytes::new())
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Call {
        self.call(Method::POST, path, body.to_string().into())
            .header("content-type", "application/json")
    }

    fn call(&self, method: Method, path: &str, body: Bytes) -> Call {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("the paths of the story are valid");
        let call = Call {
            addr: self.addr,
            request,
        };
        call.header("host", &self.addr.to_string())
    }
}

impl Call {
    pub(super) fn token(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = value.parse().expect("the headers of the story are valid");
        self.request.headers_mut().insert(name, value);
        self
    }

    /// Sends it and reads the whole answer, within [`ANSWER_MAX`].
    pub(super) async fn send(self) -> Result<Answer, BoxError> {
        let began = clock::now();
        let (status, body) = time::timeout(ANSWER_MAX, exchange(self.addr, self.request)).await??;
        Ok(Answer {
            status,
            body: serde_json::from_slice(&body).unwrap_or_default(),
            took: began.elapsed(),
        })
    }
}

async fn exchange(
    addr: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), BoxError> {
    let stream = TcpStream::connect(addr).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let _connection = task::spawn("demo connection", connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), BODY_MAX).collect().await?;
    Ok((status, body.to_bytes()))
}

/// Three times what the shop itself allows an order.
const ANSWER_MAX: Duration = Duration::from_secs(15);
const BODY_MAX: usize = 1 << 20;

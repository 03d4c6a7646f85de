//! One call on a connection of its own.

use std::{io, net::SocketAddr, pin::pin};

use bytes::Bytes;
use h2::{
    RecvStream,
    client::{Builder, SendRequest},
};
use http::{HeaderMap, Method, Request, StatusCode, Version, header};
use tokio::net::TcpStream;

use super::{
    super::http::USER_AGENT,
    message::{Malformed, ServingStatus, request, response},
};

/// The call did not give a status.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFailed {
    #[error("the connection failed")]
    Connect(#[from] io::Error),
    #[error("the connection broke")]
    Http2(#[from] h2::Error),
    #[error("the request cannot be made")]
    Request(#[from] http::Error),
    #[error("HTTP status {0}")]
    Status(StatusCode),
    #[error("the answer is not gRPC")]
    NotGrpc,
    #[error("gRPC status {0}")]
    Grpc(u32),
    #[error("the answer is longer than {MESSAGE_MAX} bytes")]
    TooLong,
    #[error("the answer is not understood")]
    Malformed(#[from] Malformed),
}

/// Everything that runs for it is part of this future, so dropping it closes the connection.
pub(super) async fn check(addr: SocketAddr, service: &str) -> Result<ServingStatus, CallFailed> {
    let stream = TcpStream::connect(addr).await?;
    let (send, connection) = Builder::new()
        .enable_push(false)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(HEADERS_MAX)
        .handshake(stream)
        .await?;
    let mut answer = pin!(call(send, addr, service));
    tokio::select! {
        biased;
        status = &mut answer => status,
        ended = connection => {
            // What came before the end is still to be read; without an answer the call fails now as well.
            ended?;
            answer.await
        }
    }
}

async fn call(
    send: SendRequest<Bytes>,
    addr: SocketAddr,
    service: &str,
) -> Result<ServingStatus, CallFailed> {
    let head = Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(format!("http://{addr}/grpc.health.v1.Health/Check"))
        .header(header::TE, "trailers")
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::USER_AGENT, USER_AGENT)
        .body(())?;
    let (answer, mut body) = send.ready().await?.send_request(head, false)?;
    body.send_data(request(service), true)?;
    let (head, body) = answer.await?.into_parts();
    if head.status != StatusCode::OK {
        return Err(CallFailed::Status(head.status));
    }
    if !is_grpc(&head.headers) {
        return Err(CallFailed::NotGrpc);
    }
    // An answer that is all head says only what went wrong.
    if let Some(code) = grpc_status(&head.headers)? {
        return Err(CallFailed::Grpc(code));
    }
    message(body).await
}

async fn message(mut body: RecvStream) -> Result<ServingStatus, CallFailed> {
    let mut framed = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        if framed.len() + data.len() > MESSAGE_MAX {
            return Err(CallFailed::TooLong);
        }
        framed.extend_from_slice(&data);
    }
    let trailers = body.trailers().await?.ok_or(CallFailed::NotGrpc)?;
    match grpc_status(&trailers)? {
        Some(0) => Ok(response(&framed)?),
        Some(code) => Err(CallFailed::Grpc(code)),
        None => Err(CallFailed::NotGrpc),
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn grpc_status(headers: &HeaderMap) -> Result<Option<u32>, CallFailed> {
    let Some(value) = headers.get("grpc-status") else {
        return Ok(None);
    };
    let code = value.to_str().ok().and_then(|text| text.parse().ok());
    code.map(Some).ok_or(CallFailed::NotGrpc)
}

/// The message itself has two bytes today.
const MESSAGE_MAX: usize = 1_024;
const HEADERS_MAX: u32 = 16 * 1_024;
/// The least that HTTP/2 begins with; it is never made wider, so no answer is longer.
const WINDOW: u32 = 65_535;

//! HTTP/2 without TLS.

mod bodies;
mod ending;
mod refused;
mod streams;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{Request, Response};
use http_body_util::BodyExt;
use msf_client::transport::{Connections, Protocol, ResponseBody};
use tokio::net::TcpStream;

use crate::callee::Scripted;

fn h2c() -> Connections {
    Connections::builder().protocol(Protocol::H2c).build()
}

async fn text(response: Response<ResponseBody>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a callee does with each request.
type Answer = Arc<dyn Fn(usize, Request<h2::RecvStream>, SendResponse<Bytes>) + Send + Sync>;

/// A callee with so many streams per connection.
async fn callee(streams_max: u32, answer: Answer) -> Scripted {
    let requests = Arc::new(AtomicUsize::new(0));
    Scripted::start(move |stream: TcpStream| {
        let (answer, requests) = (answer.clone(), requests.clone());
        async move {
            let mut builder = h2::server::Builder::new();
            builder.max_concurrent_streams(streams_max);
            let Ok(mut connection) = builder.handshake(stream).await else {
                return;
            };
            while let Some(Ok((request, respond))) = connection.accept().await {
                answer(requests.fetch_add(1, Ordering::Relaxed), request, respond);
            }
        }
    })
    .await
}

fn ok(mut respond: SendResponse<Bytes>) {
    respond.send_response(Response::new(()), true).unwrap();
}

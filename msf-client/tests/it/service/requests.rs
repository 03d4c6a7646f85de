//! What a call takes along: the trace, the token; and requests that are none.

use std::{future::Future, sync::Arc};

use http::HeaderValue;
use msf_auth::{BearerError, BearerSource};
use msf_client::Error;
use msf_core::{
    testing::LogCapture,
    trace::{self, RequestContext, TraceContext},
};

use super::mirrored;
use crate::{
    callee::get,
    world::{World, header, mirror},
};

#[tokio::test]
async fn an_invalid_request_is_not_sent() {
    let world = World::new(&[]).await;
    let errors = [
        world.payment.get("no/slash").send().await,
        world.payment.get("/with a space").send().await,
        world.payment.get("/").header("bad name", "x").send().await,
        world
            .payment
            .get("/")
            .idempotency_key("line\nbreak")
            .send()
            .await,
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
        assert!(error.is_unsent());
    }
}

fn in_trace<F: Future>(context: &RequestContext, future: F) -> impl Future<Output = F::Output> {
    trace::scope(context.clone(), future)
}

fn trace_parent(lines: &str) -> TraceContext {
    header(lines, "traceparent").unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_trace_goes_on() {
    let callee = mirror().await;
    let world = World::new(&[callee.addr()]).await;
    let context = RequestContext::root();

    // Nobody records spans: the parent is the span that exists.
    let lines = in_trace(&context, mirrored(&world)).await;
    assert_eq!(trace_parent(&lines).trace_id(), context.trace_id());
    assert_eq!(trace_parent(&lines).span_id(), context.span_id());
    assert_eq!(
        header(&lines, "x-request-id"),
        Some(context.request_id().as_str())
    );

    // What came from outside is not passed on beside it.
    let forged = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = world.payment.get("/").header("traceparent", forged);
    let answer = in_trace(&context, request.send()).await.unwrap();
    let lines = answer.bytes().await.unwrap();
    let lines = str::from_utf8(&lines).unwrap();
    assert_eq!(trace_parent(lines).trace_id(), context.trace_id());

    // Outside of a request a call starts a trace.
    assert_ne!(
        trace_parent(&mirrored(&world).await).trace_id(),
        context.trace_id()
    );
}

#[tokio::test]
async fn a_recorded_span_is_the_callees_parent() {
    let callee = mirror().await;
    let world = World::new(&[callee.addr()]).await;
    let _capture = LogCapture::start();
    let context = RequestContext::root();
    let lines = in_trace(&context, mirrored(&world)).await;
    assert_eq!(trace_parent(&lines).trace_id(), context.trace_id());
    assert_ne!(trace_parent(&lines).span_id(), context.span_id());
}

#[derive(Debug)]
struct Tokens;

impl BearerSource for Tokens {
    fn bearer(&self) -> Result<HeaderValue, BearerError> {
        Ok(HeaderValue::from_static("Bearer of-the-service"))
    }
}

#[derive(Debug)]
struct NoTokens;

impl BearerSource for NoTokens {
    fn bearer(&self) -> Result<HeaderValue, BearerError> {
        Err(BearerError::new("the key is gone"))
    }
}

#[tokio::test]
async fn the_clients_token_stands_in_for_none() {
    let callee = mirror().await;
    let world = World::with(&[callee.addr()], |client| client.bearer(Arc::new(Tokens))).await;
    let lines = mirrored(&world).await;
    assert_eq!(
        header(&lines, "authorization"),
        Some("Bearer of-the-service")
    );
    assert_eq!(header(&lines, "host"), Some("payment"));

    let own = HeaderValue::from_static("Bearer of-the-user");
    let answer = world.payment.get("/").bearer(own).send().await.unwrap();
    let lines = answer.bytes().await.unwrap();
    let lines = str::from_utf8(&lines).unwrap();
    assert_eq!(header(lines, "authorization"), Some("Bearer of-the-user"));

    let world = World::with(&[callee.addr()], |client| client.bearer(Arc::new(NoTokens))).await;
    let error = world.payment.call(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::Credentials(_)), "{error:?}");
    assert!(error.is_unsent());
}

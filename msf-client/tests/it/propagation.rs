//! What goes along over two hops: caller, `cart`, `payment`.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response};
use msf_auth::{BearerError, BearerSource};
use msf_client::ServiceClient;
use msf_core::{
    body::Body,
    deadline::Deadline,
    testing::TestServer,
    trace::{self, RequestContext, TraceContext, TraceLayer},
};
use msf_resilience::deadline::DeadlineLayer;
use tower::ServiceBuilder;

use crate::world::{World, header, mirror};

/// The service in the middle: asks `payment` and gives its caller what that was told.
async fn cart(payment: ServiceClient, forwards: bool) -> TestServer {
    let handler = tower::service_fn(move |request: Request<Body>| {
        let payment = payment.clone();
        async move {
            let (serving, _body) = request.into_parts();
            let mut asking = payment.get("/");
            if forwards {
                asking = asking.on_behalf_of(&serving);
            } else if let Some(deadline) = Deadline::of(&serving.extensions) {
                asking = asking.deadline(deadline);
            }
            let told = asking.send().await.unwrap().text().await.unwrap();
            Ok::<_, Infallible>(Response::new(Body::from(told)))
        }
    });
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new())
        .layer(DeadlineLayer::answering())
        .service(handler);
    TestServer::start(service).await
}

#[derive(Debug)]
struct Own;

impl BearerSource for Own {
    fn bearer(&self) -> Result<HeaderValue, BearerError> {
        Ok(HeaderValue::from_static("Bearer of-the-cart"))
    }
}

/// What `payment` hears of a request to `cart`.
async fn told(cart: &TestServer, context: &RequestContext) -> String {
    let cart = ServiceClient::at(&cart.url("")).unwrap();
    let asking = cart
        .get("/")
        .bearer(HeaderValue::from_static("Bearer of-ada"))
        .timeout(Duration::from_millis(1_500));
    let asking = trace::scope(context.clone(), asking.send());
    asking.await.unwrap().text().await.unwrap()
}

fn caller() -> RequestContext {
    let mut headers = http::HeaderMap::new();
    for (name, value) in [
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        ("tracestate", "vendor=opaque"),
        ("baggage", "tenant=acme"),
        ("x-request-id", "order-17"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    trace::extract(&headers)
}

#[tokio::test]
async fn everything_goes_along_over_two_hops() {
    let payment = mirror().await;
    let world = World::with(&[payment.addr()], |client| client.bearer(Arc::new(Own))).await;
    let cart = cart(world.payment.clone(), true).await;
    let context = caller();
    let told = told(&cart, &context).await;
    let parent: TraceContext = header(&told, "traceparent").unwrap().parse().unwrap();
    assert_eq!(parent.trace_id(), context.trace_id());
    assert_ne!(parent.span_id(), context.span_id(), "a hop is a span");
    assert_eq!(header(&told, "tracestate"), Some("vendor=opaque"));
    assert_eq!(header(&told, "baggage"), Some("tenant=acme"));
    assert_eq!(header(&told, "x-request-id"), Some("order-17"));
    assert_eq!(header(&told, "authorization"), Some("Bearer of-ada"));
    let left: u64 = header(&told, "x-msf-timeout-ms").unwrap().parse().unwrap();
    assert!((500..=1_500).contains(&left), "{left}");
}

#[tokio::test]
async fn who_does_not_forward_speaks_for_itself() {
    let payment = mirror().await;
    let world = World::with(&[payment.addr()], |client| client.bearer(Arc::new(Own))).await;
    let cart = cart(world.payment.clone(), false).await;
    let told = told(&cart, &caller()).await;
    assert_eq!(header(&told, "authorization"), Some("Bearer of-the-cart"));
    let left: u64 = header(&told, "x-msf-timeout-ms").unwrap().parse().unwrap();
    assert!((500..=1_500).contains(&left), "{left}");
}

#[tokio::test]
async fn callees_of_grpc_hear_of_the_deadline_in_their_own_way() {
    let payment = mirror().await;
    let world = World::new(&[payment.addr()]).await;
    let told = |asking: msf_client::RequestBuilder| async {
        let asking = asking.timeout(Duration::from_millis(900));
        asking.send().await.unwrap().text().await.unwrap()
    };
    let grpc = world.payment.post("/shop.Payment/Charge");
    let lines = told(grpc.header("content-type", "application/grpc+proto")).await;
    let value = header(&lines, "grpc-timeout").unwrap();
    let micros: u64 = value.strip_suffix('u').unwrap().parse().unwrap();
    assert!((100_000..=900_000).contains(&micros), "{value}");

    // Somebody's own word, longer than what is left, is corrected.
    let lines = told(world.payment.get("/").header("grpc-timeout", "1H")).await;
    assert_ne!(header(&lines, "grpc-timeout"), Some("1H"));

    let lines = told(world.payment.post("/").json(&17)).await;
    assert_eq!(header(&lines, "grpc-timeout"), None);
}

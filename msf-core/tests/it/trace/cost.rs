//! What a request costs when nobody listens. Production requests have extensions already (the peer's
//! address) and responses have headers, so both maps exist here too.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty};
use msf_core::trace::{TraceLayer, inject_current};
use tokio_test::task;
use tower::{Service, service_fn};
use tower_layer::Layer;

type Answer = Ready<Result<Response<Empty<&'static [u8]>>, Infallible>>;

fn plain() -> impl Service<
    Request<()>,
    Response = Response<Empty<&'static [u8]>>,
    Error = Infallible,
    Future = Answer,
> + Clone {
    service_fn(|_: Request<()>| {
        let mut response = Response::new(Empty::new());
        response
            .headers_mut()
            .insert("content-type", HeaderValue::from_static("text/plain"));
        ready(Ok::<_, Infallible>(response))
    })
}

fn request(traced: bool) -> Request<()> {
    let mut request = Request::new(());
    request
        .extensions_mut()
        .insert(std::net::Ipv4Addr::LOCALHOST);
    if traced {
        let headers = request.headers_mut();
        headers.insert("traceparent", HeaderValue::from_static(super::PARENT));
        headers.insert("x-request-id", HeaderValue::from_static("order-17"));
    }
    request
}

fn allocations<S, B>(service: &mut S, request: Request<()>) -> u64
where
    S: Service<Request<()>, Response = Response<B>>,
    B: http_body::Body,
{
    allocation_counter::measure(|| {
        let response = poll_now(service.call(request)).ok().unwrap();
        let _ = poll_now(response.into_body().collect());
    })
    .count_total
}

/// Without a task around, which would allocate.
fn poll_now<F: Future>(future: F) -> F::Output {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut cx) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("this service never waits"),
    }
}

#[test]
fn a_request_costs_two_allocations_when_nobody_listens() {
    let (mut bare, mut traced) = (plain(), TraceLayer::new().layer(plain()));
    let _ = task::spawn(traced.call(request(true))).poll();
    for with_caller in [true, false] {
        let floor = allocations(&mut bare, request(with_caller));
        let ours = allocations(&mut traced, request(with_caller));
        // The value in the extension map, and the id, which is the value of all headers that say it.
        assert_eq!(ours - floor, 2, "caller sent a context: {with_caller}");
    }
    let mut silent = TraceLayer::new().hide_request_id().layer(plain());
    let floor = allocations(&mut bare, request(true));
    assert_eq!(allocations(&mut silent, request(true)) - floor, 2);
}

#[test]
fn ids_are_written_without_allocation() {
    use std::fmt::Write;

    struct Nowhere(usize);

    impl Write for Nowhere {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }

    let context = msf_core::trace::RequestContext::root();
    let mut nowhere = Nowhere(0);
    let info = allocation_counter::measure(|| {
        let (trace, parent) = (context.trace(), context.span_id());
        write!(
            nowhere,
            "{trace} {} {parent} {}",
            trace.trace_id(),
            context.request_id()
        )
        .unwrap();
    });
    assert_eq!((info.count_total, nowhere.0), (0, 55 + 32 + 16 + 32 + 3));
}

/// Prints nanoseconds; run with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a test"]
fn nanoseconds_per_request() {
    fn run<S, B>(name: &str, service: &mut S, traced: bool)
    where
        S: Service<Request<()>, Response = Response<B>>,
        B: http_body::Body,
    {
        const REQUESTS: u32 = 500_000;
        for _ in 0..3 {
            let start = tokio::time::Instant::now();
            for _ in 0..REQUESTS {
                let response = poll_now(service.call(request(traced))).ok().unwrap();
                std::hint::black_box(response.into_body());
            }
            println!("{name} traced={traced}: {:?}", start.elapsed() / REQUESTS);
        }
    }
    for traced in [false, true] {
        run("bare ", &mut plain(), traced);
        run("layer", &mut TraceLayer::new().layer(plain()), traced);
    }
    let mut headers = http::HeaderMap::new();
    let start = tokio::time::Instant::now();
    msf_core::trace::sync_scope(msf_core::trace::RequestContext::root(), || {
        for _ in 0..500_000 {
            inject_current(&mut headers);
        }
    });
    println!("inject_current: {:?}", start.elapsed() / 500_000);
}

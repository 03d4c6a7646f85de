//! Calls through services that the test holds in its hand, under lists that it publishes.

mod calls;
mod discovered;
mod kept;
mod routed;

use std::{
    convert::Infallible,
    future::{Ready, poll_fn, ready},
    io,
    num::NonZeroU16,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use msf_core::{
    classify::Classification,
    clock,
    name::{InstanceId, ServiceName},
    task,
    testing::{StatefulInner, advance, allocations},
};
use tokio::sync::{Semaphore, oneshot};
use tower::{
    Service, ServiceExt,
    discover::{Change, Discover},
    limit::ConcurrencyLimit,
    service_fn,
};

use super::*;
use crate::{
    balance::{Balance, LoadBalancing, Sticky},
    metrics::Picks,
    model::{Authority, Cursor, Health, Instance, Member, Snapshot},
    service::{NoEndpointsReason, ServiceHandle, State, Watch},
};

/// A service whose list is what the test says.
struct Listed {
    state: Arc<State>,
    handle: ServiceHandle,
}

impl Listed {
    fn of(balance: Balance, instances: impl IntoIterator<Item = Instance>) -> Self {
        let rules = LoadBalancing::new(balance);
        let state = Arc::new(State::new(payment(), rules, Picks::noop()));
        let task = task::spawn("watches nothing", std::future::pending());
        let handle = ServiceHandle::new(Watch::new(Arc::clone(&state), task));
        let listed = Self { state, handle };
        listed.publish(instances);
        listed
    }

    fn publish(&self, instances: impl IntoIterator<Item = Instance>) {
        let members = instances
            .into_iter()
            .map(|instance| Member::new(Arc::new(instance), Health::Unknown));
        let snapshot = Snapshot::new(
            payment(),
            Cursor::new(1, 1),
            Authority::Complete,
            members.collect::<Vec<_>>(),
        );
        self.state.publish(snapshot);
    }
}

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

fn instance(n: u16) -> Instance {
    let id = InstanceId::new(format!("p-{n}")).unwrap();
    Instance::new(payment(), id, ([127, 0, 0, 1], 8_000 + n).into())
}

fn request() -> Request<()> {
    Request::new(())
}

/// Counts what it judged.
fn counting<R>(
    judged: &Arc<AtomicUsize>,
) -> impl Fn(Result<&Response<R>, &io::Error>) -> Classification + Clone + use<R> {
    let judged = Arc::clone(judged);
    move |outcome| {
        judged.fetch_add(1, Ordering::Relaxed);
        if outcome.is_ok() {
            Classification::SUCCESS
        } else {
            Classification::FAILURE
        }
    }
}

/// Answers with the port of its instance.
fn port_of(
    instance: &Instance,
) -> impl Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ use<> {
    let port = instance.addr().port().to_string();
    service_fn(move |_: Request<()>| {
        let answer = Response::new(Full::new(Bytes::from(port.clone())));
        ready(Ok(answer))
    })
}

async fn answered<B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>>(
    response: Response<B>,
) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// What one call is answered.
async fn called<B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>>(
    service: &mut impl Service<Request<()>, Response = Response<B>, Error: std::fmt::Debug>,
) -> String {
    let ready = service.ready().await.unwrap();
    answered(ready.call(request()).await.unwrap()).await
}

/// Lets other tasks run.
async fn settle() {
    for _ in 0..10 {
        task::spawn("nothing", async {}).join().await;
    }
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(std::task::Waker::noop()))
}

/// Is ready when the gate lets it, and answers when it is told.
#[derive(Clone)]
struct Held {
    gate: Arc<Semaphore>,
    answers: Arc<Mutex<Vec<oneshot::Sender<()>>>>,
}

impl Service<Request<()>> for Held {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        let mut waiting = pin!(self.gate.acquire());
        match waiting.as_mut().poll(cx) {
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(_closed)) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn call(&mut self, _request: Request<()>) -> Self::Future {
        let (answer, told) = oneshot::channel();
        self.answers.lock().unwrap().push(answer);
        Box::pin(async move {
            let _ = told.await;
            Ok(Response::new(Full::new(Bytes::from_static(b"held"))))
        })
    }
}

fn held(permits: usize) -> Held {
    Held {
        gate: Arc::new(Semaphore::new(permits)),
        answers: Arc::default(),
    }
}

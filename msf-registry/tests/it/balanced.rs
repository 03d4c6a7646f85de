//! Calls through real connections to instances that come and go.

use std::{convert::Infallible, net::SocketAddr, num::NonZeroU16, time::Duration};

use http::{Request, Response};
use msf_core::{
    body::Body,
    name::InstanceId,
    server::{DrainPlan, Listener, Server},
    task::{self, Task},
};
use msf_registry::{
    Instance, Registry,
    backend::memory::MemoryRegistry,
    balanced::{Balanced, Tried},
};
use tokio::sync::oneshot;
use tower::{Service, ServiceBuilder, ServiceExt, retry, service_fn};

use crate::setup::{eventually, payment};

/// An instance that says its name.
struct Named {
    addr: SocketAddr,
    _stop: oneshot::Sender<()>,
    task: Task<()>,
}

fn named(name: &'static str) -> Named {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
    let addr = listener.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let service = service_fn(move |_: Request<Body>| async move {
        Ok::<_, Infallible>(Response::new(Body::from(name)))
    });
    let task = task::spawn("instance", async move {
        let end = async { drop(stopped.await) };
        let plan = DrainPlan::new(Duration::ZERO, Duration::ZERO);
        let served = Server::new()
            .serve_until(listener, service, end, plan)
            .await;
        served.expect("it served");
    });
    Named {
        addr,
        _stop: stop,
        task,
    }
}

/// Calls one instance through connections of its own.
fn connected(
    instance: &Instance,
) -> impl Service<Request<()>, Response = Response<reqwest::Body>, Error = reqwest::Error, Future: Send>
+ Clone
+ use<> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("it is built");
    let url = format!("http://{}/", instance.addr());
    service_fn(move |_: Request<()>| {
        let answer = client.get(&url).send();
        async move { Ok(answer.await?.into()) }
    })
}

/// Tries each call again, at most twice.
#[derive(Clone)]
struct Again(u32);

impl<R, E> retry::Policy<Request<()>, R, E> for Again {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _request: &mut Request<()>,
        outcome: &mut Result<R, E>,
    ) -> Option<Self::Future> {
        if outcome.is_ok() || self.0 == 0 {
            return None;
        }
        self.0 -= 1;
        Some(std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_survives_an_instance_that_dies_and_is_still_listed() {
    let registry = Registry::new(MemoryRegistry::new());
    let servers = [named("a"), named("b"), named("c")];
    let registrations: Vec<_> = servers
        .iter()
        .zip(["p-a", "p-b", "p-c"])
        .map(|(server, id)| {
            let id = InstanceId::new(id).expect("it is an id");
            // The one that dies is called more than the others.
            let weight = if id.as_str() == "p-a" { 3 } else { 1 };
            let weight = NonZeroU16::new(weight).expect("it is not 0");
            registry.register(Instance::new(payment(), id, server.addr).weight(weight))
        })
        .collect();
    let handle = registry.service(&payment());
    eventually("three are listed", async || {
        handle.snapshot().instances().len() == 3
    })
    .await;

    let client = ServiceBuilder::new()
        .map_request(Tried::follow::<()>)
        .layer(retry::RetryLayer::new(Again(2)))
        .service(Balanced::new(handle.clone(), connected));
    let call = async || {
        let request = Request::new(());
        let response = client
            .clone()
            .oneshot(request)
            .await
            .expect("some instance answers");
        let body = http_body_util::BodyExt::collect(response.into_body()).await;
        String::from_utf8(body.expect("it ends").to_bytes().to_vec()).expect("it is a name")
    };
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..100 {
        names.insert(call().await);
    }
    assert_eq!(names.len(), 3);

    let [first, _second, _third] = servers;
    // As `kill -9` does: the port is closed and nobody deregistered.
    drop(first.task);
    for _ in 0..100 {
        call().await;
    }
    assert_eq!(handle.snapshot().instances().len(), 3);
    drop(registrations);
}

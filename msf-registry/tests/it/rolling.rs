//! Instances that are replaced one after the other while they are called.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use msf_core::{
    classify::Classification,
    clock,
    name::InstanceId,
    server::{Body, DrainPlan, Listener, Server},
    task::{self, Task},
};
use msf_registry::{Instance, PickContext, Registration, Registry, ServiceHandle};
use tokio::{sync::oneshot, task::JoinSet};

use crate::setup::{eventually, payment, start};

/// One instance: a server on a port of its own that answers with its id, and its registration.
struct Running {
    registration: Registration,
    stop: oneshot::Sender<()>,
    task: Task<()>,
}

impl Running {
    async fn start(registry: &Registry, id: &str) -> Self {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
        let id = InstanceId::new(id).expect("it is an id");
        let instance = Instance::new(payment(), id.clone(), listener.local_addr());
        let service = tower::service_fn(move |_: Request<Body>| {
            let id = id.to_string();
            async move {
                // Some calls are always in flight when an instance ends.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok::<_, Infallible>(Response::new(Body::from(id)))
            }
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let task = task::spawn("instance", async move {
            let plan = DrainPlan::new(Duration::ZERO, Duration::from_secs(5));
            let end = async { drop(stopped.await) };
            let served = Server::new()
                .serve_until(listener, service, end, plan)
                .await;
            served.expect("it served");
        });
        let registration = registry.register(instance);
        registration.registered().await.expect("it is taken");
        Self {
            registration,
            stop,
            task,
        }
    }

    /// The end as a deployment makes it: say so, let callers hear, stop.
    async fn end(self) {
        self.registration
            .drain()
            .await
            .expect("the registry is there");
        self.stop.send(()).expect("it runs");
        self.task.join().await.expect("it ended");
    }
}

/// One call without a second try; who answered.
async fn call(client: &reqwest::Client, handle: &ServiceHandle) -> Result<String, String> {
    let mut picked = handle
        .pick(&PickContext::new())
        .map_err(|error| error.to_string())?;
    let url = format!("http://{}/", picked.addr());
    let answered = match client.get(url).send().await {
        Ok(answer) => answer.text().await,
        Err(error) => Err(error),
    };
    picked.record(match answered {
        Ok(_) => &Classification::SUCCESS,
        Err(_) => &Classification::FAILURE,
    });
    answered.map_err(|error| format!("{error:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_call() {
    let server = start(0);
    let registry = || {
        Registry::builder(server.client())
            .drain_wait(Duration::from_millis(500))
            .build()
            .expect("the settings are valid")
    };
    let (instances, callers) = (registry(), registry());
    let mut running = Vec::new();
    for n in 0..4 {
        running.push(Running::start(&instances, &format!("old-{n}")).await);
    }
    let handle = callers.service(&payment());
    eventually("all four are known", async || {
        handle.snapshot().instances().len() == 4
    })
    .await;

    let began = clock::now();
    let is_over = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(Mutex::new(BTreeMap::<String, u32>::new()));
    let load = task::spawn("load", {
        let (is_over, answered, handle) = (is_over.clone(), answered.clone(), handle.clone());
        async move {
            let client = reqwest::Client::builder().no_proxy().build();
            let client = client.expect("a client without TLS");
            let mut pace = tokio::time::interval(Duration::from_millis(5));
            let mut calls = JoinSet::new();
            while !is_over.load(Ordering::Relaxed) {
                pace.tick().await;
                let (client, handle, answered) = (client.clone(), handle.clone(), answered.clone());
                calls.spawn(async move {
                    let by = call(&client, &handle).await?;
                    *answered.lock().expect("no panic").entry(by).or_default() += 1;
                    Ok::<(), String>(())
                });
            }
            calls.join_all().await
        }
    });
    let mut replaced = Vec::new();
    for (n, old) in running.into_iter().enumerate() {
        let new = Running::start(&instances, &format!("new-{n}")).await;
        let id = new.registration.instance().id.to_string();
        eventually("the new one is called", async || {
            answered.lock().expect("no panic").contains_key(&id)
        })
        .await;
        old.end().await;
        replaced.push(new);
    }
    is_over.store(true, Ordering::Relaxed);
    let took = began.elapsed();

    let calls = load.join().await.expect("no panic");
    let failed: Vec<&String> = calls
        .iter()
        .filter_map(|call| call.as_ref().err())
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {}: {failed:#?}",
        failed.len(),
        calls.len()
    );
    let expected = took.as_millis() / 5 * 9 / 10;
    assert!(
        calls.len() as u128 >= expected.max(200),
        "{} calls in {took:?} are not 200 per second",
        calls.len()
    );
    assert_eq!(
        answered.lock().expect("no panic").len(),
        8,
        "everybody took part"
    );
    server.stop().await;
}

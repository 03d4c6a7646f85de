//! A registry server on a port of its own, which can be stopped and started again.

use std::{net::SocketAddr, time::Duration};

use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
    server::{DrainPlan, Listener, Server},
    task::{self, Task},
};
use msf_registry::{
    Discovery, Instance, Snapshot,
    backend::{http::HttpRegistry, memory::MemoryRegistry},
    server::RegistryServer,
};
use tokio::sync::oneshot;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

pub(crate) const TTL: Duration = Duration::from_secs(1);

pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) memory: MemoryRegistry,
    stop: oneshot::Sender<()>,
    task: Task<()>,
}

/// Starts a server with an empty memory; port 0 takes a free one.
pub(crate) fn start(port: u16) -> Running {
    start_with(port, DrainPlan::new(Duration::ZERO, Duration::ZERO))
}

pub(crate) fn start_with(port: u16, plan: DrainPlan) -> Running {
    let memory = MemoryRegistry::builder().warm_up(TTL).build();
    serve(memory, port, plan)
}

/// A server that knows from the start that nobody ran before it.
pub(crate) fn start_warm() -> Running {
    let memory = MemoryRegistry::builder().warm_up(Duration::ZERO).build();
    let plan = DrainPlan::new(Duration::ZERO, Duration::ZERO);
    serve(memory, 0, plan)
}

fn serve(memory: MemoryRegistry, port: u16, plan: DrainPlan) -> Running {
    let listener = Listener::bind(([127, 0, 0, 1], port).into()).expect("the port is free");
    let addr = listener.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let service = RegistryServer::new(memory.clone());
    let task = task::spawn("registry", async move {
        let end = async { drop(stopped.await) };
        let served = Server::new()
            .serve_until(listener, service, end, plan)
            .await;
        served.expect("it served");
    });
    Running {
        addr,
        memory,
        stop,
        task,
    }
}

impl Running {
    pub(crate) fn client(&self) -> HttpRegistry {
        HttpRegistry::new(format!("http://{}", self.addr)).expect("it is a URL")
    }

    /// Closes the port and every connection.
    pub(crate) async fn stop(self) -> u16 {
        self.stop.send(()).expect("it runs");
        self.task.join().await.expect("it ended");
        self.addr.port()
    }
}

pub(crate) fn payment() -> ServiceName {
    ServiceName::new("payment").expect("it is a name")
}

pub(crate) fn instance(n: u16) -> Instance {
    let id = InstanceId::new(format!("p-{n}")).expect("it is an id");
    Instance::new(payment(), id, ([127, 0, 0, 1], 9_000 + n).into())
}

/// Waits until something is so, and fails when it never is.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = clock::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(clock::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Who is in a list, in its order.
pub(crate) fn ids(list: &Snapshot) -> Vec<&str> {
    let members = list.instances().iter();
    members.map(|m| m.instance.id.as_str()).collect()
}

/// A server that says the same to everybody.
pub(crate) async fn saying(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// How many instances the server itself lists.
pub(crate) async fn listed(memory: &MemoryRegistry) -> usize {
    let snapshot = memory.fetch(&payment()).await.expect("memory answers");
    snapshot.instances().len()
}

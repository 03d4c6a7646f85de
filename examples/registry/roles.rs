//! The registry server and an instance.

use std::{
    convert::Infallible,
    io::{self, Read},
    net::SocketAddr,
    thread,
    time::Duration,
};

use http::{Request, Response};
use msf_core::{
    BoxError,
    body::Body,
    name::{InstanceId, ServiceName},
    server::{DrainPlan, Listener, Server},
};
use msf_registry::{
    Instance, Registry,
    backend::{http::HttpRegistry, memory::MemoryRegistry},
    server::RegistryServer,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::board::say;

pub(crate) async fn serve(
    addr: SocketAddr,
    ended: impl Future<Output = ()> + Send,
) -> Result<(), BoxError> {
    // For one lease after its start it says that its list is not whole yet.
    let memory = MemoryRegistry::builder().warm_up(LEASE_TTL).build();
    let listener = Listener::bind(addr)?;
    say(&format!("the registry is at {}\n", listener.local_addr()));
    let plan = DrainPlan::new(Duration::ZERO, Duration::ZERO);
    Server::new()
        .serve_until(listener, RegistryServer::new(memory), ended, plan)
        .await?;
    Ok(())
}

/// Answers with its name until it is told to end.
pub(crate) async fn instance(
    n: u16,
    registry: SocketAddr,
    ended: impl Future<Output = ()> + Send,
) -> Result<(), BoxError> {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into())?;
    // A new identity for each process: the lease of one that was killed is not this one's.
    let id = InstanceId::new(format!("greeter-{n}-{}", std::process::id()))?;
    let described = Instance::new(
        ServiceName::new(SERVICE)?,
        id.clone(),
        listener.local_addr(),
    );
    let registration = connect(registry)?.register(described);
    say(&format!("{id} is at {}\n", listener.local_addr()));

    let end = async {
        ended.await;
        // Serves on while callers learn that it goes.
        let _gone_anyway = registration.drain().await;
    };
    let service = tower::service_fn(move |_: Request<Body>| {
        let name = id.to_string();
        async { Ok::<_, Infallible>(Response::new(Body::from(name))) }
    });
    let plan = DrainPlan::new(Duration::ZERO, Duration::from_secs(5));
    Server::new()
        .serve_until(listener, service, end, plan)
        .await?;
    Ok(())
}

/// The registry as instances and callers see it.
pub(crate) fn connect(addr: SocketAddr) -> Result<Registry, BoxError> {
    let backend = HttpRegistry::new(format!("http://{addr}"))?;
    Ok(Registry::builder(backend).lease_ttl(LEASE_TTL).build()?)
}

/// Waits for SIGTERM or ctrl-c. A child waits for the end of its parent instead of ctrl-c: the terminal sends that
/// to both, and the parent ends the child.
pub(crate) fn ended(is_child: bool) -> Result<impl Future<Output = ()> + Send, BoxError> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let (orphaned, parent) = oneshot::channel::<()>();
    if is_child {
        // The parent holds the other end of standard input, however it dies.
        thread::spawn(move || {
            let _ended = io::stdin().read(&mut [0]);
            drop(orphaned);
        });
    }
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv(), if !is_child => {}
            _ = parent, if is_child => {}
        }
    })
}

/// What the instances are instances of.
pub(crate) const SERVICE: &str = "greeter";
/// Short, so that there is something to see.
const LEASE_TTL: Duration = Duration::from_secs(3);

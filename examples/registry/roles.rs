//! The registry server and an instance.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

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
use tokio::signal::unix::{SignalKind, signal};

pub(crate) async fn serve(addr: SocketAddr) -> Result<(), BoxError> {
    // For one lease after its start it says that its list is not whole yet.
    let memory = MemoryRegistry::builder().warm_up(LEASE_TTL).build();
    let listener = Listener::bind(addr)?;
    let plan = DrainPlan::new(Duration::ZERO, Duration::ZERO);
    Server::new()
        .serve_until(listener, RegistryServer::new(memory), ended()?, plan)
        .await?;
    Ok(())
}

/// Answers with its name until it is told to end.
pub(crate) async fn instance(n: u16, registry: SocketAddr) -> Result<(), BoxError> {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into())?;
    let greeter = service_name()?;
    // A new identity for each process: the lease of one that was killed is not this one's.
    let pid = std::process::id();
    let id = InstanceId::new(format!("greeter-{n}-{pid}"))?;
    let described =
        Instance::new(greeter, id.clone(), listener.local_addr()).metadata("pid", pid.to_string());
    let registration = connect(registry)?.register(described);

    let ended = ended()?;
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

pub(crate) fn service_name() -> Result<ServiceName, BoxError> {
    Ok(ServiceName::new("greeter")?)
}

/// Waits for SIGTERM or ctrl-c.
pub(crate) fn ended() -> Result<impl Future<Output = ()> + Send, BoxError> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}

/// Short, so that there is something to see.
const LEASE_TTL: Duration = Duration::from_secs(3);

//! A registry, instances in it, and a client.

use std::{convert::Infallible, net::SocketAddr};

use http::{Request, Response};
use msf_client::{Client, ClientBuilder, ServiceClient};
use msf_core::{
    body::Body,
    metrics::Metrics,
    name::{InstanceId, ServiceName},
    testing::TestServer,
};
use msf_registry::{
    Instance, Registration, Registry,
    backend::{fixed::StaticRegistry, memory::MemoryRegistry},
};

/// A service `payment` with instances somewhere, and a client that counts.
pub(crate) struct World {
    pub(crate) metrics: Metrics,
    pub(crate) client: Client,
    pub(crate) payment: ServiceClient,
    _registrations: Vec<Registration>,
}

impl World {
    pub(crate) async fn new(addrs: &[SocketAddr]) -> Self {
        Self::with(addrs, |client| client).await
    }

    pub(crate) async fn with(
        addrs: &[SocketAddr],
        setup: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let registry = Registry::new(MemoryRegistry::new());
        let name = payment();
        let mut registrations = Vec::new();
        for (number, addr) in addrs.iter().enumerate() {
            let id = InstanceId::new(format!("payment-{number}")).unwrap();
            let registration = registry.register(Instance::new(name.clone(), id, *addr));
            registration.registered().await.unwrap();
            registrations.push(registration);
        }
        let metrics = Metrics::new();
        let client = setup(Client::builder(registry).metrics(&metrics))
            .build()
            .unwrap();
        let payment = client.service("payment").unwrap();
        Self {
            metrics,
            client,
            payment,
            _registrations: registrations,
        }
    }

    /// Calls that have not ended.
    pub(crate) fn active(&self) -> f64 {
        self.sample("msf_client_active_requests{service=\"payment\"}")
    }

    /// Calls that ended so.
    pub(crate) fn ended(&self, outcome: &str) -> f64 {
        self.sample(&format!(
            "msf_client_request_duration_seconds_count{{outcome=\"{outcome}\",service=\"payment\"}}"
        ))
    }

    pub(crate) fn sample(&self, series: &str) -> f64 {
        self.metrics
            .render()
            .lines()
            .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
            .unwrap_or(0.0)
    }
}

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

/// A registry in which `payment` has these instances.
pub(crate) fn listed(addrs: &[SocketAddr]) -> Registry {
    let listed = StaticRegistry::new().addrs(&payment(), addrs.to_vec());
    Registry::new(listed.unwrap())
}

/// A callee that answers with the headers it was sent, one a line.
pub(crate) async fn mirror() -> TestServer {
    TestServer::start(tower::service_fn(|request: Request<Body>| async move {
        let mut lines = String::new();
        for (name, value) in request.headers() {
            lines += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        Ok::<_, Infallible>(Response::new(Body::from(lines)))
    }))
    .await
}

/// The value of a header in a mirrored answer.
pub(crate) fn header<'a>(lines: &'a str, name: &str) -> Option<&'a str> {
    lines
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find_map(|(field, value)| (field == name).then_some(value))
}

/// An address at which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

//! The services behind a gateway of a test, and the pipes to them.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use msf_client::transport::{Dial, Dialed, Dialing};
use msf_core::task;
use tokio::io::DuplexStream;

use super::{
    received::Received,
    script::{Script, Step},
};

/// Who is where, and what was said to them.
#[derive(Debug, Default)]
pub(super) struct Network {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By their places; each is an address.
    endpoints: Vec<Endpoint>,
    services: BTreeMap<String, Service>,
}

#[derive(Clone, Debug)]
struct Endpoint {
    service: String,
    /// Its place among those of its service.
    place: usize,
}

#[derive(Debug)]
struct Service {
    script: Script,
    /// How many requests the script has seen.
    step: usize,
    received: Vec<Received>,
}

/// The way to them.
#[derive(Debug)]
pub(super) struct Wire(pub(super) Arc<Network>);

impl Network {
    /// One more endpoint of a service, at an address that nobody else has.
    pub(super) fn endpoint(&self, service: &str) -> SocketAddr {
        let mut state = self.lock();
        let own = state.endpoints.iter().filter(|it| it.service == service);
        let place = own.count();
        let service = service.to_owned();
        let at = state.endpoints.len();
        state.endpoints.push(Endpoint { service, place });
        address(at)
    }

    pub(super) fn play(&self, service: &str, script: Script) {
        let mut state = self.lock();
        let received = state.services.remove(service);
        let received = received.map(|it| it.received).unwrap_or_default();
        let service_state = Service {
            script,
            step: 0,
            received,
        };
        state.services.insert(service.to_owned(), service_state);
    }

    pub(super) fn received(&self, service: &str) -> Vec<Received> {
        let state = self.lock();
        let service = state.services.get(service);
        service.map(|it| it.received.clone()).unwrap_or_default()
    }

    pub(super) fn knows(&self, service: &str) -> bool {
        let state = self.lock();
        state.endpoints.iter().any(|it| it.service == service)
    }

    pub(super) fn names(&self) -> Vec<String> {
        let state = self.lock();
        let mut names: Vec<_> = state
            .endpoints
            .iter()
            .map(|it| it.service.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// The endpoint of an address, if its service has a script.
    fn find(&self, addr: SocketAddr) -> Option<Endpoint> {
        let state = self.lock();
        let mut endpoints = state.endpoints.iter().enumerate();
        let (_, endpoint) = endpoints.find(|(at, _)| address(*at) == addr)?;
        let is_there = state.services.contains_key(&endpoint.service);
        is_there.then(|| endpoint.clone())
    }

    fn next(&self, service: &str, received: &Received) -> Option<Step> {
        let mut state = self.lock();
        let service = state.services.get_mut(service)?;
        service.received.push(received.clone());
        let step = service.script.step(service.step);
        service.step += 1;
        Some(step)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panics elsewhere says so itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dial for Wire {
    fn dial(&self, addr: SocketAddr) -> Dialing {
        let network = Arc::clone(&self.0);
        Box::pin(async move {
            let Some(endpoint) = network.find(addr) else {
                return Err(io::ErrorKind::ConnectionRefused.into());
            };
            let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
            // It ends when the gateway closes its end of the pipe.
            task::spawn_root("scripted service", serve(network, endpoint, theirs)).detach();
            Ok(Dialed::new(ours))
        })
    }
}

async fn serve(network: Arc<Network>, endpoint: Endpoint, pipe: DuplexStream) {
    let name = endpoint.service.clone();
    let service =
        service_fn(move |request| answer(Arc::clone(&network), endpoint.clone(), request));
    let server = auto::Builder::new(TokioExecutor::new());
    let served = server.serve_connection(TokioIo::new(pipe), service).await;
    if let Err(error) = served {
        tracing::debug!(service = name, %error, "a scripted connection ended");
    }
}

async fn answer(
    network: Arc<Network>,
    endpoint: Endpoint,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, io::Error> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX).collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    let received = Received::new(head, body, endpoint.place);
    let step = network.next(&endpoint.service, &received);
    let response = match step {
        Some(step) => step.run(&received).await,
        None => None,
    };
    let response = response.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionReset))?;
    Ok(response.map(Full::new))
}

/// In the block for benchmarks (RFC 2544), which is nobody's; nothing is sent there.
fn address(place: usize) -> SocketAddr {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    let first = Ipv4Addr::new(198, 18, 0, 1).to_bits();
    (Ipv4Addr::from_bits(first.saturating_add(place)), 80).into()
}

/// What a socket of the loopback address takes at once.
const PIPE_BYTES: usize = 64 << 10;
/// A body of a test; more is a mistake.
const BODY_MAX: usize = 64 << 20;

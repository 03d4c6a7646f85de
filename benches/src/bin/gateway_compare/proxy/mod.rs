//! What is compared.

mod caddy;
mod envoy;
mod haproxy;
mod nginx;
mod own;
mod peers;

use std::net::SocketAddr;

use msf_benches::gateway::{load::Run, process::Process};
use msf_core::BoxError;

use super::plan::Plan;

/// One proxy that runs.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) process: Process,
    pub(crate) addr: SocketAddr,
    /// Where it speaks HTTP/2 without TLS, if it does.
    pub(crate) http2_addr: Option<SocketAddr>,
    /// Sent with each request.
    pub(crate) token: Option<String>,
}

/// The services behind the proxies.
#[derive(Debug)]
pub(crate) struct Services {
    _process: Process,
    pub(crate) addrs: Vec<SocketAddr>,
}

impl Proxy {
    pub(crate) const fn takes(&self, run: &Run) -> bool {
        !run.over_http2 || self.http2_addr.is_some()
    }

    pub(crate) fn addr(&self, run: &Run) -> SocketAddr {
        match self.http2_addr {
            Some(addr) if run.over_http2 => addr,
            _ => self.addr,
        }
    }
}

pub(crate) fn services() -> Result<Services, BoxError> {
    own::services()
}

/// Starts each proxy that is here.
pub(crate) fn found(plan: &Plan, services: &[SocketAddr]) -> Result<Vec<Proxy>, BoxError> {
    let mut proxies = Vec::new();
    for (name, start) in ALL {
        if !plan.includes(name) {
            continue;
        }
        match start(name, services)? {
            Some(proxy) => proxies.push(proxy),
            None => println!("{name}: not found on this machine"),
        }
    }
    Ok(proxies)
}

/// Starts a proxy in front of the services, if this machine has it.
type Start = fn(&'static str, &[SocketAddr]) -> Result<Option<Proxy>, BoxError>;

const ALL: &[(&str, Start)] = &[
    ("nginx", nginx::start),
    ("gateway", own::gateway),
    ("gateway-jwt", own::gateway_jwt),
    ("bare", own::bare),
    ("haproxy", haproxy::start),
    ("envoy", envoy::start),
    ("caddy", caddy::start),
    ("pingora", peers::pingora),
    ("axum-reverse-proxy", peers::axum_reverse_proxy),
    ("naive", own::naive),
];

/// `10.0.0.1:80` of each service in a template of one line each.
fn lines(services: &[SocketAddr], line: impl Fn(usize, &SocketAddr) -> String) -> String {
    let lines = services.iter().enumerate();
    lines.map(|(at, service)| line(at, service)).collect()
}

/// Writes the configuration of a proxy where it finds it.
fn write_config(name: &str, text: &str) -> Result<String, BoxError> {
    let file = format!("msf-gateway-compare-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(file);
    std::fs::write(&path, text)?;
    Ok(path.to_string_lossy().into_owned())
}

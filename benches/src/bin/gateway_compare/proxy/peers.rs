//! Proxies on other libraries, which `benches/peers` builds.

use std::{env, net::SocketAddr, path::PathBuf};

use msf_benches::gateway::process::{PROXY_CORE, Process, free_addr};
use msf_core::BoxError;

use super::Proxy;

pub(super) fn pingora(
    name: &'static str,
    services: &[SocketAddr],
) -> Result<Option<Proxy>, BoxError> {
    start(
        name,
        "pingora-peer",
        "pingora-proxy, as small as can be",
        services,
    )
}

pub(super) fn axum_reverse_proxy(
    name: &'static str,
    services: &[SocketAddr],
) -> Result<Option<Proxy>, BoxError> {
    start(
        name,
        "axum-reverse-proxy-peer",
        "axum-reverse-proxy, as small as can be",
        services,
    )
}

fn start(
    name: &'static str,
    program: &str,
    label: &'static str,
    services: &[SocketAddr],
) -> Result<Option<Proxy>, BoxError> {
    let path = built().join(program);
    if !path.is_file() {
        println!(
            "{name}: cargo build --release --manifest-path benches/peers/Cargo.toml (needs cmake)"
        );
        return Ok(None);
    }
    let addr = free_addr()?;
    let services = services.iter().map(ToString::to_string);
    let args = std::iter::once(addr.port().to_string()).chain(services);
    Ok(Some(Proxy {
        name,
        label,
        process: Process::start(PROXY_CORE, path, args, addr)?,
        addr,
        http2_addr: None,
        token: None,
    }))
}

/// Where cargo puts the peers, unless `MSF_PEERS` says otherwise.
fn built() -> PathBuf {
    env::var_os("MSF_PEERS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/target/release")),
        PathBuf::from,
    )
}

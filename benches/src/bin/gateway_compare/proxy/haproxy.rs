//! HAProxy: one thread, connections to the services shared, no log.

use std::net::SocketAddr;

use msf_benches::gateway::process::{PROXY_CORE, Process, free_addr, on_path};
use msf_core::BoxError;

use super::{Proxy, lines, write_config};

pub(super) fn start(
    name: &'static str,
    services: &[SocketAddr],
) -> Result<Option<Proxy>, BoxError> {
    if !on_path(name) {
        return Ok(None);
    }
    let (addr, http2) = (free_addr()?, free_addr()?);
    let servers = lines(services, |at, service| {
        format!("  server s{at} {service}\n")
    });
    let config = format!(
        "global\n  nbthread 1\n  maxconn 4096\n\
         defaults\n  mode http\n  http-reuse always\n  option forwardfor\n  timeout connect 1s\n  timeout client 30s\n  timeout server 30s\n\
         frontend in\n  bind {addr}\n  bind {http2} proto h2\n  default_backend service\n\
         backend service\n  balance roundrobin\n{servers}"
    );
    let config = write_config("haproxy.cfg", &config)?;
    Ok(Some(Proxy {
        name,
        label: "haproxy, one thread, no log",
        process: Process::start(PROXY_CORE, "haproxy", ["-db", "-f", &config], addr)?,
        addr,
        http2_addr: Some(http2),
        token: None,
    }))
}

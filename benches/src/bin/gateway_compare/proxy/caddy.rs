//! Caddy: one processor for the Go runtime, no access log.

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
    let addr = free_addr()?;
    let to = lines(services, |_, service| format!(" {service}"));
    let config = format!(
        "{{\n  admin off\n  auto_https off\n  servers {{\n    protocols h1 h2 h2c\n  }}\n}}\n\
         http://{addr} {{\n  bind 127.0.0.1\n  reverse_proxy{to}\n}}\n"
    );
    let config = write_config("Caddyfile", &config)?;
    let args = [
        "GOMAXPROCS=1",
        "caddy",
        "run",
        "--adapter",
        "caddyfile",
        "--config",
        &config,
    ];
    Ok(Some(Proxy {
        name,
        label: "caddy, one processor, no access log",
        process: Process::start(PROXY_CORE, "env", args, addr)?,
        addr,
        http2_addr: Some(addr),
        token: None,
    }))
}

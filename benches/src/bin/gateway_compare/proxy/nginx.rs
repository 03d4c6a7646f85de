//! nginx: one process, keep-alive to the services, no access log.

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
    let servers = lines(services, |_, service| format!("server {service}; "));
    let dir = std::env::temp_dir().join(format!(
        "msf-gateway-compare-{}-nginx.d",
        std::process::id()
    ));
    std::fs::create_dir_all(&dir)?;
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log stderr crit;
         events {{ worker_connections 2048; }}
         http {{
           access_log off; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b;
           fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
           keepalive_requests 1000000000; client_body_buffer_size 16k;
           upstream service {{ {servers} keepalive 64; keepalive_requests 1000000000; }}
           server {{ listen {addr}; listen {http2} http2; location / {{
             proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection \"\";
             proxy_set_header X-Forwarded-For $remote_addr; }} }}
         }}",
        dir = dir.display()
    );
    let config = write_config("nginx.conf", &config)?;
    Ok(Some(Proxy {
        name,
        label: "nginx, keepalive 64, no access log",
        process: Process::start(PROXY_CORE, "nginx", ["-c", &config], addr)?,
        addr,
        http2_addr: Some(http2),
        token: None,
    }))
}

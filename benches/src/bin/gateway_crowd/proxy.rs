//! Who stands in front of the crowd.

use std::{env, fs, net::SocketAddr};

use msf_benches::gateway::{
    process::{LOAD_CORE, PROXY_CORE, Process, free_addr, on_path},
    serve::CROWDED,
};
use msf_core::BoxError;

use super::plan::Plan;

/// One proxy that runs.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) label: &'static str,
    pub(crate) process: Process,
    pub(crate) addr: SocketAddr,
}

/// The services behind the proxies.
#[derive(Debug)]
pub(crate) struct Services {
    _process: Process,
    pub(crate) addrs: Vec<SocketAddr>,
}

pub(crate) fn services() -> Result<Services, BoxError> {
    let addrs = vec![free_addr()?, free_addr()?, free_addr()?];
    let last = addrs.last().copied().ok_or("there are no services")?;
    Ok(Services {
        _process: this(LOAD_CORE, "services", &addrs, last)?,
        addrs,
    })
}

pub(crate) fn gateway(services: &[SocketAddr], _plan: &Plan) -> Result<Option<Proxy>, BoxError> {
    let addr = free_addr()?;
    let addrs: Vec<_> = [addr].iter().chain(services).copied().collect();
    Ok(Some(Proxy {
        label: "msf gateway, its defaults",
        process: this(PROXY_CORE, CROWDED, &addrs, addr)?,
        addr,
    }))
}

/// nginx as in gateway-compare, with room for the crowd.
pub(crate) fn nginx(services: &[SocketAddr], plan: &Plan) -> Result<Option<Proxy>, BoxError> {
    if !on_path("nginx") {
        println!("nginx: not found on this machine");
        return Ok(None);
    }
    let addr = free_addr()?;
    let servers: String = services
        .iter()
        .map(|service| format!("server {service}; "))
        .collect();
    let dir = env::temp_dir().join(format!("msf-gateway-crowd-{}.d", std::process::id()));
    fs::create_dir_all(&dir)?;
    let dir = dir.display();
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log stderr crit;
         events {{ worker_connections {connections}; }}
         http {{
           access_log off; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b;
           fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
           keepalive_timeout 600s; keepalive_requests 1000000000; client_body_buffer_size 16k;
           upstream service {{ {servers} keepalive 64; keepalive_requests 1000000000; }}
           server {{ listen {addr} backlog=4096; location / {{
             proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection \"\";
             proxy_set_header X-Forwarded-For $remote_addr; }} }}
         }}",
        connections = 2 * plan.connections() + 1_000,
    );
    let path = format!("{dir}/nginx.conf");
    fs::write(&path, config)?;
    Ok(Some(Proxy {
        label: "nginx, keepalive 64, no log",
        process: Process::start(PROXY_CORE, "nginx", ["-c", &path], addr)?,
        addr,
    }))
}

/// This program again.
fn this(
    core: usize,
    kind: &str,
    addrs: &[SocketAddr],
    listens: SocketAddr,
) -> Result<Process, BoxError> {
    let args = ["serve".to_owned(), kind.to_owned()];
    let args = args
        .into_iter()
        .chain(addrs.iter().map(ToString::to_string));
    Process::start(core, env::current_exe()?, args, listens)
}

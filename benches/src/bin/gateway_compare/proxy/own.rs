//! This program again, as one of the proxies or as the services.

use std::{env, net::SocketAddr};

use msf_benches::gateway::{
    process::{LOAD_CORE, PROXY_CORE, Process, free_addr},
    serve,
};
use msf_core::BoxError;

use super::{Proxy, Services};

/// Three services in one process.
pub(super) fn services() -> Result<Services, BoxError> {
    let addrs = [free_addr()?, free_addr()?, free_addr()?];
    let args = ["serve".to_owned(), "services".to_owned()];
    let args = args
        .into_iter()
        .chain(addrs.iter().map(ToString::to_string));
    // The last one listens last.
    let process = Process::start(LOAD_CORE, env::current_exe()?, args, addrs[2])?;
    Ok(Services {
        _process: process,
        addrs: addrs.to_vec(),
    })
}

pub(super) fn gateway(
    name: &'static str,
    services: &[SocketAddr],
) -> Result<Option<Proxy>, BoxError> {
    start(
        name,
        "msf gateway, its defaults, 100 routes",
        true,
        services,
    )
}

pub(super) fn gateway_jwt(
    name: &'static str,
    services: &[SocketAddr],
) -> Result<Option<Proxy>, BoxError> {
    let proxy = start(
        name,
        "msf gateway, HS256 and a limit per subject",
        true,
        services,
    )?;
    let token = serve::token()?;
    Ok(proxy.map(|proxy| Proxy {
        token: Some(token),
        ..proxy
    }))
}

pub(super) fn bare(name: &'static str, services: &[SocketAddr]) -> Result<Option<Proxy>, BoxError> {
    start(name, "msf gateway, nobody observes", true, services)
}

pub(super) fn naive(
    name: &'static str,
    services: &[SocketAddr],
) -> Result<Option<Proxy>, BoxError> {
    start(name, "hyper + hyper-util's legacy client", false, services)
}

fn start(
    name: &'static str,
    label: &'static str,
    speaks_http2: bool,
    services: &[SocketAddr],
) -> Result<Option<Proxy>, BoxError> {
    let addr = free_addr()?;
    let args = ["serve".to_owned(), name.to_owned(), addr.to_string()];
    let args = args
        .into_iter()
        .chain(services.iter().map(ToString::to_string));
    Ok(Some(Proxy {
        name,
        label,
        process: Process::start(PROXY_CORE, env::current_exe()?, args, addr)?,
        addr,
        http2_addr: speaks_http2.then_some(addr),
        token: None,
    }))
}

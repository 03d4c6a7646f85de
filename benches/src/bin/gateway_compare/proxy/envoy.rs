//! Envoy: one worker, no access log.

use std::net::SocketAddr;

use msf_benches::gateway::process::{PROXY_CORE, Process, free_addr, on_path};
use msf_core::BoxError;
use serde_json::json;

use super::{Proxy, write_config};

pub(super) fn start(
    name: &'static str,
    services: &[SocketAddr],
) -> Result<Option<Proxy>, BoxError> {
    if !on_path(name) {
        return Ok(None);
    }
    let addr = free_addr()?;
    let config = write_config("envoy.json", &config(addr, services).to_string())?;
    let args = [
        "--concurrency",
        "1",
        "--log-level",
        "off",
        "--disable-hot-restart",
        "-c",
        &config,
    ];
    Ok(Some(Proxy {
        name,
        label: "envoy, one worker, no access log",
        process: Process::start(PROXY_CORE, "envoy", args, addr)?,
        addr,
        http2_addr: Some(addr),
        token: None,
    }))
}

fn config(addr: SocketAddr, services: &[SocketAddr]) -> serde_json::Value {
    let socket = |addr: &SocketAddr| json!({"socket_address": {"address": addr.ip().to_string(), "port_value": addr.port()}});
    let endpoints: Vec<_> = services
        .iter()
        .map(|service| json!({"endpoint": {"address": socket(service)}}))
        .collect();
    json!({"static_resources": {
        "listeners": [{
            "address": socket(&addr),
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "in",
                    "codec_type": "AUTO",
                    "route_config": {"virtual_hosts": [{
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "service"}}]
                    }]},
                    "http_filters": [{
                        "name": "envoy.filters.http.router",
                        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
                    }]
                }
            }]}]
        }],
        "clusters": [{
            "name": "service",
            "type": "STATIC",
            "connect_timeout": "1s",
            "lb_policy": "LEAST_REQUEST",
            "load_assignment": {"cluster_name": "service", "endpoints": [{"lb_endpoints": endpoints}]}
        }]
    }})
}

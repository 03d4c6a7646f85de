//! A gateway from a file, which may change while it runs: `cargo run --example gateway_config`, then
//!
//! ```text
//! curl localhost:8080/api/users/7                     users says /api/users/7
//! curl -H 'x-canary: 1' localhost:8080/api/users/7    users-v2 says /api/users/7
//! curl -i localhost:8080/users/7                      308
//! curl localhost:9901/config                          what is in use, and what was wrong with the last change
//! ```
//!
//! Write something else into `examples/gateway_config/gateway.toml`: it counts a second later. Write something wrong: the log
//! says what, and nothing changes. The program `msf-gateway` does the same without any code.

use std::{convert::Infallible, net::SocketAddr};

use http::{Request, Response};
use msf_core::{
    BoxError,
    body::Body,
    server::{Listener, Server},
    task::{self, Task},
    telemetry::{self, LogConfig},
};
use msf_gateway::live::{FileProvider, LiveGateway};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gateway_config/gateway.toml");

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let _telemetry = telemetry::init(&LogConfig::default())?;
    let _users = upstream("users", ([127, 0, 0, 1], 9001).into())?;
    let _next = upstream("users-v2", ([127, 0, 0, 1], 9002).into())?;

    let live = LiveGateway::start(FileProvider::new(FILE)).await?;
    let _watch = live.watch(LiveGateway::POLL_EVERY);
    let ended = async {
        // Without ctrl-c there is nothing to wait for.
        let _told = tokio::signal::ctrl_c().await;
    };
    live.server()?.run_until(ended).await?;
    Ok(())
}

/// A service that says who it is.
fn upstream(name: &'static str, addr: SocketAddr) -> Result<Task<()>, BoxError> {
    let listener = Listener::bind(addr)?;
    let service = tower::service_fn(move |request: Request<Body>| async move {
        let text = format!("{name} says {}\n", request.uri());
        Ok::<_, Infallible>(Response::new(Body::from(text)))
    });
    Ok(task::spawn(name, async move {
        let _served = Server::new().serve(listener, service).await;
    }))
}

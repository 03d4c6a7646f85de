//! The smallest service: `cargo run --example hello`, then
//! `curl -i localhost:8080/hello/you`, `/readyz?verbose`, `/metrics`.

use axum::{Router, extract::Path, routing::get};
use msf_core::host::{HostError, ServiceHost};

async fn hello(Path(name): Path<String>) -> String {
    tracing::info!(name, "greeting");
    format!("hello {name}\n")
}

#[tokio::main]
async fn main() -> Result<(), HostError> {
    let routes = Router::new().route("/hello/{name}", get(hello));
    ServiceHost::builder("hello").router(routes).run().await
}

//! A proxy on axum-reverse-proxy, for `gateway-compare`: `axum-reverse-proxy-peer PORT SERVICE..`, one thread; it takes the
//! first service only.

use std::{env, error::Error};

use axum::Router;
use axum_reverse_proxy::ReverseProxy;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let usage = "axum-reverse-proxy-peer PORT SERVICE..";
    let port = args.next().ok_or(usage)?;
    let service = args.next().ok_or(usage)?;
    let app: Router = ReverseProxy::new("/", &format!("http://{service}")).into();
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    axum::serve(listener, app).await?;
    Ok(())
}

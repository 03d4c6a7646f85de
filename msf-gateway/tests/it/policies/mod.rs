//! What routes do besides forwarding, each seen at a client and at a service.

mod access;
mod action;
mod cluster;
mod cors;
mod hedge;
mod identity;
mod layer;
mod limit;
mod mirror;
mod order;
mod plugin;
mod retry;
#[cfg(feature = "redis")]
mod shared_limit;
mod split;
mod transform;

use http::{Method, Request};
use msf_client::Client;
use msf_core::{body::Body, testing::TestServer};
use msf_gateway::{Gateway, GatewayBuilder, GatewayErrors};

use crate::common::System;

pub(crate) fn builder(system: &System) -> GatewayBuilder {
    Gateway::builder(Client::builder(system.registry.clone()).build().unwrap())
}

/// What is wrong with a gateway.
pub(crate) fn errors(builder: GatewayBuilder) -> Vec<String> {
    let errors: GatewayErrors = builder.build().unwrap_err();
    errors.all().iter().map(ToString::to_string).collect()
}

pub(crate) fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    headers
        .iter()
        .fold(request, |request, (name, value)| {
            request.header(*name, *value)
        })
        .body(Body::empty())
        .unwrap()
}

/// A server that says its own name.
pub(crate) async fn named(name: &'static str) -> TestServer {
    TestServer::start(tower::service_fn(
        move |_request: Request<Body>| async move {
            Ok::<_, std::convert::Infallible>(http::Response::new(Body::from(name)))
        },
    ))
    .await
}

pub(crate) fn url(server: &TestServer) -> String {
    format!("http://{}", server.addr())
}

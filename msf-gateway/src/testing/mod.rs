//! Trying a gateway: its routes, policies, limits, timeouts and retries, with services that are scripts.
//!
//! No socket is opened. Between the gateway and a service is a pipe in memory, and everything else is what runs in
//! production: pools, balancing, breakers, retries, hedges, timeouts. So a paused clock steps exactly when the test says so.
//!
//! ```
//! use msf_core::{assert_problem, problem::Code};
//! use msf_gateway::testing::{Script, TestGateway};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_gateway::config::ConfigErrors> {
//! let gateway = TestGateway::from_toml(r#"
//!     [clusters.users]
//!     endpoints = ["http://10.0.0.1:9001"]
//!     [[routes]]
//!     match = { path = "/api/users/{id}" }
//!     to = "users"
//!     rewrite = "/users/{id}"
//! "#)?
//! .upstream("users", Script::json(200, json!({ "name": "Ada" })));
//!
//! let answer = gateway.get("/api/users/7").header("x-user-id", "1").send().await;
//! assert_eq!(answer.json::<serde_json::Value>()["name"], "Ada");
//! let [received] = &gateway.received("users")[..] else { panic!() };
//! assert_eq!((received.path(), received.header("x-user-id")), ("/users/7", None));
//!
//! assert_problem!(gateway.get("/api/orders").send().await, Code::NotFound);
//! # Ok(())
//! # }
//! ```
//!
//! | what is real | what is not |
//! |---|---|
//! | routes, policies, limits, transforms, plugins, layers, CORS, mirrors | sockets: [`TestRequest::from`] says where a request comes from |
//! | the client: balancing, breakers, retries, hedges, timeouts, pools, HTTP/1.1 and HTTP/2 | the registry: each service has one instance there |
//! | tokens and their verification | the keys of an `[auth]`: [`TestGateway::token`] signs in the place of its issuers |
//! | shared limits | Redis: they are counted in memory |
//! | | active health checks and access logs: there are none |
//!
//! A service without a script is not there: nobody takes the connection.

mod gateway;
mod network;
mod received;
mod request;
mod script;
#[cfg(test)]
mod tests;

pub use self::{gateway::TestGateway, received::Received, request::TestRequest, script::Script};

//! The layers of this crate in the right order, as one layer.
//!
//! Which layer stands inside which decides what they do: a retry inside a breaker hides from it what fails, a timeout
//! outside of the retries leaves them no time. A pipeline has the order built in; its parts can be given in any order, or be
//! left out.
//!
//! ```text
//! http_client   deadline ▶ retry ▶ hedge ▶ rate limit ▶ bulkhead ▶ breaker ▶ attempt timeout ▶ the callee
//! http_server   deadline ▶ load shed ▶ rate limit ▶ adaptive limit, or bulkhead ▶ the handler
//! ```
//!
//! ```
//! use std::{io, time::Duration};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use msf_resilience::{
//!     circuit_breaker::CircuitBreaker, pipeline::http_client, replay::ReplayBody, retry::RetryPolicy,
//! };
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let payments = http_client("payments")
//!     .attempt_timeout(Duration::from_millis(800))
//!     .deadline(Duration::from_secs(5))
//!     .circuit_breaker(CircuitBreaker::builder("payments").build()?)
//!     .retry(RetryPolicy::builder("payments").build()?)
//!     .build()?;
//!
//! // Where an HTTP client would be.
//! let callee = service_fn(|request: Request<ReplayBody<Empty<Bytes>>>| async move {
//!     Ok::<_, io::Error>(Response::new(request.headers().contains_key("x-msf-timeout-ms")))
//! });
//! let response = payments.layer(callee).oneshot(Request::new(Empty::new())).await?;
//! assert!(response.into_body(), "the callee is told how much time is left");
//! # Ok(())
//! # }
//! ```
//!
//! # Why this order
//!
//! The *deadline* bounds everything together, with the waits between attempts. Each attempt of the *retry* goes through
//! all that follows, so it is counted and admitted as the call that it is; what a part refuses was no call, and is neither
//! repeated nor charged to the budget. A *hedge* is an attempt as well. The *limit* and the *bulkhead* stand outside of
//! the *breaker*, which is to see what the callee does and not what we refuse. The *attempt timeout* is inside of
//! it, where an attempt that ran out of time is a failure of the callee.
//!
//! On a server, shedding must be the cheapest thing to do; who is above the *rate limit* takes no place from others; and the
//! limit next to the handler counts what is worked on.
//!
//! # From a configuration
//!
//! [`ClientConfig`] and [`ServerConfig`] are serde types with a section for each part. An empty section is a part with its
//! defaults, no section is no part. An unknown key and a number that cannot work are errors with their place; see
//! [`InvalidPipeline::report`]. Retries and hedges have one [`Budget`](crate::budget::Budget), that of the section `retry`; in code, share one between
//! both, and a call still counts once.
//!
//! ```
//! use msf_resilience::{bulkhead::Bulkhead, pipeline::{ServerConfig, http_server}};
//!
//! let config: ServerConfig = serde_json::from_str(
//!     r#"{"deadline": {"max": "30s"}, "bulkhead": {"max_concurrent": 100}, "load_shed": {}}"#,
//! )?;
//! let orders = http_server("orders").config(&config).build()?;
//!
//! let more = serde_json::from_str(
//!     r#"{"deadline": {"max": "30s"}, "bulkhead": {"max_concurrent": 200}, "load_shed": {}}"#,
//! )?;
//! orders.reload(&more)?;
//! assert_eq!(orders.bulkhead().map(|bulkhead| bulkhead.snapshot().limit()), Some(200));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # While it runs
//!
//! [`HttpClient::reload`] and [`HttpServer::reload`] check everything first, then apply it: windows, states, permits and calls in
//! flight stay. Parts given in code are not touched.
//!
//! | change | |
//! |---|---|
//! | any number of a part | at once, for calls that begin from then on |
//! | the breaker's section goes, or is back | it is disabled, or released, unless an operator holds it |
//! | another section comes or goes | an error: needs a restart |
//! | `deadline_margin`, the number of `limits`, the kind or `ttl` of the retry's `budget` | an error: needs a restart |
//! | `max_keys` | checked, but in force after a restart only |
//!
//! # Bodies
//!
//! A request that may be sent twice has a [`ReplayBody`](crate::replay::ReplayBody), with retries or without, so the service inside takes
//! that; [`map_body`](HttpClientBuilder::map_body) turns it into another. Permits are held until the head of the response is
//! there; a server whose responses stream holds them [until the end of the body](HttpServerBuilder::until_body_end).
//!
//! # Cancel safety
//!
//! Dropping a call gives back all that its parts hold.

mod client;
mod enter;
mod error;
mod invalid;
mod maybe;
mod part;
mod server;

pub use self::{
    client::{
        ClientConfig, HttpClient, HttpClientBuilder, HttpClientFuture, HttpClientService, Once,
        TotalLimit, TotalLimitFuture, http_client,
    },
    enter::{Enter, EnterFuture},
    error::Error,
    invalid::{InvalidPart, InvalidPipeline},
    maybe::{Maybe, MaybeFuture, MaybeService},
    server::{
        HttpServer, HttpServerBuilder, HttpServerFuture, HttpServerService, KeyedLimit,
        KeyedLimitFuture, PriorityFn, ServerConfig, Shed, Unheld, UnheldFuture, http_server,
    },
};

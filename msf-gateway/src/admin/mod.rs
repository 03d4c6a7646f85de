//! What operators see and do, at an address of its own.
//!
//! ```
//! # use msf_client::Client;
//! # use msf_gateway::{Gateway, Route};
//! # use msf_registry::{Registry, backend::memory::MemoryRegistry};
//! use msf_gateway::Admin;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
//! let gateway = Gateway::builder(client)
//!     .route(Route::prefix("/api/orders").to("order").public())
//!     .build()?;
//! let free_port = ([127, 0, 0, 1], 0).into();
//! let running = gateway.server(free_port).workers(1).admin(Admin::new(free_port)).start()?;
//! assert!(running.admin_addr().is_some());
//! # running.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | path | |
//! |---|---|
//! | `GET /` | a page with all of it, for people |
//! | `GET /livez`, `/readyz`, `/healthz` | as on the public listener; without a token |
//! | `GET /health` | the gateway and all services of the registry |
//! | `GET /metrics` | Prometheus text |
//! | `GET /routes` | every route with its policy and its settings |
//! | `GET /clusters` | every cluster with its instances, as the balancer sees them |
//! | `GET /breakers` | every circuit breaker with what it has counted |
//! | `GET /config` | what the gateway runs on |
//! | `GET /explain?method=&url=&header=name:value` | which route takes a request, and why not another; found by the search that serves requests |
//! | `GET /log-level` | the level in force |
//! | `POST /log-level` | another one: `debug,hyper=info`, or `{"level": ".."}` |
//! | `POST /breakers/{service}/open` | no call of the service passes |
//! | `POST /breakers/{service}/close` | every call passes and is counted, even if it fails |
//! | `POST /breakers/{service}/release` | the breaker decides by itself again |
//! | `POST /drain` | the gateway ends as its [drain plan](crate::GatewayServer::drain_plan) says; asked again, it says how far it is |
//!
//! Documents are JSON and failures are problems (RFC 9457). Keys that are secrets (tokens, keys, passwords) are
//! in none of them. What the file says in the clear is shown: header values that it sets, and addresses with what is in them.
//!
//! # Who may
//!
//! Without a token the listener opens on loopback only: the address decides who asks. Anywhere else it does not
//! start without one. It is compared by hash, in constant time.
//!
//! Loopback is where an operator's browser runs, too, and so is every page that is open in it. Hence an order that
//! comes from another origin is refused (`Origin`, `Sec-Fetch-Site`), and without a token nothing is answered
//! under a name that somebody may have pointed here, but under an address or `localhost` only. No answer may be
//! kept, framed, or read by another origin.
//!
//! # When it is the wrong tool
//!
//! For a scrape or a probe from elsewhere use [`GatewayServer::operations`](crate::GatewayServer::operations): it
//! has those and nothing else, and needs no token.

mod config;
mod endpoint;
mod explain;
mod guard;
mod page;
mod service;
mod views;

pub use self::config::{Admin, AdminError};
pub(crate) use self::service::AdminService;

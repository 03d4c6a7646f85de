//! Where the world finds a gateway, when one plain address is not all there is to say.
//!
//! ```
//! # use msf_client::Client;
//! # use msf_gateway::{Gateway, Route};
//! # use msf_registry::{Registry, backend::memory::MemoryRegistry};
//! use msf_core::server::ProxyProtocol;
//! use msf_gateway::GatewayListener;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
//! let balancers = ProxyProtocol::new().trust("10.0.0.0/8".parse()?);
//! let free_port = ([127, 0, 0, 1], 0).into();
//! let gateway = Gateway::builder(client)
//!     .route(Route::prefix("/api/orders").to("order").public())
//!     .redirect_to_https(0, 443)
//!     .build()?;
//! let running = gateway
//!     .server(free_port)
//!     .listener(GatewayListener::new(free_port).proxy_protocol(balancers))
//!     .workers(2)
//!     .start()?;
//! assert_eq!(running.addrs().len(), 2);
//! # running.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Listeners are known by their places: 0 is the address of [`Gateway::server`](crate::Gateway::server), and those of
//! [`GatewayServer::listener`](crate::GatewayServer::listener) follow. All of them serve the same routes.

mod rules;
mod settings;

pub(crate) use self::rules::Rules;
pub use self::settings::GatewayListener;

//! Serving, one thread per core.
//!
//! ```text
//!   worker 0 ─ thread, current_thread runtime, listener (SO_REUSEPORT), connections of its own
//!   worker 1 ─ thread, current_thread runtime, listener (SO_REUSEPORT), connections of its own
//!   ...
//!   the runtime that called `start` ─ registry watches, key refreshes, the operations listener
//! ```
//!
//! A request stays on the thread that accepted its connection, from the client's bytes to the service's and
//! back: nothing is handed to another core and no lock is shared. What is not a request runs on the
//! runtime of the caller, which serves none, so that no control task ever delays one. With few clients the
//! kernel may spread connections unevenly over the workers; it does so by a hash of the addresses.
//!
//! ```
//! # use msf_client::Client;
//! # use msf_gateway::{Gateway, Route};
//! # use msf_registry::{Registry, backend::memory::MemoryRegistry};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
//! let gateway = Gateway::builder(client)
//!     .route(Route::prefix("/api/orders").to("order").public())
//!     .build()?;
//! let free_port = ([127, 0, 0, 1], 0).into();
//! let running = gateway.server(free_port).workers(2).operations(free_port).start()?;
//! assert_ne!(Some(running.addr()), running.operations_addr());
//!
//! let served = running.stop().await?;
//! assert_eq!(served.cut, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # The end
//!
//! [`RunningGateway::stop`] drains as `msf_core::server` does: `/readyz` fails and answers say
//! `Connection: close`, then the listener closes, then what is still open is cut at the deadline.

mod config;
mod operations;
mod running;

pub use self::{
    config::{GatewayServer, StartError},
    running::RunningGateway,
};

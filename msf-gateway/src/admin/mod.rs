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

mod config;

pub use self::config::{Admin, AdminError};

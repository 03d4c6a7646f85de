//! A list that the program brings along: from its configuration, from a test.
//!
//! Nobody registers with it and nothing leaves it by itself. What it lists is the program's word, so
//! even an empty list is believed at once.
//!
//! ```
//! use msf_core::name::ServiceName;
//! use msf_registry::{Authority, Discovery, backend::fixed::StaticRegistry};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let payment = ServiceName::new("payment")?;
//! let registry = StaticRegistry::new()
//!     .addrs(&payment, ["10.0.0.1:80".parse()?, "10.0.0.2:80".parse()?])?;
//! let listed = registry.fetch(&payment).await?;
//! assert_eq!(listed.instances()[1].instance.id, "10.0.0.2:80");
//!
//! // A new configuration replaces the list of one service; whoever watches it hears of it.
//! registry.replace(&payment, Vec::new())?;
//! assert_eq!(registry.fetch(&payment).await?.authority(), Authority::Explicit);
//! # Ok(())
//! # }
//! ```
//!
//! # When it is the wrong tool
//!
//! - Instances come and go while the program runs: a file is changed without a restart, and any other
//!   backend knows the dead from the living.
//! - Instances behind names: the DNS backend resolves them again.

mod list;
mod registry;

#[cfg(feature = "dns")]
pub(crate) use self::registry::id_of;
pub use self::{list::InvalidList, registry::StaticRegistry};

//! A registry in a file: processes of one machine find each other without a server, and a list that is
//! written by hand or deployed is picked up while they run.
//!
//! ```
//! use msf_core::name::{InstanceId, ServiceName};
//! use msf_registry::{Discovery, Instance, Registry, backend::file::FileRegistry};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let path = std::env::temp_dir().join(format!("services-{}.json", std::process::id()));
//! let one_process = FileRegistry::open(&path)?;
//! let another = FileRegistry::open(&path)?;
//!
//! let payment = ServiceName::new("payment")?;
//! let instance = Instance::new(payment.clone(), InstanceId::new("p-1")?, "127.0.0.1:80".parse()?);
//! let registry = Registry::new(one_process);
//! let here = registry.register(instance);
//! here.registered().await?;
//! assert_eq!(another.fetch(&payment).await?.instances().len(), 1);
//! here.deregister().await?;
//! # std::fs::remove_file(path)?;
//! # Ok(())
//! # }
//! ```
//!
//! # The file
//!
//! JSON; an instance looks as it does on the wire. What is written by hand needs no more than this, and
//! stays listed until it is taken out:
//!
//! ```json
//! {
//!   "instances": [
//!     { "service": "payment", "id": "p-1", "endpoints": ["http://10.0.0.1:8080"] }
//!   ]
//! }
//! ```
//!
//! An instance that registered has a `lease` beside it, with the moment at which it runs out in wall
//! time: processes share no other clock. A clock that jumps ahead ends leases early, and whoever runs
//! registers again at its next renewal. After one that jumps back, a lease ends at most one time to live after
//! it was next looked at.
//!
//! # What can happen to it
//!
//! | the file is | callers | writers |
//! |---|---|---|
//! | replaced by renaming | see the new list within the [poll interval](FileRegistryBuilder::poll) | change the new one |
//! | half-written, garbage, of another version, too large, with an id twice | keep the list before, and an error names file and line | leave it as it is, and try again |
//! | gone | keep the list before | make a new one, which for 15 s does not vouch that nobody is missing |
//! | valid and empty | believe it at once | |
//!
//! Writers take a lock (`services.json.lock`, which stays there empty) that the system gives back when
//! its process dies, write `services.json.tmp` and rename it: whoever reads sees the list before or the
//! list after. An entry that another process registered and that this version does not understand is
//! left out and left in the file; one that was written by hand refuses the whole file.
//!
//! # When it is the wrong tool
//!
//! - Several machines: a network file system gives neither the lock nor the rename that this relies on.
//! - Hundreds of instances that register: each renewal writes the whole file.
//! - Processes that do not trust each other: whoever may write the file lists what they like.

mod builder;
mod disk;
mod document;
mod error;
mod registry;
#[cfg(test)]
mod tests;
mod view;

pub use self::{builder::FileRegistryBuilder, error::InvalidFile, registry::FileRegistry};

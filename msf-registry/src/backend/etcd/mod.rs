//! Registrations in etcd (3.4 or newer), through its JSON gateway: nothing but HTTP, on the port that etcd serves
//! anyway.
//!
//! ```
//! use msf_registry::{Registry, backend::etcd::EtcdRegistry};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let backend = EtcdRegistry::builder("http://10.0.0.1:2379")
//!     .also("http://10.0.0.2:2379")
//!     .prefix("/shop/registry")
//!     .build()?;
//! let registry = Registry::new(backend);
//! assert!(EtcdRegistry::new("https://10.0.0.1:2379").is_err(), "no TLS in this version");
//! # drop(registry);
//! # Ok(())
//! # }
//! ```
//!
//! # What is kept there
//!
//! | key | value | lease |
//! |---|---|---|
//! | `{prefix}/{service}/{id}` | the instance, as JSON | the registration's; each has one |
//! | `{prefix}/{service}/{id}/left` | empty: it has deregistered | the same, for as long as it still lives |
//! | `{prefix}/.epoch` | 16 hexadecimal digits: this life of etcd's memory | none |
//! | `{prefix}/.warming` | empty: this life has just begun | [`warm_up`](EtcdRegistryBuilder::warm_up) |
//!
//! Every change is one transaction, so that no reader sees half of it. Nothing is left behind but `.epoch`.
//!
//! # What an outage looks like
//!
//! | what happens | what comes of it |
//! |---|---|
//! | no member answers, or has no leader | errors; the drivers keep the last list and try again for ever |
//! | one member of several does not answer | the next one is asked, within the call if it refuses, at the next call if it hangs |
//! | it comes back with its data | the watch goes on where it was; leases that outlived the outage are renewed |
//! | it comes back empty | another epoch. Until the warm-up ends, lists only add, so that whoever has yet to register again is not taken for gone. That its revisions may have overtaken the old ones does not matter |
//! | it comes back with data of an earlier day | its revision is lower than ours: another epoch |
//! | the history up to a position was compacted | [`CursorLost`](crate::RegistryError::CursorLost): the whole list once |
//! | a lease is gone, or its key was deleted or taken over | [`Gone`](crate::Renewal::Gone): the instance registers again |
//! | it has forgotten a token | one login for all calls that wait, then the call again |
//!
//! # Who has gone
//!
//! etcd deletes a key whose lease has expired like one that was removed. So who deregisters leaves `left` behind: a
//! list that became empty is [`Explicit`](crate::Authority::Explicit) when this client has seen all who were in it
//! leave, and [`Complete`](crate::Authority::Complete) when somebody fell silent within the last 30 s and is not back.
//!
//! # When it is the wrong tool
//!
//! - Leases of less than a second, or of less than about one and a half elections of the cluster: etcd grants none (2 s
//!   with its defaults), and tells the granted time.
//! - Many thousands of instances: each renewal is two requests of one instance, `lease/keepalive` and a look at its key,
//!   every third of its time to live.
//! - An etcd that is reached through networks that others can read: this version speaks plain HTTP. Reach it through a
//!   proxy on the same machine, such as `etcd grpc-proxy`.
//!
//! # Cancel safety
//!
//! Every call may be dropped at any await. What was under way may still happen; a lease that nobody knows of expires.

mod builder;
mod call;
mod discovery;
mod keys;
mod leavers;
mod registry;
mod wire;

pub use self::{
    builder::{EtcdRegistryBuilder, InvalidEtcd},
    registry::EtcdRegistry,
};

//! Registrations in Consul (1.4 or newer), through the HTTP API of an agent, which runs on the same machine.
//!
//! ```
//! use msf_registry::{Registry, backend::consul::ConsulRegistry};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let backend = ConsulRegistry::builder("http://127.0.0.1:8500").tag("team=shop").build()?;
//! let registry = Registry::new(backend);
//! # drop(registry);
//! # Ok(())
//! # }
//! ```
//!
//! # What is kept there
//!
//! | instance | Consul |
//! |---|---|
//! | service, id | `Name`; `ID` is `{service}:{id}`, with `~` before a letter that was upper case |
//! | first endpoint, weight | `Address`, `Port`, `Weights.Passing` |
//! | the lease | a TTL check, made together with the service; renewing passes it. `msf-lease` in `Meta` says whose it is |
//! | version, zone, priority, status, health check, all endpoints | `Meta`: `msf-version`, `msf-zone`, ... |
//! | metadata | `Meta`; keys that Consul does not take under `msf-m-` and the key in base64 |
//!
//! To others who read from Consul, an instance that takes calls passes, and one that is starting, draining or out of
//! service warns: whoever asks for passing ones only does not call it.
//!
//! Services that others registered are found as well: `{node}:{ID}` is their id, `Meta` their metadata, `version`,
//! `zone` and `scheme` in it what these words say. One whose address is a name is left out.
//!
//! # What checks say
//!
//! | checks | the instance is |
//! |---|---|
//! | one is critical: its lease has lapsed, its node is down, a check of an operator fails | [`Unhealthy`](crate::Health::Unhealthy), and stays listed until `deregister_after`, or up to 30 s longer |
//! | all pass, and there are others than the lease and that of the node | [`Healthy`](crate::Health::Healthy) |
//! | only those two | [`Unknown`](crate::Health::Unknown) |
//! | one of others warns | of the weight `Weights.Warning` |
//! | maintenance, of the node or the service | out of service, by an operator's word |
//!
//! Since who is silent stays listed, a list that became empty is [`Explicit`](crate::Authority::Explicit).
//!
//! # What an outage looks like
//!
//! | what happens | what comes of it |
//! |---|---|
//! | the agent or the leader does not answer | errors; the drivers keep the last list and try again for ever |
//! | the check is not known any more: the agent restarted without its data, an operator deregistered it | [`Gone`](crate::Renewal::Gone): the instance registers again |
//! | the index goes back: the servers were set up again or restored | another epoch; for 30 s lists only add. After an outage the index is looked at once, since a server waits for an index that it has never reached |
//! | an answer comes without a change | nothing: it is allowed to |
//!
//! # When it is the wrong tool
//!
//! - An agent without a data directory that restarts takes its services off the list until they register again, a
//!   third of their time to live later; to their callers this is leaving, if it was the only agent. Give agents a
//!   data directory.
//! - A cluster that is emptied and then overtakes its old index before a caller asks again goes unnoticed.
//! - Agents on other machines, through networks that others can read: this version speaks plain HTTP.
//!
//! # Cancel safety
//!
//! Every call may be dropped at any await. What was under way may still happen; a lease that nobody knows of lapses.

mod builder;
mod discovery;
mod mapping;
mod place;
mod registry;
mod wire;

pub use self::{
    builder::{ConsulRegistryBuilder, InvalidConsul},
    registry::ConsulRegistry,
};

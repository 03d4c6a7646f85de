//! Services that are found by DNS: SRV records, or A and AAAA records and a port.
//!
//! ```
//! use msf_registry::{Registry, backend::dns::{DnsRegistry, Query}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let backend = DnsRegistry::builder(Query::srv("_http._tcp.{service}.prod.example.com"))
//!     .server("127.0.0.1:53".parse()?)
//!     .build()?;
//! let registry = Registry::new(backend);
//! # drop(registry);
//! # Ok(())
//! # }
//! ```
//!
//! It is only read: whoever runs the instances (Kubernetes, Consul, a person) keeps the zone.
//! Registering fails at once with [`RegistryError::ReadOnly`](crate::RegistryError::ReadOnly).
//!
//! # What answers mean
//!
//! | answer | list |
//! |---|---|
//! | records | those; asked for again after their shortest TTL, 1 s to 60 s |
//! | NXDOMAIN, or no records of the type | empty, and believed at once: the server knows. Asked for again after 10 s at most |
//! | SRV records with the target `.` | empty: the service is decidedly not there |
//! | SERVFAIL, REFUSED, no answer in time, a referral, garbage | an error; the list before it stays in use |
//! | SRV records, and no answer about some of their hosts | these keep the addresses that they had. Of one that was never answered for nothing is known: until it is, the others are added to the list before it, and nobody is taken for gone |
//! | does not fit into a datagram | asked for again over TCP |
//!
//! # Instances
//!
//! The id of an instance is its address: a host that moves is another process, and two records that lead
//! to one address are one instance. The target is kept as `dns.target` in the metadata. Priorities are
//! ranked from 0; a weight of 0 beside others becomes a very small share, as RFC 2782 wants it.
//!
//! Kubernetes: a headless service (`clusterIP: None`) has an address per ready pod, so
//! `Query::addresses("{service}.prod.svc.cluster.local", 8080)`; with a named port also SRV records,
//! `Query::srv("_http._tcp.{service}.prod.svc.cluster.local")`. A service with a cluster IP has one
//! address, behind which the kernel balances: nothing is left to balance here.
//!
//! # When it is the wrong tool
//!
//! - Changes must be seen within a second: DNS is polled, at the TTL of the records and through the
//!   caches in between.
//! - Instances say how they are: records know no status and no health. Add
//!   [health checks](crate::backend) from this process, or use another backend.
//! - Names that need the search list of `/etc/resolv.conf`: templates are whole names.

mod answer;
mod builder;
mod lookup;
mod query;
mod registry;

pub use self::{
    builder::{AddressFamily, DnsRegistryBuilder, InvalidDns},
    query::Query,
    registry::DnsRegistry,
};

//! Names, instances, and what a list says of them.

use std::net::SocketAddr;

use msf_core::name::{InstanceId, ServiceName};

use super::suite::callable;
use crate::model::{Instance, Snapshot};

pub(super) fn service(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

pub(super) fn payment() -> ServiceName {
    service("payment")
}

pub(super) fn instance(name: &str, id: &str, port: u16) -> Instance {
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    Instance::new(service(name), InstanceId::new(id).unwrap(), addr)
}

/// So many instances of `payment` at ports from 1001 on.
pub(super) fn payments(count: u16) -> Vec<Instance> {
    let one = |n: u16| instance("payment", &format!("p-{n}"), 1_000 + n);
    (1..=count).map(one).collect()
}

pub(super) fn ids(snapshot: &Snapshot) -> Vec<&str> {
    callable(snapshot)
        .map(|member| member.instance.id.as_str())
        .collect()
}

/// The ports, sorted: what every backend can carry.
pub(super) fn ports(snapshot: &Snapshot) -> Vec<u16> {
    let mut ports: Vec<u16> = callable(snapshot)
        .map(|member| member.instance.addr().port())
        .collect();
    ports.sort_unstable();
    ports
}

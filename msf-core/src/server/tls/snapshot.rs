//! What is served until the next reload.

use std::{fmt, sync::Arc, time::Duration};

use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::names::Names;

/// What clients of a host have to show; equal for hosts that ask for the same. Of the authorities only a digest, so
/// that policies of different snapshots can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientPolicy {
    Nothing,
    Certificate { authorities: u64, is_required: bool },
}

/// Configurations by name.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) names: Names,
    /// The default is the first one, if there is one.
    pub(super) entries: Vec<Entry>,
    pub(super) has_default: bool,
    /// The policy of all hosts, where there is one.
    pub(super) common_policy: Option<ClientPolicy>,
    /// For names that nobody has: says so by an alert.
    pub(super) refusing: Arc<ServerConfig>,
    pub(super) handshake_timeout: Duration,
    /// Of the bytes that it was made of.
    pub(super) digest: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) config: Arc<ServerConfig>,
    pub(super) policy: ClientPolicy,
}

impl Snapshot {
    /// What is served to a client that asks for this name.
    pub(super) fn entry(&self, name: Option<&str>) -> Option<&Entry> {
        let found = name.and_then(|name| self.names.find(name));
        let default = self.has_default.then_some(0);
        self.entries.get(found.or(default)?)
    }
}

/// The policy of these, unless one of them has another.
pub(super) fn common_policy(entries: &[Entry]) -> Option<ClientPolicy> {
    let first = entries.first()?.policy;
    let is_common = entries.iter().all(|entry| entry.policy == first);
    is_common.then_some(first)
}

/// Has no certificate for anybody.
pub(super) struct Nobody;

impl ResolvesServerCert for Nobody {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

impl fmt::Debug for Nobody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nobody")
    }
}

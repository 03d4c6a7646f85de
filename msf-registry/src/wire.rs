//! What the HTTP registry's client and server say to each other.

use std::{sync::Arc, time::Duration};

use msf_core::name::ServiceName;
use serde::{Deserialize, Serialize};

use crate::model::{Authority, Cursor, Health, Instance, Member, Snapshot};

/// The answer to a registration.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Granted {
    pub(crate) lease: String,
    pub(crate) ttl_ms: u64,
    #[serde(with = "epoch")]
    pub(crate) epoch: u64,
}

/// The answer to a renewal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Renewed {
    pub(crate) ttl_ms: u64,
    #[serde(with = "epoch")]
    pub(crate) epoch: u64,
}

/// The state of one service, as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct StateOut<'a> {
    service: &'a ServiceName,
    #[serde(with = "epoch")]
    epoch: u64,
    revision: u64,
    authoritative: bool,
    instances: Vec<Listed<&'a Instance>>,
}

/// The state of one service, as it is read.
#[derive(Debug, Deserialize)]
pub(crate) struct StateIn {
    service: ServiceName,
    #[serde(with = "epoch")]
    epoch: u64,
    revision: u64,
    authoritative: bool,
    /// Read one by one: an instance that this version does not understand must not hide the others.
    instances: Vec<serde_json::Value>,
}

/// An instance and its health.
#[derive(Debug, Serialize, Deserialize)]
struct Listed<I> {
    #[serde(flatten)]
    instance: I,
    #[serde(default)]
    health: Health,
}

/// The names of all services.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Services {
    pub(crate) services: Vec<ServiceName>,
    #[serde(with = "epoch")]
    pub(crate) epoch: u64,
    pub(crate) authoritative: bool,
}

/// What the registry says about itself.
#[derive(Debug, Serialize)]
pub(crate) struct About {
    #[serde(with = "epoch")]
    pub(crate) epoch: u64,
    pub(crate) authoritative: bool,
    pub(crate) instances: usize,
    pub(crate) services: usize,
    pub(crate) watchers: usize,
}

impl<'a> From<&'a Snapshot> for StateOut<'a> {
    fn from(snapshot: &'a Snapshot) -> Self {
        let listed = |member: &'a Member| Listed {
            instance: &*member.instance,
            health: member.health,
        };
        Self {
            service: snapshot.service(),
            epoch: snapshot.cursor().epoch(),
            revision: snapshot.cursor().revision(),
            authoritative: snapshot.is_authoritative(),
            instances: snapshot.instances().iter().map(listed).collect(),
        }
    }
}

impl StateIn {
    pub(crate) const fn service(&self) -> &ServiceName {
        &self.service
    }

    pub(crate) fn into_snapshot(self) -> Snapshot {
        let mut members: Vec<Member> = Vec::with_capacity(self.instances.len());
        for value in self.instances {
            match serde_json::from_value::<Listed<Instance>>(value) {
                Ok(listed) if listed.instance.service == self.service => {
                    members.push(Member::new(Arc::new(listed.instance), listed.health));
                }
                Ok(_) => tracing::debug!(service = %self.service, "an instance of another service"),
                Err(error) => {
                    tracing::debug!(service = %self.service, %error, "an instance is not understood");
                }
            }
        }
        members.sort_by(|a, b| a.instance.id.cmp(&b.instance.id));
        members.dedup_by(|a, b| a.instance.id == b.instance.id);
        let cursor = Cursor::new(self.epoch, self.revision);
        Snapshot::new(
            self.service,
            cursor,
            if self.authoritative {
                Authority::Complete
            } else {
                Authority::Partial
            },
            members,
        )
    }
}

/// Epochs are 64 random bits, which a JSON number does not carry everywhere: 16 hexadecimal digits.
pub(crate) mod epoch {
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    pub(crate) fn serialize<S: Serializer>(epoch: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{epoch:016x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| de::Error::custom("an epoch is hexadecimal digits"))
    }

    pub(crate) fn parse(text: &str) -> Option<u64> {
        u64::from_str_radix(text, 16).ok()
    }
}

/// Milliseconds of a duration, as they go over the wire.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Carries the token of a lease; a header, because addresses end up in logs.
pub(crate) const LEASE_HEADER: &str = "x-msf-lease";

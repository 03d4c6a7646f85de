//! What the HTTP registry's client and server say to each other.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use msf_core::name::{InstanceId, ServiceName};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    backend::memory::Delta,
    model::{Authority, Cursor, Health, Instance, Member, Snapshot, Status},
};

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

/// A lease to be renewed together with others.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RenewOne<'a> {
    pub(crate) service: Cow<'a, ServiceName>,
    pub(crate) id: Cow<'a, InstanceId>,
    pub(crate) lease: Cow<'a, str>,
}

/// What became of several leases, in the order in which they were asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RenewedAll {
    pub(crate) results: Vec<RenewedOne>,
    #[serde(with = "epoch")]
    pub(crate) epoch: u64,
}

/// What became of one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(crate) enum RenewedOne {
    /// It lives on.
    Ok { ttl_ms: u64 },
    /// It is not known; register again.
    Gone,
    /// It was not understood.
    #[serde(other)]
    Invalid,
}

/// What somebody says about an instance.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StatusOf {
    pub(crate) status: Status,
}

/// The state of one service, as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct StateOut<'a> {
    #[serde(flatten)]
    position: Position<'a>,
    instances: Vec<Listed<&'a Instance>>,
}

/// What changed in one service, as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct DeltaOut<'a> {
    #[serde(flatten)]
    position: Position<'a>,
    after: u64,
    changed: Vec<Listed<&'a Instance>>,
    removed: &'a [&'a InstanceId],
}

/// Which service, where in its history, and how far that is vouched for.
#[derive(Debug, Serialize)]
struct Position<'a> {
    service: &'a ServiceName,
    #[serde(with = "epoch")]
    epoch: u64,
    revision: u64,
    /// The two words for how far it is vouched for; this one is enough for most who read it.
    authoritative: bool,
    authority: Authority,
}

/// The state of one service or what changed in it, as it is read.
#[derive(Debug, Deserialize)]
pub(crate) struct ListIn {
    service: ServiceName,
    #[serde(with = "epoch")]
    epoch: u64,
    revision: u64,
    authoritative: bool,
    /// A word that this version does not know says no more than `authoritative`.
    #[serde(default, deserialize_with = "lenient")]
    authority: Option<Authority>,
    /// Read one by one: an instance that this version does not understand must not hide the others.
    #[serde(default)]
    instances: Option<Vec<serde_json::Value>>,
    /// To which revision the changes belong, when it is changes.
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    changed: Vec<serde_json::Value>,
    #[serde(default)]
    removed: Vec<String>,
}

/// Why what was read is no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoList {
    #[error("an answer about another service")]
    Service,
    #[error("neither instances nor changes of the list that was asked about")]
    Content,
}

/// An instance, its health and what an operator says about it.
#[derive(Debug, Serialize, Deserialize)]
struct Listed<I> {
    #[serde(flatten)]
    instance: I,
    #[serde(default)]
    health: Health,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operator_status: Option<Status>,
}

/// The names of all services, as they are read: one by one, since a bad one must not hide the others.
#[derive(Debug, Deserialize)]
pub(crate) struct ServicesIn {
    pub(crate) services: Vec<serde_json::Value>,
}

/// The names of all services, as they are written.
#[derive(Debug, Serialize)]
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

impl<'a> From<&'a Snapshot> for Position<'a> {
    fn from(snapshot: &'a Snapshot) -> Self {
        Self {
            service: snapshot.service(),
            epoch: snapshot.cursor().epoch(),
            revision: snapshot.cursor().revision(),
            authoritative: snapshot.is_authoritative(),
            authority: snapshot.authority(),
        }
    }
}

impl<'a> From<&'a Member> for Listed<&'a Instance> {
    fn from(member: &'a Member) -> Self {
        Self {
            instance: &*member.instance,
            health: member.health,
            operator_status: member.operator_status,
        }
    }
}

impl<'a> From<&'a Snapshot> for StateOut<'a> {
    fn from(snapshot: &'a Snapshot) -> Self {
        Self {
            position: snapshot.into(),
            instances: snapshot.instances().iter().map(Listed::from).collect(),
        }
    }
}

impl<'a> DeltaOut<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, delta: &'a Delta<'a>) -> Self {
        let changed = delta.changed.iter().copied();
        Self {
            position: snapshot.into(),
            after: delta.after,
            changed: changed.map(Listed::from).collect(),
            removed: &delta.removed,
        }
    }
}

impl ListIn {
    /// The list that it stands for, given the one that it may be the changes of.
    pub(crate) fn into_snapshot(
        self,
        service: &ServiceName,
        base: Option<&Snapshot>,
    ) -> Result<Snapshot, NoList> {
        if self.service != *service {
            return Err(NoList::Service);
        }
        // The weaker of the two words counts: nothing is believed that either of them denies.
        let authority = match (self.authoritative, self.authority) {
            (false, _) => Authority::Partial,
            (true, authority) => authority.unwrap_or(Authority::Complete),
        };
        let members = match (self.instances, self.after, base) {
            (Some(instances), _, _) => instances
                .iter()
                .filter_map(|value| understood(service, value))
                .map(|member| (member.instance.id.clone(), member))
                .collect(),
            (None, Some(after), Some(base))
                if base.cursor() == Cursor::new(self.epoch, after) && self.revision >= after =>
            {
                merged(base, &self.changed, &self.removed)
            }
            _ => return Err(NoList::Content),
        };
        let cursor = Cursor::new(self.epoch, self.revision);
        let members: Vec<Member> = members.into_values().collect();
        Ok(Snapshot::new(self.service, cursor, authority, members))
    }
}

/// A list with what changed in it.
fn merged(
    base: &Snapshot,
    changed: &[serde_json::Value],
    removed: &[String],
) -> BTreeMap<InstanceId, Member> {
    let mut members: BTreeMap<InstanceId, Member> = base
        .instances()
        .iter()
        .map(|member| (member.instance.id.clone(), member.clone()))
        .collect();
    for id in removed {
        members.remove(id.as_str());
    }
    for value in changed {
        match understood(base.service(), value) {
            Some(member) => {
                members.insert(member.instance.id.clone(), member);
            }
            // What it was before, it is no longer.
            None => {
                let id = value.get("id").and_then(serde_json::Value::as_str);
                id.and_then(|id| members.remove(id));
            }
        }
    }
    members
}

fn understood(service: &ServiceName, value: &serde_json::Value) -> Option<Member> {
    match Listed::<Instance>::deserialize(value) {
        Ok(listed) if listed.instance.service == *service => {
            let member = Member::new(Arc::new(listed.instance), listed.health);
            Some(member.operator_status(listed.operator_status))
        }
        Ok(_) => {
            tracing::debug!(%service, "an instance of another service");
            None
        }
        Err(error) => {
            tracing::debug!(%service, %error, "an instance is not understood");
            None
        }
    }
}

fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Authority>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
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

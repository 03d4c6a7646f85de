//! The side that callers use.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
};
use serde_json::json;

use super::{
    keys::Entry,
    registry::{EtcdRegistry, Shared},
    wire::{self, Header, KeyValue, Line, Ranged, Watched},
};
use crate::{
    backend::{
        Capabilities, Consistency, Discovery,
        remote::{NextLine, excerpt, parse, spread},
    },
    error::RegistryError,
    model::{Authority, Change, Cursor, Health, Instance, Member, Snapshot},
};

/// What etcd says about this life of its memory.
#[derive(Clone, Copy, Debug)]
struct Life {
    epoch: u64,
    revision: u64,
    /// It has just begun, or nobody has registered in it: nobody counts as gone.
    is_young: bool,
}

#[async_trait]
impl Discovery for EtcdRegistry {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        self.shared.fetch(service).await
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        let shared = &*self.shared;
        let life = shared.life().await?;
        if life.epoch != after.epoch() {
            return shared.fetch(service).await.map(Change::Changed);
        }
        if life.revision < after.revision() {
            // A copy of its data from an earlier day: positions up to ours will be used a second time.
            shared.setbacks.fetch_add(1, Ordering::Relaxed);
            return shared.fetch(service).await.map(Change::Changed);
        }
        // The end of its youth is a change that no key of the service shows.
        let wait = if life.is_young {
            shared.wait.min(YOUTH_PACE)
        } else {
            shared.wait
        };
        match tokio::time::timeout(spread(wait), shared.watch(service, after)).await {
            Ok(changed) => changed?,
            Err(_elapsed) if life.is_young => {}
            Err(_elapsed) => return Ok(Change::Unchanged),
        }
        shared.fetch(service).await.map(Change::Changed)
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        let shared = &*self.shared;
        let mut question = wire::range(&shared.keys.all());
        question["keys_only"] = true.into();
        let found: Ranged = shared.caller.ask("kv/range", &question).await?;
        let keys = found.kvs.iter();
        let services: BTreeSet<ServiceName> =
            keys.filter_map(|kv| shared.keys.listed(&kv.key)).collect();
        Ok(services.into_iter().collect())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().consistency(Consistency::Strong)
    }
}

impl Shared {
    /// The list and the life that it belongs to, at one moment.
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        let steps = [self.keys.about(), self.keys.of_service(service)]
            .map(|keys| json!({ "request_range": wire::range(&keys) }));
        let done = self.transact(&json!({ "success": steps })).await?;
        let mut ranges = done
            .responses
            .into_iter()
            .filter_map(|step| step.response_range);
        let (Some(about), Some(listed)) = (ranges.next(), ranges.next()) else {
            return Err(RegistryError::Protocol(
                "kv/txn: not as many answers as questions".into(),
            ));
        };
        let life = self.life_of(done.header, &about.kvs);
        let cursor = Cursor::new(life.epoch, life.revision);
        let (members, left) = self.read(service, &listed.kvs);
        let ids = members.iter().map(|m| m.instance.id.clone()).collect();
        let authority = self
            .leavers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(service, cursor, ids, &left, clock::now());
        let authority = if life.is_young {
            Authority::Partial
        } else {
            authority
        };
        Ok(Snapshot::new(service.clone(), cursor, authority, members))
    }

    /// Who is listed, sorted by id, and who has said goodbye. What is not understood hides no other.
    fn read(
        &self,
        service: &ServiceName,
        found: &[KeyValue],
    ) -> (Vec<Member>, BTreeSet<InstanceId>) {
        let (mut members, mut left) = (Vec::with_capacity(found.len()), BTreeSet::new());
        for kv in found {
            match self.keys.entry(service, &kv.key) {
                Some(Entry::Listed(id)) => match serde_json::from_slice::<Instance>(&kv.value) {
                    Ok(instance) if instance.id == id && instance.service == *service => {
                        members.push(Member::new(Arc::new(instance), Health::Unknown));
                    }
                    Ok(_) => tracing::debug!(%service, %id, "an instance under the key of another"),
                    Err(error) => {
                        tracing::debug!(%service, %id, %error, "an instance is not understood");
                    }
                },
                Some(Entry::Left(id)) => {
                    left.insert(id);
                }
                None => tracing::debug!(%service, "a key is not understood"),
            }
        }
        members.sort_by(|a, b| a.instance.id.cmp(&b.instance.id));
        (members, left)
    }

    async fn life(&self) -> Result<Life, RegistryError> {
        let question = wire::range(&self.keys.about());
        let about: Ranged = self.caller.ask("kv/range", &question).await?;
        Ok(self.life_of(about.header, &about.kvs))
    }

    /// A cluster that is set up again has the id of its predecessor, so the id alone tells nothing.
    fn life_of(&self, header: Header, about: &[KeyValue]) -> Life {
        let value = |key: String| about.iter().find(|kv| kv.key == key.as_bytes());
        let epoch = value(self.keys.epoch());
        let is_warming = value(self.keys.warming()).is_some();
        let named = epoch.map_or(&[][..], |epoch| &epoch.value);
        let setbacks = self.setbacks.load(Ordering::Relaxed);
        let parts = [
            &header.cluster_id.to_le_bytes()[..],
            named,
            &setbacks.to_le_bytes(),
        ];
        Life {
            epoch: fnv1a(parts.into_iter().flatten()),
            revision: header.revision,
            is_young: !self.warm_up.is_zero() && (is_warming || epoch.is_none()),
        }
    }

    /// Ends when something about the service has happened since.
    async fn watch(&self, service: &ServiceName, after: Cursor) -> Result<(), RegistryError> {
        let keys = self.keys.of_service(service);
        let mut question = wire::range(&keys);
        question["start_revision"] = (after.revision().saturating_add(1)).to_string().into();
        let question = json!({ "create_request": question });
        let mut lines = self.caller.stream(WATCH, &question).await?;
        loop {
            let line = match lines.next().await? {
                NextLine::Whole(line) => line,
                // So much has happened that the list is the shorter answer.
                NextLine::TooLong => return Ok(()),
                NextLine::End => {
                    return Err(RegistryError::Unreachable("the watch has ended".into()));
                }
            };
            let watched = parse::<Line<Watched>>(&line, WATCH)?.result(WATCH)?;
            if watched.canceled {
                return Err(self.canceled(&watched).await);
            }
            if (1..after.revision()).contains(&watched.header.revision) {
                // It was exchanged for another one since we asked: what it says from here on is not our future.
                return Err(RegistryError::CursorLost);
            }
            if self.is_news(service, &watched) {
                return Ok(());
            }
        }
    }

    async fn canceled(&self, watched: &Watched) -> RegistryError {
        if watched.compact_revision > 0 {
            return RegistryError::CursorLost;
        }
        let reason = excerpt(&watched.cancel_reason);
        let is_login = [
            "invalid auth token",
            "auth store is old",
            "user name is empty",
        ]
        .iter()
        .any(|why| reason.contains(why));
        if is_login {
            self.caller.log_out().await;
        }
        let status = if is_login { 401 } else { 403 };
        let detail = Some(reason);
        RegistryError::Refused { status, detail }
    }

    /// A goodbye comes together with the end of the instance, and its own end says nothing.
    fn is_news(&self, service: &ServiceName, watched: &Watched) -> bool {
        watched.events.iter().any(|event| {
            let entry = self.keys.entry(service, &event.kv.key);
            !(event.is_delete() && matches!(entry, Some(Entry::Left(_))))
        })
    }
}

/// FNV-1a of 64 bits (RFC 9923, section 2): the parts only have to differ.
fn fnv1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

const WATCH: &str = "watch";
/// How often a young life is asked whether it has grown up.
const YOUTH_PACE: Duration = Duration::from_secs(2);

//! The side that callers use.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use http::Method;
use msf_core::{clock, name::ServiceName};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    mapping,
    place::{Ask, Place},
    registry::{ConsulRegistry, Shared, refused},
    wire::Entry,
};
use crate::{
    backend::{
        Discovery,
        remote::{Answer, parse, spread},
    },
    error::RegistryError,
    model::{Change, Cursor, Health, Member, Snapshot},
};

#[async_trait]
impl Discovery for ConsulRegistry {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        self.shared.look(service, None, None).await
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        let shared = &*self.shared;
        let ask = shared.place().ask(after, fastrand::u64(..), clock::now());
        if ask != Ask::Wait {
            let now = shared.look(service, Some(after), None).await?;
            if ask == Ask::Now || now.cursor() != after {
                return Ok(Change::Changed(now));
            }
        }
        let wait = match ask {
            Ask::NowThenBriefly => shared.limits.wait.min(BRIEFLY),
            _ => shared.limits.wait,
        };
        let next = shared
            .look(service, Some(after), Some(spread(wait)))
            .await?;
        // An answer is no promise of a change.
        if next.cursor() == after {
            return Ok(Change::Unchanged);
        }
        Ok(Change::Changed(next))
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        let shared = &*self.shared;
        let path = format!("catalog/services?{}", shared.scope.trim_start_matches('&'));
        let answer = shared.ask(&path, shared.limits.timeout).await?;
        let names: BTreeMap<String, IgnoredAny> = parse(&answer.body, "catalog/services")?;
        let services = names.keys().filter(|name| *name != ITSELF);
        Ok(services
            .filter_map(|name| ServiceName::new(name).ok())
            .collect())
    }
}

impl Shared {
    pub(super) fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list now, or as soon as it is another one than at `after`.
    async fn look(
        &self,
        service: &ServiceName,
        after: Option<Cursor>,
        wait: Option<Duration>,
    ) -> Result<Snapshot, RegistryError> {
        let mut path = format!("health/service/{service}?");
        let mut limit = self.limits.timeout;
        if let (Some(after), Some(wait)) = (after, wait) {
            let (index, millis) = (after.revision(), wait.as_millis());
            path.push_str(&format!("index={index}&wait={millis}ms"));
            // Consul adds up to a sixteenth.
            limit += wait + wait / 16;
        }
        path.push_str(&self.scope);
        let answer = self.ask(&path, limit).await?;
        let index = index_of(&answer)?;
        let entries: Vec<Value> = parse(&answer.body, "health/service")?;
        let members = members(service, entries);
        let (cursor, authority) = self
            .place()
            .take(index, after, fastrand::u64(..), clock::now());
        Ok(Snapshot::new(service.clone(), cursor, authority, members))
    }

    async fn ask(&self, path: &str, limit: Duration) -> Result<Answer, RegistryError> {
        let answer = self.exchange(Method::GET, path, Vec::new(), limit).await?;
        if !answer.status.is_success() {
            self.place().failed(clock::now());
            return Err(refused(&answer));
        }
        Ok(answer)
    }
}

/// Consul's rule: an index below 1 counts as 1.
fn index_of(answer: &Answer) -> Result<u64, RegistryError> {
    let index = answer.headers.get("x-consul-index");
    let index: Option<u64> = index.and_then(|index| index.to_str().ok()?.parse().ok());
    index.map(|index| index.max(1)).ok_or_else(|| {
        RegistryError::Protocol("health/service: no X-Consul-Index that is a number".into())
    })
}

/// Sorted by id. What is not understood hides no other.
fn members(service: &ServiceName, entries: Vec<Value>) -> Vec<Member> {
    let mut members: Vec<(Member, u64)> = Vec::with_capacity(entries.len());
    for entry in entries {
        match serde_json::from_value::<Entry>(entry) {
            Ok(entry) => match mapping::member(service, &entry) {
                Ok(member) => members.push((member, entry.service.create_index)),
                Err(reason) => {
                    tracing::debug!(%service, id = entry.service.id, reason, "an instance is not understood");
                }
            },
            Err(error) => tracing::debug!(%service, %error, "an instance is not understood"),
        }
    }
    // An instance that moved to another agent is listed by both until the old one forgets it.
    members.sort_by_cached_key(|(member, created)| {
        let is_unhealthy = member.health == Health::Unhealthy;
        (member.instance.id.clone(), is_unhealthy, Reverse(*created))
    });
    members.dedup_by(|later, first| later.0.instance.id == first.0.instance.id);
    members.into_iter().map(|(member, _)| member).collect()
}

/// How often it is asked whether it has grown up.
const BRIEFLY: Duration = Duration::from_secs(2);
/// The servers list themselves.
const ITSELF: &str = "consul";

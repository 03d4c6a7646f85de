//! The timetable: when which name is asked for again.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use msf_core::{clock, name::ServiceName};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    answer::{members, refresh_after},
    builder::DnsRegistryBuilder,
    lookup::{Asking, Coverage, Found},
    query::Query,
};
use crate::{
    backend::{Capabilities, Discovery, read_only::impl_read_only},
    error::RegistryError,
    model::{Authority, Change, Cursor, Snapshot},
};

/// Services that are found by DNS; clones share what they know. See the
/// [module documentation](super).
#[derive(Clone)]
pub struct DnsRegistry {
    shared: Arc<Shared>,
}

struct Shared {
    settings: DnsRegistryBuilder,
    resolver: TokioResolver,
    epoch: u64,
    /// Of all services together, so that one which was forgotten never repeats a position.
    revision: AtomicU64,
    services: Mutex<HashMap<ServiceName, Arc<Entry>>>,
}

/// Held while its name is asked for: whoever else asks waits for the same answer.
type Entry = tokio::sync::Mutex<Option<Known>>;

#[derive(Debug)]
struct Known {
    snapshot: Snapshot,
    /// When it is asked for again.
    due: Instant,
}

impl DnsRegistry {
    /// Settings for services that are found by this query.
    pub const fn builder(query: Query) -> DnsRegistryBuilder {
        DnsRegistryBuilder::new(query)
    }

    pub(super) fn with(settings: DnsRegistryBuilder, resolver: TokioResolver) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                resolver,
                epoch: fastrand::u64(..),
                revision: AtomicU64::new(0),
                services: Mutex::default(),
            }),
        }
    }
}

impl Shared {
    fn entry(&self, service: &ServiceName) -> Arc<Entry> {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = services.get(service) {
            return Arc::clone(entry);
        }
        // Names may come from outside; those that nobody is asking for now can be asked for again.
        if services.len() >= SERVICES_MAX {
            services.retain(|_, entry| Arc::strong_count(entry) > 1);
        }
        Arc::clone(services.entry(service.clone()).or_default())
    }

    /// Asks, and notes the answer. An error leaves what is known as it is.
    async fn ask(
        &self,
        service: &ServiceName,
        known: &mut Option<Known>,
    ) -> Result<Snapshot, RegistryError> {
        let settings = &self.settings;
        let query = settings.queries.get(service).unwrap_or(&settings.query);
        let name = query.name(service).map_err(|reason| {
            let text = format!(
                "{service} does not fit into {:?}: {reason}",
                query.template()
            );
            RegistryError::Protocol(text.into())
        })?;
        let before = known.as_ref().map(|known| known.snapshot.clone());
        let asking = Asking {
            resolver: &self.resolver,
            family: settings.family,
            timeout: settings.timeout,
            records_max: settings.instances_max,
            before: before.as_ref().map_or(&[], Snapshot::instances),
        };
        let found = timeout(settings.timeout, asking.find(name, query.records))
            .await
            .unwrap_or(Err(RegistryError::Timeout(settings.timeout)))?;
        let due = clock::now() + self.refresh_after(&found);
        let authority = match found.coverage {
            Coverage::Whole => Authority::Explicit,
            Coverage::Kept => Authority::Complete,
            Coverage::Part => Authority::Partial,
        };
        let members = members(service, settings.scheme, found.located);
        let unchanged = known.as_ref().filter(|known| {
            known.snapshot.authority() == authority && known.snapshot.instances() == members
        });
        let snapshot = unchanged.map_or_else(
            || {
                let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
                let cursor = Cursor::new(self.epoch, revision);
                Snapshot::new(service.clone(), cursor, authority, members)
            },
            |known| known.snapshot.clone(),
        );
        *known = Some(Known {
            snapshot: snapshot.clone(),
            due,
        });
        Ok(snapshot)
    }

    fn refresh_after(&self, found: &Found) -> Duration {
        let settings = &self.settings;
        let is_whole = found.coverage == Coverage::Whole;
        let (ttl, max) = match (is_whole, found.located.is_empty()) {
            (false, _) => (settings.ttl_min, settings.ttl_max),
            (true, true) => (found.ttl.unwrap_or(NEGATIVE_TTL), settings.negative_ttl_max),
            (true, false) => (found.ttl.unwrap_or_default(), settings.ttl_max),
        };
        refresh_after(ttl, settings.ttl_min, max, fastrand::f64())
    }
}

#[async_trait]
impl Discovery for DnsRegistry {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        let entry = self.shared.entry(service);
        let mut known = entry.lock().await;
        self.shared.ask(service, &mut known).await
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        let deadline = clock::now() + WAIT;
        let entry = self.shared.entry(service);
        loop {
            let mut known = entry.lock().await;
            let now = clock::now();
            let due = match &*known {
                Some(known) if now < known.due && known.snapshot.cursor() != after => {
                    return Ok(Change::Changed(known.snapshot.clone()));
                }
                // What was answered holds until then.
                Some(known) if now < known.due && now >= deadline => return Ok(Change::Unchanged),
                Some(known) if now < known.due => known.due,
                _ => {
                    let snapshot = self.shared.ask(service, &mut known).await?;
                    return Ok(if snapshot.cursor() == after {
                        Change::Unchanged
                    } else {
                        Change::Changed(snapshot)
                    });
                }
            };
            drop(known);
            sleep_until(due.min(deadline)).await;
        }
    }

    /// The services that were asked for, or have a query of their own, and have an instance: DNS has no
    /// question for all.
    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        for service in self.shared.settings.queries.keys() {
            let entry = self.shared.entry(service);
            let mut known = entry.lock().await;
            if known.is_none() {
                self.shared.ask(service, &mut known).await?;
            }
        }
        let entries: Vec<(ServiceName, Arc<Entry>)> = {
            let services = self.shared.services.lock();
            let services = services.unwrap_or_else(PoisonError::into_inner);
            let all = services.iter();
            all.map(|(name, entry)| (name.clone(), Arc::clone(entry)))
                .collect()
        };
        let mut names = Vec::new();
        for (name, entry) in entries {
            let known = entry.lock().await;
            if known
                .as_ref()
                .is_some_and(|known| !known.snapshot.instances().is_empty())
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().without_leases()
    }
}

impl_read_only!(DnsRegistry, "DNS");

impl fmt::Debug for DnsRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsRegistry")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

/// So that the age of the list is that of a registry that is there.
const WAIT: Duration = Duration::from_secs(30);
/// Where a zone does not say how long nothing stays nothing.
const NEGATIVE_TTL: Duration = Duration::from_secs(5);
/// Far more than a program calls.
const SERVICES_MAX: usize = 10_000;

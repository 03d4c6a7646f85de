//! The suite is worth what it catches: backends that break one rule each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
};
use msf_registry::{
    Authority, Change, Cursor, Discovery, Instance, Lease, Registrar, RegistryError, Renewal,
    Snapshot, backend::memory::MemoryRegistry, conformance,
};
use tokio::time::Instant;

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    RenewsAnyToken,
    ForgetsRenewals,
    RenewsForTooLong,
    NeverExpires,
    EndsTheSuccessorOfALease,
    NeverRemoves,
    IsDeaf,
    AlwaysExplicit,
    NeverExplicit,
    StandsStill,
    CallsRenewalsNews,
    GoesBackwards,
    ListsOutOfOrder,
    CutsLists,
    LosesAService,
}

struct Mutant {
    memory: MemoryRegistry,
    fault: Fault,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    renewals: u64,
    /// When the first lease of an id ends, and its last one.
    leases: HashMap<(ServiceName, InstanceId), (Instant, Lease)>,
}

impl Mutant {
    fn new(fault: Fault) -> Self {
        Self {
            memory: MemoryRegistry::new(),
            fault,
            state: Mutex::default(),
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn told(&self, snapshot: &Snapshot) -> Snapshot {
        let cursor = snapshot.cursor();
        let revision = match self.fault {
            Fault::StandsStill => 1,
            Fault::GoesBackwards => u64::MAX - cursor.revision(),
            Fault::CallsRenewalsNews => cursor.revision() + self.state(|state| state.renewals),
            _ => cursor.revision(),
        };
        let authority = match self.fault {
            Fault::AlwaysExplicit => Authority::Explicit,
            Fault::NeverExplicit => Authority::Complete,
            _ => snapshot.authority(),
        };
        let mut members = snapshot.instances().to_vec();
        match self.fault {
            Fault::ListsOutOfOrder => members.reverse(),
            Fault::CutsLists => members.truncate(50),
            _ => {}
        }
        let cursor = Cursor::new(cursor.epoch(), revision);
        Snapshot::new(snapshot.service().clone(), cursor, authority, members)
    }
}

#[async_trait]
impl Registrar for Mutant {
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        let granted = if self.has(Fault::NeverExpires) && ttl < LONG && !ttl.is_zero() {
            LONG
        } else {
            ttl
        };
        let lease = self.memory.put(instance, granted).await?;
        let (service, id, token) = (lease.service(), lease.instance(), lease.token());
        let lease = Lease::new(service.clone(), id.clone(), token, ttl);
        self.state(|state| {
            let key = (service.clone(), id.clone());
            let first = (clock::now() + ttl, lease.clone());
            state.leases.entry(key).or_insert(first).1 = lease.clone();
        });
        Ok(lease)
    }

    async fn renew(&self, lease: &Lease) -> Result<Renewal, RegistryError> {
        self.state(|state| state.renewals += 1);
        let renewed = Renewal::Renewed { ttl: lease.ttl() };
        match self.fault {
            Fault::RenewsAnyToken => Ok(renewed),
            Fault::ForgetsRenewals => {
                let listed = self.memory.fetch(lease.service()).await?;
                let mut ids = listed.instances().iter().map(|m| &m.instance.id);
                let is_listed = ids.any(|id| id == lease.instance());
                Ok(if is_listed { renewed } else { Renewal::Gone })
            }
            Fault::RenewsForTooLong => {
                // Time that it was not asked for: the lease runs on by itself.
                let answer = self.memory.renew(lease).await?;
                let (memory, lease) = (self.memory.clone(), lease.clone());
                msf_core::task::spawn("mutant", async move {
                    for _ in 0..20 {
                        tokio::time::sleep(lease.ttl() / 2).await;
                        let _renewed = memory.renew(&lease).await;
                    }
                })
                .detach();
                Ok(answer)
            }
            _ => self.memory.renew(lease).await,
        }
    }

    async fn remove(&self, lease: &Lease) -> Result<(), RegistryError> {
        if self.has(Fault::NeverRemoves) {
            return Ok(());
        }
        self.memory.remove(lease).await
    }
}

#[async_trait]
impl Discovery for Mutant {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        if self.has(Fault::EndsTheSuccessorOfALease) {
            let over: Vec<Lease> = self.state(|state| {
                let all = state.leases.values();
                let over = all.filter(|(end, _)| *end <= clock::now());
                over.map(|(_, lease)| lease.clone()).collect()
            });
            for lease in over {
                self.memory.remove(&lease).await?;
            }
        }
        Ok(self.told(&self.memory.fetch(service).await?))
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        if self.has(Fault::IsDeaf) {
            tokio::time::sleep(LONG).await;
            return Ok(Change::Unchanged);
        }
        Ok(match self.memory.next(service, after).await? {
            Change::Changed(snapshot) => Change::Changed(self.told(&snapshot)),
            change => change,
        })
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        let mut services = self.memory.services().await?;
        if self.has(Fault::LosesAService) {
            services.pop();
        }
        Ok(services)
    }
}

/// Whether the suite passes a backend, in a time of its own.
fn passes<B: msf_registry::ServiceRegistry>(make: impl Fn() -> B + Send + Sync + 'static) -> bool {
    let make = Arc::new(make);
    let suite = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("the system has resources");
        runtime.block_on(conformance::run(|| async { make() }));
    });
    suite.join().is_ok()
}

#[test]
fn every_broken_rule_is_caught() {
    assert!(passes(MemoryRegistry::new), "nothing is broken here");
    for fault in [
        Fault::RenewsAnyToken,
        Fault::ForgetsRenewals,
        Fault::RenewsForTooLong,
        Fault::NeverExpires,
        Fault::EndsTheSuccessorOfALease,
        Fault::NeverRemoves,
        Fault::IsDeaf,
        Fault::AlwaysExplicit,
        Fault::NeverExplicit,
        Fault::StandsStill,
        Fault::CallsRenewalsNews,
        Fault::GoesBackwards,
        Fault::ListsOutOfOrder,
        Fault::CutsLists,
        Fault::LosesAService,
    ] {
        assert!(!passes(move || Mutant::new(fault)), "{fault:?} passes");
    }
}

const LONG: Duration = Duration::from_secs(600);

//! The drivers against a registry that fails on demand, under a paused clock.

mod disk;
mod herd;
mod leases;
mod lists;
mod operations;
mod outages;
mod registration;
mod settings;

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use msf_core::{
    clock,
    metrics::Metrics,
    name::{InstanceId, ServiceName},
};
use tokio::time::{Instant, sleep, timeout};

use super::{Registration, Registry, RegistryBuilder, Standing};
use crate::{
    backend::{Capabilities, Discovery, Registrar, memory::MemoryRegistry},
    error::RegistryError,
    model::{Authority, Change, Cursor, Instance, Lease, Renewal, Snapshot, Status},
    service::{Freshness, PickContext, ServiceHandle},
};

const TTL: Duration = Duration::from_secs(3);
const HOLD: Duration = Duration::from_secs(30);

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

fn instance(n: u16) -> Instance {
    let id = InstanceId::new(format!("p-{n}")).unwrap();
    Instance::new(payment(), id, ([127, 0, 0, 1], 8_000 + n).into())
}

/// A registry that can go away, hang and lose its memory.
#[derive(Clone)]
struct Flaky {
    shared: Arc<Shared>,
}

struct Shared {
    memory: Mutex<MemoryRegistry>,
    mode: Mutex<Mode>,
    /// Says this in the place of the memory.
    authority: Mutex<Option<Authority>>,
    capabilities: Capabilities,
    calls: AtomicUsize,
    puts: Mutex<Vec<Instant>>,
    /// Calls that renewed, each of them some leases.
    renewals: AtomicUsize,
    /// Calls that asked for a list.
    questions: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Mode {
    Up,
    Away,
    Hangs,
    LosesCursors,
    /// Also when it is asked for the list.
    Lost,
    Panics,
    /// Does what it is asked, and the answer is lost.
    Mute,
    /// Refuses for ever what has the version `refused`.
    Picky,
    /// Answers for another service.
    Confuses,
    /// Grants leases of no time and forgets them at once.
    GrantsNothing,
}

impl Flaky {
    fn new() -> Self {
        Self::with(Capabilities::default())
    }

    fn with(capabilities: Capabilities) -> Self {
        Self {
            shared: Arc::new(Shared {
                memory: Mutex::new(MemoryRegistry::new()),
                mode: Mutex::new(Mode::Up),
                authority: Mutex::new(None),
                capabilities,
                calls: AtomicUsize::new(0),
                puts: Mutex::default(),
                renewals: AtomicUsize::new(0),
                questions: AtomicUsize::new(0),
            }),
        }
    }

    fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    fn say(&self, authority: Authority) {
        *self.shared.authority.lock().unwrap() = Some(authority);
    }

    /// As it is told to say it.
    fn said(&self, snapshot: &Snapshot) -> Snapshot {
        let authority = *self.shared.authority.lock().unwrap();
        let service = match self.mode() {
            Mode::Confuses => ServiceName::new("order").unwrap(),
            _ => snapshot.service().clone(),
        };
        Snapshot::new(
            service,
            snapshot.cursor(),
            authority.unwrap_or_else(|| snapshot.authority()),
            snapshot.instances(),
        )
    }

    fn renewals(&self) -> usize {
        self.shared.renewals.load(Ordering::Relaxed)
    }

    fn questions(&self) -> usize {
        self.shared.questions.load(Ordering::Relaxed)
    }

    /// When instances were put.
    fn puts(&self) -> Vec<Instant> {
        self.shared.puts.lock().unwrap().clone()
    }

    fn lose_memory(&self, warm_up: Duration) {
        *self.shared.memory.lock().unwrap() = MemoryRegistry::builder().warm_up(warm_up).build();
    }

    fn memory(&self) -> MemoryRegistry {
        self.shared.memory.lock().unwrap().clone()
    }

    fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::Relaxed)
    }

    fn mode(&self) -> Mode {
        *self.shared.mode.lock().unwrap()
    }

    async fn up(&self) -> Result<MemoryRegistry, RegistryError> {
        self.shared.calls.fetch_add(1, Ordering::Relaxed);
        match self.mode() {
            // A loop without a pause would never let the test end.
            Mode::GrantsNothing if self.calls() > 10_000 => pending().await,
            Mode::Up
            | Mode::LosesCursors
            | Mode::GrantsNothing
            | Mode::Mute
            | Mode::Picky
            | Mode::Confuses => Ok(self.memory()),
            Mode::Panics => panic!("on purpose"),
            Mode::Lost => Err(RegistryError::CursorLost),
            Mode::Away => Err(RegistryError::Unreachable("refused".into())),
            Mode::Hangs => pending().await,
        }
    }

    /// The answer, unless it is lost.
    async fn heard<T>(&self, answer: T) -> Result<T, RegistryError> {
        match self.mode() {
            Mode::Hangs => pending().await,
            Mode::Mute => Err(RegistryError::Unreachable("reset".into())),
            _ => Ok(answer),
        }
    }

    /// Fails a question that was under way when the mode changed.
    async fn broken(&self) {
        loop {
            if matches!(self.mode(), Mode::Away | Mode::Lost) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[async_trait]
impl Registrar for Flaky {
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        let memory = self.up().await?;
        if matches!(self.mode(), Mode::Picky) && instance.version.as_deref() == Some("refused") {
            return Err(RegistryError::Refused {
                status: 422,
                detail: None,
            });
        }
        self.shared.puts.lock().unwrap().push(clock::now());
        let lease = memory.put(instance, ttl).await?;
        let granted = match self.mode() {
            Mode::GrantsNothing => {
                let (service, id) = (lease.service().clone(), lease.instance().clone());
                Lease::new(service, id, "forgotten", Duration::ZERO)
            }
            _ => lease,
        };
        self.heard(granted).await
    }

    async fn renew(&self, lease: &Lease) -> Result<Renewal, RegistryError> {
        self.shared.renewals.fetch_add(1, Ordering::Relaxed);
        let renewal = self.up().await?.renew(lease).await?;
        self.heard(renewal).await
    }

    async fn renew_all(&self, leases: &[Lease]) -> Result<Vec<Renewal>, RegistryError> {
        self.shared.renewals.fetch_add(1, Ordering::Relaxed);
        let memory = self.up().await?;
        let mut renewals = Vec::new();
        for lease in leases {
            renewals.push(memory.renew(lease).await?);
        }
        self.heard(renewals).await
    }

    async fn remove(&self, lease: &Lease) -> Result<(), RegistryError> {
        self.up().await?.remove(lease).await?;
        self.heard(()).await
    }
}

#[async_trait]
impl Discovery for Flaky {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        self.shared.questions.fetch_add(1, Ordering::Relaxed);
        let snapshot = self.up().await?.fetch(service).await?;
        self.heard(self.said(&snapshot)).await
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        self.shared.questions.fetch_add(1, Ordering::Relaxed);
        let memory = self.up().await?;
        if matches!(self.mode(), Mode::LosesCursors) {
            return Err(RegistryError::CursorLost);
        }
        if !self.shared.capabilities.watch {
            return Ok(Change::Changed(memory.fetch(service).await?));
        }
        tokio::select! {
            change = memory.next(service, after) => match change? {
                Change::Changed(snapshot) => self.heard(Change::Changed(self.said(&snapshot))).await,
                change => self.heard(change).await,
            },
            () = self.broken() => Err(RegistryError::Unreachable("reset".into())),
        }
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        let services = self.up().await?.services().await?;
        self.heard(services).await
    }

    fn capabilities(&self) -> Capabilities {
        self.shared.capabilities
    }
}

fn registry(backend: &Flaky) -> Registry {
    Registry::builder(backend.clone())
        .lease_ttl(TTL)
        .empty_hold(HOLD)
        .build()
        .unwrap()
}

fn listed(backend: &Flaky) -> usize {
    backend.memory().snapshot(&payment()).instances().len()
}

fn in_use(endpoints: &ServiceHandle) -> usize {
    endpoints.snapshot().instances().len()
}

async fn registered(registry: &Registry, n: u16) -> Registration {
    let registration = registry.register(instance(n));
    timeout(TTL, registration.registered())
        .await
        .unwrap()
        .unwrap();
    registration
}

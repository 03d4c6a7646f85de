//! Checks from the side of those who call.

use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    fmt,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use super::facade::Registry;
use crate::{
    health::{HealthChecker, HealthChecks, InvalidHealthChecker, Target, Targets, Verdict},
    model::{Health, Instance},
    service::{Overlay, Probed},
};

impl Registry {
    /// Checks the instances of the services that this process watches, from here, until the answer is dropped.
    /// For registries that check nothing themselves, such as DNS, a file or etcd, and for what only this process
    /// can see: whether it reaches an instance.
    ///
    /// An instance is not picked while a check from here or the registry says that it is unhealthy.
    ///
    /// ```
    /// use std::time::Duration;
    /// use msf_core::name::ServiceName;
    /// use msf_registry::{Registry, backend::memory::MemoryRegistry, health::HealthChecker};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let registry = Registry::new(MemoryRegistry::new());
    /// // Whoever asks for no check of its own has to accept a connection.
    /// let checks = registry.start_health_checking(
    ///     HealthChecker::new().check("tcp:".parse()?).idle_interval(Duration::from_secs(60)),
    /// )?;
    /// let payment = registry.service(&ServiceName::new("payment")?);
    /// # drop((checks, payment));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidHealthChecker`] with the first setting that cannot work, or when checks run already.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, unless [`RegistryBuilder::runtime`](crate::RegistryBuilder::runtime) named one.
    pub fn start_health_checking(
        &self,
        checker: HealthChecker,
    ) -> Result<HealthChecks, InvalidHealthChecker> {
        let shared = Arc::new(Shared {
            registry: self.clone(),
            keeps: checker.keep_delisted,
            is_over: AtomicBool::new(false),
        });
        if self.is_checked().swap(true, Ordering::AcqRel) {
            return Err(InvalidHealthChecker::AlreadyChecked);
        }
        // From here on the claim is given back when this is dropped, also by the error below.
        let laid = Laid(Arc::clone(&shared));
        let watched = Watched {
            shared,
            quiet_for: checker.interval,
            active: HashMap::new(),
        };
        let run = checker.prepare(watched)?;
        let task = self.spawn("health-checks", run);
        Ok(HealthChecks::laid(task, laid))
    }
}

/// The instances of the services that are watched now.
struct Watched {
    shared: Arc<Shared>,
    /// Without a call for so long, a service is idle.
    quiet_for: Duration,
    active: HashMap<ServiceName, Active>,
}

/// When a service was called last.
#[derive(Clone, Copy)]
struct Active {
    activity: u64,
    at: Instant,
}

/// What checks from here have said. Dropping it takes all of that back, at once.
pub(crate) struct Laid(Arc<Shared>);

struct Shared {
    registry: Registry,
    keeps: bool,
    is_over: AtomicBool,
}

impl Targets for Watched {
    fn list(&mut self, now: Instant) -> Vec<Target> {
        let watched = self.shared.registry.watched();
        let mut targets = Vec::new();
        let mut active = HashMap::new();
        for state in watched {
            let before = self.active.get(state.service()).copied();
            let service = Active::next(before, state.activity(), now);
            let is_idle = now.saturating_duration_since(service.at) >= self.quiet_for;
            active.insert(state.service().clone(), service);
            let snapshot = state.snapshot();
            targets.extend(snapshot.instances().iter().map(|member| Target {
                instance: Arc::clone(&member.instance),
                token: address(&member.instance),
                // What the registry found says nothing about the way from here.
                health: Health::Unknown,
                is_idle,
            }));
        }
        self.active = active;
        targets
    }

    fn tell(&self, verdicts: Vec<Verdict>) {
        let mut by_service: HashMap<ServiceName, Vec<Probed>> = HashMap::new();
        for verdict in verdicts {
            let (service, probed) = verdict.probed(self.shared.keeps);
            by_service.entry(service).or_default().push(probed);
        }
        for state in self.shared.registry.watched() {
            let Some(found) = by_service.remove(state.service()) else {
                continue;
            };
            let passing: HashSet<InstanceId> = found
                .iter()
                .filter(|probed| probed.health == Health::Healthy)
                .map(|probed| probed.id.clone())
                .collect();
            let lay = |overlay: &mut Overlay| {
                // Looked at while the overlay is held: what is taken back stays so.
                if self.shared.is_over.load(Ordering::Acquire) {
                    return None;
                }
                overlay.probe(found)
            };
            state.aside(|state| state.overlaid(lay));
            state.vouch(|instance| passing.contains(&instance.id));
        }
    }
}

impl Active {
    fn next(before: Option<Self>, activity: u64, now: Instant) -> Self {
        before
            .filter(|before| before.activity == activity)
            .unwrap_or(Self { activity, at: now })
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        let Shared {
            registry, is_over, ..
        } = &*self.0;
        is_over.store(true, Ordering::Release);
        // Nobody would ever find out that the unhealthy are well again.
        for state in registry.watched() {
            state.overlaid(Overlay::clear);
        }
        registry.is_checked().store(false, Ordering::Release);
    }
}

impl fmt::Debug for Laid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Laid").finish_non_exhaustive()
    }
}

/// An instance that moved, or wants another check, is looked at anew.
fn address(instance: &Instance) -> u64 {
    let mut hasher = DefaultHasher::new();
    (instance.addr(), &instance.health_check).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;

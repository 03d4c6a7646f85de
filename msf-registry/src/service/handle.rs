//! The handle that callers keep.

use std::{sync::Arc, time::Duration};

use msf_core::{clock, name::ServiceName, task::Task};
use tokio::sync::watch;

use super::{
    context::PickContext, error::NoEndpoints, freshness::Freshness, picked::Picked, state::State,
};
#[cfg(feature = "tower")]
use crate::model::Instance;
use crate::{balance::Balance, explain::Explanation, model::Snapshot, outlier::Observed};

/// The instances of one service, kept up to date in the background. Made by
/// [`Registry::service`](crate::Registry::service).
///
/// Clones share the state and the task that watches the registry; the last one that is dropped stops
/// it. When the registry cannot be reached, the last known good list stays in use.
///
/// ```
/// use std::time::Duration;
/// use msf_core::{classify::Classification, name::{InstanceId, ServiceName}};
/// use msf_registry::{Instance, PickContext, Registry, backend::memory::MemoryRegistry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new(MemoryRegistry::new());
/// let payment = ServiceName::new("payment")?;
/// let id = InstanceId::random(&payment);
/// let _here = registry.register(Instance::new(payment.clone(), id, "127.0.0.1:8080".parse()?));
///
/// let endpoints = registry.service(&payment);
/// endpoints.ready(Duration::from_secs(1)).await?;
/// let mut picked = endpoints.pick(&PickContext::new())?;
/// assert_eq!(picked.addr().port(), 8080);
/// picked.record(&Classification::SUCCESS);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServiceHandle {
    state: Arc<State>,
    /// Held, so that the list is kept current.
    _watch: Arc<Watch>,
}

/// The task that watches, for as long as somebody needs it.
#[derive(Debug)]
pub(crate) struct Watch {
    state: Arc<State>,
    task: Task<()>,
}

impl Watch {
    pub(crate) fn new(state: Arc<State>, task: Task<()>) -> Arc<Self> {
        Arc::new(Self { state, task })
    }

    /// Whether nobody watches any more although somebody holds it.
    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    #[cfg(any(feature = "health", feature = "http", test))]
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }
}

impl ServiceHandle {
    pub(crate) fn new(watch: Arc<Watch>) -> Self {
        Self {
            state: Arc::clone(&watch.state),
            _watch: watch,
        }
    }

    /// The next instance, by the [load balancing](crate::LoadBalancing) of the service. Takes no lock, allocates
    /// nothing, waits for nothing and needs no runtime.
    ///
    /// Instances that were [tried](PickContext::tried) are not picked again. When all that would be called were tried, the
    /// least bad of the others is: one of another priority or zone before one that leaves, is ejected or unhealthy.
    ///
    /// # Errors
    ///
    /// [`NoEndpoints`] when there is nobody to call, with the [reason](crate::NoEndpointsReason): nothing is known yet
    /// (wait with [`ready`](Self::ready)), nobody is registered, nobody takes calls, or all were tried.
    #[inline]
    pub fn pick(&self, context: &PickContext<'_>) -> Result<Picked, NoEndpoints> {
        self.state.pick(context)
    }

    /// What a pick would give now, and why not each other instance. It picks nothing and counts nothing; where luck
    /// decides, the next pick may give another one. Not for the hot path.
    #[must_use]
    pub fn explain(&self, context: &PickContext<'_>) -> Explanation {
        self.state.explain(context)
    }

    /// How its calls are spread.
    #[must_use]
    #[inline]
    pub fn balance(&self) -> Balance {
        self.state.rules().balance
    }

    /// What is known of each listed instance, in the order of their ids: from checks, and from the calls from here. Not for
    /// the hot path.
    #[must_use]
    pub fn observed(&self) -> Vec<Observed> {
        self.state.table().observed()
    }

    /// Waits until there is an instance to pick, at most for `wait`.
    ///
    /// # Errors
    ///
    /// [`NoEndpoints`] when there still is none.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub async fn ready(&self, wait: Duration) -> Result<(), NoEndpoints> {
        self.state.ready(wait).await
    }

    /// The list in use: the registry's last one, or what is kept of it.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.state.snapshot()
    }

    /// How long ago the registry confirmed the list; `None` while it has not answered at all.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.state.age(clock::now())
    }

    /// Whether there is a list: from the registry, or from the disk.
    pub(crate) fn is_known(&self) -> bool {
        self.state.table().is_known
    }

    /// How current the list is.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.state.freshness()
    }

    /// A receiver that is marked as changed whenever the list in use was replaced.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.state.subscribe()
    }

    /// The instances that take calls now.
    #[cfg(feature = "tower")]
    pub(crate) fn routed(&self) -> Vec<Arc<Instance>> {
        let table = self.state.table();
        let seats = table.pools.iter().flat_map(|pool| &*pool.members);
        let mut seats: Vec<u32> = seats.copied().collect();
        seats.sort_unstable();
        seats.dedup();
        let instance = |seat: &u32| Arc::clone(&table.instances[*seat as usize]);
        seats.iter().map(instance).collect()
    }

    /// Calls that have not ended.
    #[cfg(all(test, feature = "tower"))]
    pub(crate) fn in_flight(&self) -> u32 {
        let table = self.state.table();
        (0..table.seats.len())
            .map(|seat| table.in_flight(seat))
            .sum()
    }

    /// The service.
    #[must_use]
    pub fn name(&self) -> &ServiceName {
        self.state.service()
    }
}

//! The place of one worker thread.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, Guard};
use msf_client::transport::Connections;
use msf_core::{metrics::HttpMetricsLayer, trace::TraceLayer};

use super::{current::Live, revision::Revision};
use crate::{gateway::Gateway, pipeline::Worker, service::Stack};

/// One worker's own: what stays with it from one revision to the next, and the worker of the last revision that
/// it has seen.
///
/// The services of a worker share it, so that each revision makes one worker per thread however many connections
/// there are.
pub(crate) struct Slot {
    live: Arc<Live>,
    /// The client's own if there are none.
    connections: Option<Connections>,
    observed: Option<Observed>,
    built: ArcSwap<Built>,
    /// Held while a worker is built, so that it is built once.
    building: Mutex<()>,
}

/// What a service is made of.
pub(crate) struct Built {
    pub(crate) revision: Revision,
    pub(crate) worker: Arc<Worker>,
    pub(crate) stack: Stack,
}

/// The layers that observe requests.
struct Observed {
    trace: TraceLayer,
    metrics: HttpMetricsLayer,
}

impl Slot {
    /// For a place where somebody else observes the requests.
    pub(crate) fn bare(gateway: &Gateway) -> Arc<Self> {
        Self::new(gateway, None, None)
    }

    pub(crate) fn observed(gateway: &Gateway, connections: Option<Connections>) -> Arc<Self> {
        let observed = Observed {
            trace: gateway.trace,
            metrics: gateway.metrics_layer.clone(),
        };
        Self::new(gateway, connections, Some(observed))
    }

    fn new(
        gateway: &Gateway,
        connections: Option<Connections>,
        observed: Option<Observed>,
    ) -> Arc<Self> {
        let live = Arc::clone(&gateway.live);
        let built = build(&live, connections.as_ref(), observed.as_ref());
        Arc::new(Self {
            live,
            connections,
            observed,
            built: ArcSwap::from_pointee(built),
            building: Mutex::new(()),
        })
    }

    /// What belongs to the present revision, made by whoever comes first.
    ///
    /// Every request asks, so there is no lock to share once it is there.
    pub(crate) fn built(&self) -> Guard<Arc<Built>> {
        let built = self.built.load();
        if built.revision == self.live.revision() {
            return built;
        }
        drop(built);
        self.build();
        self.built.load()
    }

    #[cold]
    fn build(&self) {
        let building = self.building.lock();
        let _building = building.unwrap_or_else(PoisonError::into_inner);
        if self.built.load().revision == self.live.revision() {
            return;
        }
        let next = build(
            &self.live,
            self.connections.as_ref(),
            self.observed.as_ref(),
        );
        self.built.store(Arc::new(next));
    }
}

fn build(live: &Live, connections: Option<&Connections>, observed: Option<&Observed>) -> Built {
    let (revision, shared) = live.snapshot();
    let client = match connections {
        Some(connections) => shared.client.with_connections(connections.clone()),
        None => shared.client.clone(),
    };
    let worker = Worker::new(&shared, &client);
    let stack = match observed {
        Some(layers) => Stack::observed(&worker, layers.trace, &layers.metrics),
        None => Stack::bare(&worker),
    };
    Built {
        revision,
        worker,
        stack,
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}

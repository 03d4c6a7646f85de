//! The pipeline itself: a layer, and a hand on its parts.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use tower_layer::Layer;

use super::{
    config::{Inside, ServerConfig},
    service::HttpServerService,
    shed::PriorityFn,
};
use crate::{
    adaptive::AdaptiveLimit,
    answering::AnsweringService,
    bulkhead::{Bulkhead, UntilResponse},
    deadline::DeadlineLayer,
    load_shed::LoadShed,
    pipeline::{
        invalid::{Findings, InvalidPipeline},
        part::Place,
    },
    rate_limit::{
        RateLimiter,
        key::{Everyone, KeySource},
    },
};

/// The pipeline in front of a handler: a [`Layer`] whose parts stand in the order of the
/// [module documentation](crate::pipeline).
///
/// What a part refuses is answered with problem+json, and the error type stays that of the service inside: it drops into
/// `axum::Router::layer`. Clones share their parts, and so do all services that it makes.
#[must_use]
pub struct HttpServer<K: KeySource = Everyone, P = PriorityFn, H = UntilResponse> {
    shared: Arc<Shared<K, P>>,
    hold: PhantomData<fn() -> H>,
}

struct Shared<K: KeySource, P> {
    parts: Parts<K, P>,
    /// One after the other, so that what is in force is one configuration and not half of two.
    reloading: Mutex<()>,
}

pub(super) struct Parts<K: KeySource, P> {
    pub(super) name: Arc<str>,
    pub(super) deadline: Place<DeadlineLayer>,
    pub(super) load_shed: Place<LoadShed>,
    pub(super) priority: P,
    pub(super) rate_limit: Place<RateLimiter<K::Key>>,
    pub(super) key: K,
    pub(super) adaptive: Place<AdaptiveLimit>,
    pub(super) bulkhead: Place<Bulkhead>,
}

impl<K: KeySource, P> Parts<K, P> {
    pub(super) fn inside(&self) -> Inside<'_> {
        Inside {
            adaptive: self.adaptive.part.as_ref(),
            bulkhead: self.bulkhead.part.as_ref(),
        }
    }
}

impl<K: KeySource, P, H> HttpServer<K, P, H> {
    pub(super) fn new(parts: Parts<K, P>) -> Self {
        Self {
            shared: Arc::new(Shared {
                parts,
                reloading: Mutex::default(),
            }),
            hold: PhantomData,
        }
    }

    /// Gives the parts new numbers while they run: all of them, or none if anything is wrong.
    ///
    /// Counts, limits and requests in flight stay. Parts that were given in code are not touched. Which parts there are
    /// cannot change.
    ///
    /// # Errors
    ///
    /// [`InvalidPipeline`] names everything that could not work, and every part that would come or go.
    pub fn reload(&self, config: &ServerConfig) -> Result<(), InvalidPipeline> {
        let Shared { parts, reloading } = &*self.shared;
        let _one_at_a_time = reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut findings = Findings::default();
        config.check(parts, &mut findings);
        if findings.is_empty() {
            config.apply(parts, &mut findings);
        }
        findings.into_result(&parts.name)
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.parts.name
    }

    /// The load shed, if it has one.
    #[must_use]
    pub fn load_shed(&self) -> Option<&LoadShed> {
        self.shared.parts.load_shed.part.as_ref()
    }

    /// The limit, if it has one.
    #[must_use]
    pub fn rate_limit(&self) -> Option<&RateLimiter<K::Key>> {
        self.shared.parts.rate_limit.part.as_ref()
    }

    /// The adaptive limit, if it has one.
    #[must_use]
    pub fn adaptive(&self) -> Option<&AdaptiveLimit> {
        self.shared.parts.adaptive.part.as_ref()
    }

    /// The bulkhead, if it has one.
    #[must_use]
    pub fn bulkhead(&self) -> Option<&Bulkhead> {
        self.shared.parts.bulkhead.part.as_ref()
    }
}

impl<K: KeySource, P, H> Clone for HttpServer<K, P, H> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            hold: PhantomData,
        }
    }
}

impl<K: KeySource, P, H> fmt::Debug for HttpServer<K, P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer")
            .field("name", &self.name())
            .field("load_shed", &self.load_shed())
            .field("rate_limit", &self.rate_limit())
            .field("adaptive", &self.adaptive())
            .field("bulkhead", &self.bulkhead())
            .finish_non_exhaustive()
    }
}

impl<S, K: KeySource + Clone, P: Clone, H> Layer<S> for HttpServer<K, P, H> {
    type Service = AnsweringService<HttpServerService<S, K, P, H>>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringService::new(HttpServerService::new(inner, &self.shared.parts))
    }
}

//! Where a finished request is counted: handles found without lock or allocation.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;

use super::label::{Labels, METHOD_LABELS, METHODS, MethodLabel};
use crate::metrics::{
    catalogue::{HTTP_ACTIVE, HTTP_DURATION},
    error::MetricsError,
    family::HistogramFamily,
    handle::{Gauge, Histogram},
    registry::Metrics,
    series::OTHER,
};

/// How many series of one route are kept at hand; what a service answers in practice is far less.
const SERIES_PER_ROUTE: usize = 256;

/// The state that every clone of a layer's services shares.
#[derive(Debug)]
pub(super) struct Recorder {
    duration: HistogramFamily<4>,
    active: [Gauge; METHODS],
    // Readers take a snapshot; the first sight of a route copies the table and swaps it.
    routes: ArcSwap<HashMap<Box<str>, Arc<Route>>>,
    unmatched: Arc<Route>,
    other: Arc<Route>,
}

impl Recorder {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let active = HTTP_ACTIVE.register(metrics)?;
        Ok(Self {
            duration: HTTP_DURATION.register(metrics)?,
            active: METHOD_LABELS.map(|method| active.with([method])),
            routes: ArcSwap::default(),
            unmatched: Arc::new(Route::new("")),
            other: Arc::new(Route::new(OTHER)),
        })
    }

    pub(super) fn active(&self, method: MethodLabel) -> &Gauge {
        &self.active[method.index()]
    }

    pub(super) fn unmatched(&self) -> &Arc<Route> {
        &self.unmatched
    }

    /// The route with this template, or the common one once `limit` templates are known.
    pub(super) fn route(&self, template: &str, limit: usize) -> Arc<Route> {
        if let Some(known) = self.routes.load().get(template) {
            return Arc::clone(known);
        }
        self.first_sight(template, limit)
    }

    pub(super) fn record(&self, route: &Route, labels: Labels, duration: Duration) {
        let key = labels.key();
        let series = route.series.load();
        if let Ok(at) = series.binary_search_by_key(&key, |&(key, _)| key) {
            series[at].1.observe(duration);
            return;
        }
        drop(series);
        self.resolve(route, labels).observe(duration);
    }

    #[cold]
    fn first_sight(&self, template: &str, limit: usize) -> Arc<Route> {
        let fresh = Arc::new(Route::new(template));
        // The closure may run again after losing a race, then it finds the winner's entry.
        self.routes.rcu(|routes| {
            if routes.contains_key(template) || routes.len() >= limit {
                return Arc::clone(routes);
            }
            let mut routes = HashMap::clone(routes);
            routes.insert(template.into(), Arc::clone(&fresh));
            Arc::new(routes)
        });
        if let Some(known) = self.routes.load().get(template) {
            return Arc::clone(known);
        }
        self.duration.count_overflow();
        Arc::clone(&self.other)
    }

    #[cold]
    fn resolve(&self, route: &Route, labels: Labels) -> Histogram {
        let key = labels.key();
        let resolved = self.duration.with([
            labels.method.as_str(),
            &route.template,
            labels.status(),
            labels.error_type(),
        ]);
        route.series.rcu(|series| {
            let place = series.binary_search_by_key(&key, |&(key, _)| key);
            match place {
                Err(at) if series.len() < SERIES_PER_ROUTE => {
                    let mut series = Vec::clone(series);
                    series.insert(at, (key, resolved.clone()));
                    Arc::new(series)
                }
                _ => Arc::clone(series),
            }
        });
        resolved
    }
}

/// The series of one route, sorted by [`Labels::key`].
#[derive(Debug)]
pub(super) struct Route {
    template: Box<str>,
    series: ArcSwap<Vec<(u32, Histogram)>>,
}

impl Route {
    fn new(template: &str) -> Self {
        Self {
            template: template.into(),
            series: ArcSwap::default(),
        }
    }
}

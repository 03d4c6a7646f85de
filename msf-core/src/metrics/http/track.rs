//! One request in flight, counted when it is dropped and therefore exactly once.

use std::sync::Arc;

use http::{Extensions, Method, StatusCode};
use tokio::time::Instant;

use super::{
    label::{End, Labels, MethodLabel},
    recorder::{Recorder, Route},
};
use crate::route::RouteSource;

/// Where the route of a request is looked up, and how many routes there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Routing {
    pub(super) source: RouteSource,
    pub(super) limit: usize,
}

/// A request between its arrival and the end of its response.
///
/// It starts as cancelled: a request that is merely dropped was given up by its caller. Whoever
/// learns better says so before dropping it.
#[derive(Debug)]
pub(super) struct Tracker {
    recorder: Arc<Recorder>,
    routing: Routing,
    // Unknown until a router has left a template.
    route: Option<Arc<Route>>,
    labels: Labels,
    started: Instant,
    // Set while foreign code runs: seen in `drop`, that code panicked. `thread::panicking` is no
    // substitute, for who catches the panic may drop the future afterwards.
    entered: bool,
}

impl Tracker {
    pub(super) fn start(
        recorder: &Arc<Recorder>,
        routing: Routing,
        method: &Method,
        extensions: &Extensions,
    ) -> Self {
        let method = MethodLabel::of(method);
        recorder.active(method).inc();
        let mut tracker = Self {
            recorder: Arc::clone(recorder),
            routing,
            route: None,
            labels: Labels {
                method,
                status: None,
                code: None,
                end: End::Cancelled,
            },
            started: Instant::now(),
            entered: false,
        };
        tracker.find_route(extensions);
        tracker
    }

    /// Runs foreign code that may panic.
    pub(super) fn enter<T>(tracker: &mut Option<Self>, run: impl FnOnce() -> T) -> T {
        if let Some(tracker) = tracker {
            tracker.entered = true;
        }
        let returned = run();
        if let Some(tracker) = tracker {
            tracker.entered = false;
        }
        returned
    }

    /// The head of the response is there. A router inside the service may have left the route in it.
    pub(super) fn answered(&mut self, status: StatusCode, extensions: &Extensions) {
        self.labels.status = Some(status);
        self.labels.code = extensions.get().copied();
        if self.route.is_none() {
            self.find_route(extensions);
        }
    }

    pub(super) fn settle(&mut self, end: End) {
        self.labels.end = end;
    }

    pub(super) fn finish(mut self, end: End) {
        self.settle(end);
    }

    fn find_route(&mut self, extensions: &Extensions) {
        if let Some(template) = (self.routing.source)(extensions) {
            self.route = Some(self.recorder.route(template, self.routing.limit));
        }
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        if self.entered {
            self.labels.end = End::Panic;
        }
        self.recorder.active(self.labels.method).dec();
        let route = self
            .route
            .as_deref()
            .unwrap_or_else(|| self.recorder.unmatched());
        self.recorder
            .record(route, self.labels, self.started.elapsed());
    }
}

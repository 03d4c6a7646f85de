//! Copies under way.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header, request::Parts};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use msf_client::ServiceClient;
use msf_core::{
    body::Body,
    metrics::{Metrics, MetricsError},
    task,
};
use tokio::time;

use super::{metrics::MirrorMetrics, settings::Mirror, tee::Tee};

/// The mirror of one route.
#[derive(Clone, Debug)]
pub(crate) struct Mirroring {
    settings: Arc<Mirror>,
    /// The place of the call among those of a worker.
    pub(crate) call: usize,
    in_flight: Arc<AtomicUsize>,
    metrics: MirrorMetrics,
}

/// A copy that is begun, and may still wait for its body. Dropped, it was not sent.
pub(super) struct Copy {
    parts: Parts,
    service: ServiceClient,
    mirror: Mirroring,
    slot: Slot,
}

/// A place among the copies under way.
struct Slot(Arc<AtomicUsize>);

impl Mirroring {
    pub(crate) fn new(settings: Mirror) -> Self {
        Self {
            settings: Arc::new(settings),
            call: usize::MAX,
            in_flight: Arc::default(),
            metrics: MirrorMetrics::noop(),
        }
    }

    pub(crate) fn connect(
        &mut self,
        call: usize,
        route: &str,
        metrics: &Metrics,
    ) -> Result<(), MetricsError> {
        self.call = call;
        self.metrics = MirrorMetrics::new(metrics, route)?;
        Ok(())
    }

    /// Copies a request, if it is one of those that are copied, and gives back its body, which the copy may follow.
    /// `identify` makes the headers those for the other service, or says that there is no copy.
    pub(crate) fn copy(
        &self,
        parts: &Parts,
        body: Body,
        service: Option<&ServiceClient>,
        identify: impl FnOnce(&ServiceClient, &mut HeaderMap) -> bool,
    ) -> Body {
        let is_drawn =
            self.settings.percent >= 100.0 || fastrand::f64() * 100.0 < self.settings.percent;
        let Some(service) = service.filter(|_| is_drawn) else {
            return body;
        };
        let body_max = self.settings.body_max;
        if body.size_hint().lower() > u64::try_from(body_max).unwrap_or(u64::MAX) {
            self.metrics.too_large.inc();
            return body;
        }
        let Some(slot) = self.slot() else {
            self.metrics.too_many.inc();
            return body;
        };
        let mut copied = copied(parts);
        if !identify(service, &mut copied.headers) {
            self.metrics.failed.inc();
            return body;
        }
        let copy = Copy {
            parts: copied,
            service: service.clone().with_timeout(self.settings.timeout),
            mirror: self.clone(),
            slot,
        };
        if body.is_end_stream() {
            copy.send(Bytes::new());
            return body;
        }
        Body::new(Tee::new(body, copy, body_max))
    }

    /// Copies under way now.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn slot(&self) -> Option<Slot> {
        let max = self.settings.in_flight_max;
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        // Counted at once, and given back by the drop where there was no place.
        let slot = Slot(Arc::clone(&self.in_flight));
        (before < max).then_some(slot)
    }
}

/// Which requests are copied, for people.
impl fmt::Display for Mirroring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} % of the requests", self.settings.percent)
    }
}

impl Copy {
    pub(super) fn too_large(self) {
        self.mirror.metrics.too_large.inc();
    }

    /// Sends the copy, by a task that nobody waits for.
    pub(super) fn send(mut self, body: Bytes) {
        // Whatever framed the body on its way here, this one has a length.
        self.parts.headers.remove(header::TRANSFER_ENCODING);
        self.parts.headers.remove(header::CONTENT_LENGTH);
        let task = task::spawn_root("mirror", async move {
            // All of it, so that the slot is held to the end.
            let Self {
                parts,
                service,
                mirror,
                slot: _slot,
            } = self;
            let timeout = mirror.settings.timeout;
            let request = Request::from_parts(parts, Body::from(body));
            let call = service.call(request);
            let answered = time::timeout(timeout, async {
                let response = call.await.ok()?;
                // Read, so that the connection can be used again; a large answer is not worth it.
                let body = Limited::new(response.into_body(), ANSWER_MAX);
                let _read = body.collect().await;
                Some(())
            });
            match answered.await {
                Ok(Some(())) => mirror.metrics.answered.inc(),
                Ok(None) | Err(_) => mirror.metrics.failed.inc(),
            }
        });
        task.detach();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn copied(parts: &Parts) -> Parts {
    let (mut copy, ()) = Request::new(()).into_parts();
    copy.method = parts.method.clone();
    copy.uri = parts.uri.clone();
    copy.version = parts.version;
    copy.headers = parts.headers.clone();
    // A body that is already there is not waited for.
    copy.headers.remove(header::EXPECT);
    copy.headers.insert(MIRRORED, HeaderValue::from_static("1"));
    copy
}

const MIRRORED: HeaderName = HeaderName::from_static("x-msf-mirrored");
/// An answer that is larger costs more to read than a new connection.
const ANSWER_MAX: usize = 1 << 20;

//! The layer with a typed error.

use std::{sync::Arc, time::Duration};

use msf_core::metrics::{Metrics, MetricsError};
use tower_layer::Layer;

use super::{
    metrics::DeadlineMetrics,
    service::DeadlineService,
    settings::{Knobs, Settings},
};
use crate::answering::Answering;

/// Reads, enforces and passes on the deadlines of HTTP requests; gives [`Error::Exceeded`](super::Error::Exceeded).
///
/// As it is made, it enforces the deadlines that requests have, in headers or extensions, and gives none to others.
///
/// See the [module documentation](super) for an example.
#[derive(Clone, Debug)]
#[must_use]
pub struct DeadlineLayer {
    settings: Arc<Settings>,
    /// Whether calls end with their deadlines.
    is_timed: bool,
}

impl DeadlineLayer {
    /// A layer with a typed error.
    pub fn new() -> Self {
        Self {
            settings: Settings::new(Knobs::new(), None),
            is_timed: true,
        }
    }

    /// A layer that answers with problem+json, status 504, instead of an error.
    ///
    /// ```
    /// use std::{future::pending, time::Duration};
    /// use axum::{Router, body::Body, routing::get};
    /// use http::Request;
    /// use msf_resilience::deadline::DeadlineLayer;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app: Router = Router::new()
    ///     .route("/", get(pending::<()>))
    ///     .layer(DeadlineLayer::answering().max(Duration::from_secs(30)));
    ///
    /// let request = Request::builder().header("grpc-timeout", "250m").body(Body::empty())?;
    /// assert_eq!(app.oneshot(request).await?.status(), 504);
    /// # Ok(())
    /// # }
    /// ```
    pub fn answering() -> Answering<Self> {
        Answering::new(Self::new())
    }

    /// The time of requests that bring no deadline. Default: none, they have all the time.
    pub fn default_timeout(self, left: Duration) -> Self {
        Self {
            settings: self.settings.with(|knobs| &knobs.default, left),
            ..self
        }
    }

    /// The longest time of any request, also of those that bring no deadline. Default: none but the day of
    /// [`Deadline::MAX`](msf_core::deadline::Deadline::MAX).
    pub fn max(self, left: Duration) -> Self {
        Self {
            settings: self.settings.with(|knobs| &knobs.max, left),
            ..self
        }
    }

    /// Writes what is left, less a margin for the way back, into the outgoing request: `x-msf-timeout-ms`, and
    /// `grpc-timeout` where the request has one. A request with less than a millisecond to send is not made.
    pub fn inject(self, margin: Duration) -> Self {
        Self {
            settings: self.settings.with(|knobs| &knobs.margin, margin),
            ..self
        }
    }

    /// Leaves it to a layer outside to end calls whose deadline passes meanwhile.
    pub(crate) const fn untimed(mut self) -> Self {
        self.is_timed = false;
        self
    }

    /// Exports metrics under this name.
    ///
    /// # Errors
    ///
    /// [`MetricsError`] when they cannot be registered.
    pub fn metrics(self, metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let handles = DeadlineMetrics::register(metrics, name)?;
        Ok(Self {
            settings: Settings::new(self.settings.knobs.copy(), Some(handles)),
            ..self
        })
    }

    /// Changes default and maximum of this layer, its clones and all their services, for calls that begin from now on.
    pub fn reconfigure(&self, default_timeout: Option<Duration>, max: Option<Duration>) {
        self.settings.knobs.default.set(default_timeout);
        self.settings.knobs.max.set(max);
    }
}

impl Default for DeadlineLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Answering<DeadlineLayer> {
    /// See [`DeadlineLayer::default_timeout`].
    pub fn default_timeout(self, left: Duration) -> Self {
        self.map(|layer| layer.default_timeout(left))
    }

    /// See [`DeadlineLayer::max`].
    pub fn max(self, left: Duration) -> Self {
        self.map(|layer| layer.max(left))
    }

    /// See [`DeadlineLayer::inject`].
    pub fn inject(self, margin: Duration) -> Self {
        self.map(|layer| layer.inject(margin))
    }

    /// See [`DeadlineLayer::metrics`].
    ///
    /// # Errors
    ///
    /// [`MetricsError`] when they cannot be registered.
    pub fn metrics(self, metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        self.try_map(|layer| layer.metrics(metrics, name))
    }

    /// See [`DeadlineLayer::reconfigure`].
    pub fn reconfigure(&self, default_timeout: Option<Duration>, max: Option<Duration>) {
        self.typed().reconfigure(default_timeout, max);
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService::new(inner, Arc::clone(&self.settings), self.is_timed)
    }
}

//! The layer with a typed error.

use std::{sync::Arc, time::Duration};

use http::Request;
use msf_core::{
    deadline::Deadline,
    metrics::{Metrics, MetricsError},
};
use tower_layer::Layer;

use super::{metrics::TimeoutMetrics, service::TimeoutService, settings::Settings};
use crate::answering::Answering;

/// Ends calls that take too long with [`Error::Elapsed`](super::Error::Elapsed).
///
/// See the [module documentation](super) for an example.
#[derive(Clone, Debug)]
#[must_use]
pub struct TimeoutLayer<L = NoDeadline> {
    settings: Arc<Settings>,
    limit: L,
}

/// Where a request's own deadline is found, if it is asked for.
pub trait Limit<Req> {
    /// The deadline of this request.
    fn deadline(&self, request: &Req) -> Option<Deadline>;
}

/// Requests of any type; their deadlines are not looked for.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a choice without parts")]
pub struct NoDeadline;

/// HTTP requests with their [`Deadline`] in the extensions.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a choice without parts")]
pub struct RequestDeadline;

impl<Req> Limit<Req> for NoDeadline {
    #[inline]
    fn deadline(&self, _request: &Req) -> Option<Deadline> {
        None
    }
}

impl<B> Limit<Request<B>> for RequestDeadline {
    #[inline]
    fn deadline(&self, request: &Request<B>) -> Option<Deadline> {
        Deadline::of(request.extensions())
    }
}

impl TimeoutLayer {
    /// A timeout for requests of any type; at most a year.
    pub fn new(after: Duration) -> Self {
        Self {
            settings: Settings::new(after, None),
            limit: NoDeadline,
        }
    }

    /// A timeout for HTTP that answers with problem+json, and ends with the request's deadline if that is earlier.
    ///
    /// ```
    /// use std::{future::pending, time::Duration};
    /// use axum::{Router, body::Body, routing::get};
    /// use http::Request;
    /// use msf_resilience::timeout::TimeoutLayer;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app: Router = Router::new()
    ///     .route("/", get(pending::<()>))
    ///     .layer(TimeoutLayer::answering(Duration::from_secs(2)));
    ///
    /// let response = app.oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(response.status(), 504);
    /// # Ok(())
    /// # }
    /// ```
    pub fn answering(after: Duration) -> Answering<TimeoutLayer<RequestDeadline>> {
        Answering::new(Self::new(after).until_deadline())
    }

    /// Ends with the [`Deadline`] in the extensions of the HTTP request, if that is earlier.
    ///
    /// ```
    /// use std::{convert::Infallible, future::pending, time::Duration};
    /// use http::Request;
    /// use msf_core::deadline::Deadline;
    /// use msf_resilience::timeout::{Error, TimeoutLayer};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let layer = TimeoutLayer::new(Duration::from_secs(5)).until_deadline();
    /// let service = layer.layer(service_fn(|_: Request<()>| pending::<Result<(), Infallible>>()));
    /// let mut request = Request::new(());
    /// Deadline::after(Duration::from_secs(1)).tighten(request.extensions_mut());
    ///
    /// let Err(Error::Elapsed(elapsed)) = service.oneshot(request).await else { panic!() };
    /// assert!(elapsed.is_deadline());
    /// # }
    /// ```
    pub fn until_deadline(self) -> TimeoutLayer<RequestDeadline> {
        TimeoutLayer {
            settings: self.settings,
            limit: RequestDeadline,
        }
    }
}

impl<L> TimeoutLayer<L> {
    /// Exports metrics under this name: use the callee's.
    ///
    /// # Errors
    ///
    /// [`MetricsError`] when they cannot be registered.
    pub fn metrics(self, metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let handles = TimeoutMetrics::register(metrics, name)?;
        Ok(Self {
            settings: Settings::new(self.settings.after(), Some(handles)),
            limit: self.limit,
        })
    }

    /// The timeout of calls that begin from now on.
    #[must_use]
    pub fn after(&self) -> Duration {
        self.settings.after()
    }

    /// Changes the timeout of this layer, its clones and all their services, for calls that begin from now on.
    pub fn reconfigure(&self, after: Duration) {
        self.settings.set_after(after);
    }
}

impl Answering<TimeoutLayer<RequestDeadline>> {
    /// See [`TimeoutLayer::metrics`].
    ///
    /// # Errors
    ///
    /// [`MetricsError`] when they cannot be registered.
    pub fn metrics(self, metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        self.try_map(|layer| layer.metrics(metrics, name))
    }

    /// See [`TimeoutLayer::reconfigure`].
    pub fn reconfigure(&self, after: Duration) {
        self.typed().reconfigure(after);
    }
}

impl<S, L: Clone> Layer<S> for TimeoutLayer<L> {
    type Service = TimeoutService<S, L>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeoutService::new(inner, Arc::clone(&self.settings), self.limit.clone())
    }
}

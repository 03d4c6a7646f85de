//! The settings of a route beyond where it leads and who may pass.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use msf_core::{BoxError, body::Body};
use msf_resilience::{
    hedge::HedgeBuilder,
    rate_limit::shared::{OnFailure, SharedRateLimiter},
    retry::RetryPolicyBuilder,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    access::IpRules,
    action::{DirectResponse, Maintenance, Redirect},
    cors::Cors,
    headers::IpRange,
    layered::{RouteLayer, Upstream},
    limit::{Key, SharedLimit},
    mirror::Mirror,
    plugin::{Installed, Plugin},
    route::Route,
    transform::{HeaderTransform, PathTransform},
};

/// What was set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) split: Vec<(String, u32)>,
    pub(crate) redirect: Option<Redirect>,
    pub(crate) respond: Option<DirectResponse>,
    pub(crate) maintenance: Option<Maintenance>,
    pub(crate) cors: Option<Cors>,
    pub(crate) ip: IpRules,
    pub(crate) shared_limit: Option<SharedLimit>,
    pub(crate) request_headers: HeaderTransform,
    pub(crate) response_headers: HeaderTransform,
    pub(crate) path: PathTransform,
    /// Whether `path` was set more than once.
    pub(crate) is_path_twice: bool,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) retry: Option<Change<RetryPolicyBuilder>>,
    pub(crate) hedge: Option<Change<HedgeBuilder>>,
    pub(crate) has_internal_identity: bool,
    pub(crate) mirror: Option<Mirror>,
    pub(crate) layers: Vec<RouteLayer>,
    pub(crate) plugins: Vec<Installed>,
}

/// What is changed of a builder that somebody else begins.
pub(crate) struct Change<B>(pub(crate) Arc<dyn Fn(B) -> B + Send + Sync>);

impl<B> Clone for Change<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B> fmt::Debug for Change<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Change")
    }
}

/// What a route does besides: each of these is off unless set, and a route without it pays a branch.
///
/// The order is the same for every route, however it was written:
///
/// 1. [`cors`](Self::cors) answers preflights
/// 2. [`allow_ips`](Self::allow_ips), [`deny_ips`](Self::deny_ips)
/// 3. [`maintenance`](Self::maintenance)
/// 4. [`rate_limit`](Self::rate_limit) by client, token, [`policy`](Self::policy), limit by subject,
///    [`shared_rate_limit`](Self::shared_rate_limit), [`body_limit`](Self::body_limit)
/// 5. [`plugin`](Self::plugin)
/// 6. [`redirect`](Self::redirect) or [`respond`](Self::respond), which end here
/// 7. [`split`](Self::split), [`internal_identity`](Self::internal_identity), [`request_headers`](Self::request_headers),
///    the path
/// 8. [`mirror`](Self::mirror), [`layer`](Self::layer), then the call with its timeout, [`retry`](Self::retry) and
///    [`hedge`](Self::hedge)
/// 9. on the way back: layers, plugins, [`response_headers`](Self::response_headers), CORS
impl Route {
    /// Leads to several clusters, each with its weight: `.split([("users", 95), ("users-v2", 5)])`. In the place of
    /// [`to`](Self::to); a weight of 0 gets nothing.
    ///
    /// Each request is drawn for itself; a client may be sent to another cluster each time.
    pub fn split<T: Into<String>>(mut self, clusters: impl IntoIterator<Item = (T, u32)>) -> Self {
        let clusters = clusters.into_iter();
        self.settings.split = clusters
            .map(|(name, weight)| (name.into(), weight))
            .collect();
        self
    }

    /// Sends clients elsewhere, in the place of [`to`](Self::to).
    pub fn redirect(mut self, redirect: Redirect) -> Self {
        self.settings.redirect = Some(redirect);
        self
    }

    /// Answers itself, in the place of [`to`](Self::to).
    pub fn respond(mut self, response: DirectResponse) -> Self {
        self.settings.respond = Some(response);
        self
    }

    /// Is closed for as long as this is on.
    pub fn maintenance(mut self, maintenance: Maintenance) -> Self {
        self.settings.maintenance = Some(maintenance);
        self
    }

    /// Which pages of other origins may use it; see [`cors`](crate::cors).
    pub fn cors(mut self, cors: Cors) -> Self {
        self.settings.cors = Some(cors);
        self
    }

    /// Only clients in one of these blocks pass; see [`access`](crate::access).
    pub fn allow_ips(mut self, ranges: impl IntoIterator<Item = IpRange>) -> Self {
        self.settings.ip.allowed.extend(ranges);
        self
    }

    /// Clients in one of these blocks do not pass, whatever is allowed.
    pub fn deny_ips(mut self, ranges: impl IntoIterator<Item = IpRange>) -> Self {
        self.settings.ip.denied.extend(ranges);
        self
    }

    /// Counts callers in a store that several gateways share, besides a [`rate_limit`](Self::rate_limit) of its own, which
    /// comes first and spares the store. What happens while the store does not answer is said by
    /// [`OnFailure`]: such requests pass, unless [`shared_rate_limit_or`](Self::shared_rate_limit_or) says otherwise.
    ///
    /// It comes after the token, so that strangers cannot make the gateway ask its store.
    pub fn shared_rate_limit(self, limiter: SharedRateLimiter, key: Key) -> Self {
        self.shared_rate_limit_or(limiter, key, OnFailure::default())
    }

    /// As [`shared_rate_limit`](Self::shared_rate_limit), and says what happens while the store does not answer.
    pub fn shared_rate_limit_or(
        mut self,
        limiter: SharedRateLimiter,
        key: Key,
        on_failure: OnFailure,
    ) -> Self {
        self.settings.shared_limit = Some(SharedLimit {
            limiter,
            key,
            on_failure,
        });
        self
    }

    /// Changes the headers that the service sees; see [`transform`](crate::transform).
    pub fn request_headers(mut self, transform: HeaderTransform) -> Self {
        self.settings.request_headers = transform;
        self
    }

    /// Changes the headers that the client sees, also of redirects, direct responses and failures.
    pub fn response_headers(mut self, transform: HeaderTransform) -> Self {
        self.settings.response_headers = transform;
        self
    }

    /// Forwards `/api/users/7` as `/v2/users/7`, for the prefix `/api/users` and `replace_prefix("/v2/users")`.
    pub fn replace_prefix(self, by: impl Into<String>) -> Self {
        self.with_path(PathTransform::ReplacePrefix(by.into()))
    }

    /// Forwards another path, which may [name](crate::transform) what the route captured. The query stays.
    pub fn rewrite(self, path: impl Into<String>) -> Self {
        self.with_path(PathTransform::Rewrite(path.into()))
    }

    fn with_path(mut self, path: PathTransform) -> Self {
        self.settings.is_path_twice |= self.settings.path != PathTransform::Keep;
        self.settings.path = path;
        self
    }

    /// How long one of several attempts may take, within the [`timeout`](Self::timeout) of the route.
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = Some(timeout);
        self
    }

    /// Makes failed calls again: only if the request may be repeated, and within the budget of the service. The policy
    /// has the service's name, metrics and budget; the closure changes the rest, or nothing.
    ///
    /// ```
    /// use msf_gateway::Route;
    ///
    /// let users = Route::prefix("/api/users").to("user").public().retry(|retry| retry.max_attempts(2));
    /// # drop(users);
    /// ```
    pub fn retry(
        mut self,
        change: impl Fn(RetryPolicyBuilder) -> RetryPolicyBuilder + Send + Sync + 'static,
    ) -> Self {
        self.settings.retry = Some(Change(Arc::new(change)));
        self
    }

    /// Makes slow calls a second time beside the first and takes the first answer: only if the request may be repeated,
    /// and within the budget of the service. The policy has the service's name, metrics and budget; the closure changes
    /// the rest, or nothing.
    pub fn hedge(
        mut self,
        change: impl Fn(HedgeBuilder) -> HedgeBuilder + Send + Sync + 'static,
    ) -> Self {
        self.settings.hedge = Some(Change(Arc::new(change)));
        self
    }

    /// The service gets a token of the gateway's own for the caller, good for this service and 30 s, in the place of the
    /// caller's: see [`msf_auth::internal`]. Needs
    /// [`GatewayBuilder::internal_tokens`](crate::GatewayBuilder::internal_tokens).
    pub const fn internal_identity(mut self) -> Self {
        self.settings.has_internal_identity = true;
        self
    }

    /// Copies requests for another cluster; see [`mirror`](crate::mirror).
    pub fn mirror(mut self, mirror: Mirror) -> Self {
        self.settings.mirror = Some(mirror);
        self
    }

    /// Puts a tower layer around the call of the service. The layer that is added last sees the request first.
    ///
    /// Every worker makes its own service with it, so what requests share must be in the layer. Errors that it adds are
    /// answered as [`Problem::from_error`](msf_core::problem::Problem::from_error) says.
    ///
    /// ```
    /// use msf_gateway::Route;
    ///
    /// let reports = Route::prefix("/reports")
    ///     .to("report")
    ///     .public()
    ///     .layer(tower::limit::GlobalConcurrencyLimitLayer::new(8));
    /// # drop(reports);
    /// ```
    pub fn layer<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<Upstream> + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.settings.layers.push(RouteLayer::new(layer));
        self
    }

    /// Adds code of your own; see [`plugin`](crate::plugin).
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        self.settings.plugins.push(Installed::new(plugin));
        self
    }
}

//! What a service is made of.

use std::{convert::Infallible, fmt, future::Future, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::{
    HostConfig, HostError, HostInfo, HostSettings, RunningHost,
    axum_routes::{self, Routes},
    hooks::Hook,
    routes::Layers,
    run,
};
use crate::{
    BoxError,
    config::{Config, Loader},
    health::{Check, Health, HealthCheck},
    metrics::{HttpMetricsLayer, Metrics},
    name::{InstanceId, InvalidName, ServiceName},
    server::Body,
    telemetry::LevelHandle,
    trace::TraceLayer,
};

/// The host of one service; see the [module documentation](super).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServiceHost;

/// A service that is being put together; made by [`ServiceHost::builder`].
///
/// Nothing fails before [`run`](Self::run) or [`start`](Self::start), which report the first thing that was wrong.
#[must_use = "a service does nothing before `run` or `start`"]
pub struct ServiceHostBuilder {
    pub(super) name: Result<ServiceName, InvalidName>,
    pub(super) version: String,
    pub(super) instance: Option<InstanceId>,
    pub(super) settings: Settings,
    pub(super) health: Health,
    pub(super) metrics: Metrics,
    pub(super) routes: Option<MakeRoutes>,
    pub(super) checks: Vec<Check>,
    pub(super) on_start: Vec<Hook>,
    pub(super) on_drain: Vec<Hook>,
    pub(super) trace: TraceLayer,
    pub(super) log_level: Option<LevelHandle>,
}

/// Where the settings come from.
#[derive(Clone, Debug, Default)]
pub(super) enum Settings {
    /// The arguments and the environment of this process, read when it runs.
    #[default]
    Process,
    /// The program itself, checked when it runs.
    Raw(Box<HostConfig>),
    /// Loaded before.
    Resolved(Box<HostSettings>),
}

impl Settings {
    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// Puts the layers around the routes, once the layers are known.
pub(super) type MakeRoutes = Arc<dyn Fn(Layers) -> Routes + Send + Sync>;

impl ServiceHost {
    /// Begins a service with a name that is a DNS label ([`ServiceName`]).
    pub fn builder(name: impl AsRef<str>) -> ServiceHostBuilder {
        ServiceHostBuilder::new(name.as_ref(), Settings::Process)
    }

    /// Loads the settings of the host and of the application from this process's arguments and
    /// environment, and begins a service.
    ///
    /// For `--help`, `--print-config` and `--check-config` it prints and ends the process, as command
    /// line parsers do.
    ///
    /// # Errors
    ///
    /// [`HostError::Config`] with every mistake in either.
    pub fn with_settings<S: Config>(
        name: impl AsRef<str>,
    ) -> Result<(S::Resolved, ServiceHostBuilder), HostError> {
        let command = Loader::from_process().load_pair::<HostConfig, S>()?;
        let (host, settings) = run::settings_or_exit(command);
        let settings_host = Settings::Resolved(Box::new(host));
        Ok((
            settings,
            ServiceHostBuilder::new(name.as_ref(), settings_host),
        ))
    }
}

impl ServiceHostBuilder {
    fn new(name: &str, settings: Settings) -> Self {
        let name = ServiceName::new(name);
        let health = Health::new(name.as_ref().map_or("", ServiceName::as_str));
        Self {
            name,
            version: String::new(),
            instance: None,
            settings,
            health,
            metrics: Metrics::new(),
            routes: None,
            checks: Vec::new(),
            on_start: Vec::new(),
            on_drain: Vec::new(),
            trace: TraceLayer::new(),
            log_level: None,
        }
    }

    /// The version of the program, usually `env!("CARGO_PKG_VERSION")`: it appears in the health
    /// report, in `msf_build_info`, and in traces.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self.health = Health::builder(self.name.as_ref().map_or("", ServiceName::as_str))
            .version(self.version.clone())
            .build();
        self
    }

    /// The id of this instance; a random one if it is not set.
    pub fn instance(mut self, instance: InstanceId) -> Self {
        self.instance = Some(instance);
        self
    }

    /// Takes the settings from the program instead of the process's arguments and environment.
    pub fn config(mut self, config: HostConfig) -> Self {
        self.settings = Settings::Raw(Box::new(config));
        self
    }

    /// The service itself: an `axum::Router`, or any tower service of HTTP requests.
    ///
    /// With the feature `axum`, a router's route templates become the label `http_route`; other services
    /// say them with [`MatchedRoute`](crate::route::MatchedRoute). Without routes every path is 404.
    pub fn router<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.routes = Some(Arc::new(move |layers| {
            axum_routes::observe(service.clone(), layers)
        }));
        self
    }

    /// Replaces the trace layer's settings: whose context is believed, what the access log has. Where it
    /// finds the route is the host's concern and is set by it.
    ///
    /// ```
    /// use msf_core::{host::ServiceHost, trace::{AccessLog, TraceLayer, Trust}};
    ///
    /// let edge = TraceLayer::new().trust(Trust::Nobody).access_log(AccessLog::Failures);
    /// let host = ServiceHost::builder("edge").trace(edge);
    /// # let _ = host;
    /// ```
    pub fn trace(mut self, trace: TraceLayer) -> Self {
        self.trace = trace;
        self
    }

    /// Adds a hard check to `/readyz`: when it fails, the service is not ready.
    ///
    /// For more than a name and a question, such as a soft check or another timeout, see
    /// [`health_check`](Self::health_check).
    pub fn check(self, name: impl Into<Arc<str>>, check: impl HealthCheck) -> Self {
        self.health_check(Check::new(name, check))
    }

    /// Adds a check to `/readyz`.
    pub fn health_check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// Runs before the service is ready, when its address is known. Hooks run in the order in which they
    /// were added; a failure ends the start. All together have 30 s.
    pub fn on_start<F, R, E>(mut self, hook: F) -> Self
    where
        F: FnOnce(HostInfo) -> R + Send + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.on_start.push(Hook::new(hook));
        self
    }

    /// Runs when the service begins to end, while it still serves. Hooks run in the reverse order in
    /// which they were added; a failure is logged. All together have 5 s. They run as well when the start
    /// fails or is stopped, since a start hook may have told others of the service already.
    pub fn on_drain<F, R, E>(mut self, hook: F) -> Self
    where
        F: FnOnce(HostInfo) -> R + Send + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.on_drain.push(Hook::new(hook));
        self
    }

    /// The metrics of the service, to register your own.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Starts the service and leaves what belongs to the process alone: signals, logs, arguments and
    /// environment. Without settings it takes the defaults.
    ///
    /// # Errors
    ///
    /// [`HostError`] says what could not be started; what had been started is stopped.
    pub async fn start(mut self) -> Result<RunningHost, HostError> {
        let settings = run::given_settings(self.settings.take())?;
        run::start(self, settings, std::future::pending()).await
    }

    /// Runs the service until SIGTERM or ctrl-c, and to the end of its drain.
    ///
    /// A second signal ends the process at once, with exit code 130. When it returns, `main` still waits for
    /// blocking tasks (`spawn_blocking`) that are running, as every tokio program does; who cannot bound them
    /// ends its runtime with `shutdown_timeout`.
    /// `--help`, `--print-config` and
    /// `--check-config` print and end the process.
    ///
    /// # Errors
    ///
    /// [`HostError`]; return it from `main`, which prints it for people.
    pub async fn run(self) -> Result<(), HostError> {
        run::run(self).await
    }

    pub(super) fn layers(&self) -> Result<Layers, HostError> {
        Ok(Layers {
            trace: self.trace,
            metrics: HttpMetricsLayer::new(&self.metrics)?,
        })
    }
}

impl fmt::Debug for ServiceHostBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHostBuilder")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("settings", &self.settings)
            .field("has_routes", &self.routes.is_some())
            .finish_non_exhaustive()
    }
}

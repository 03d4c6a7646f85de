//! The settings of a host, as they are written and as they are used.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    config::{Config, Problems, duration, size},
    server::{DrainPlan, Limits},
    telemetry::{LogConfig, TelemetryError, TelemetrySetup, otlp::OtlpConfig},
};

/// What can be configured of every service; the tables of the file.
///
/// ```
/// use msf_core::{config::Loader, host::HostConfig};
///
/// let loader = Loader::new()
///     .file_text("orders.toml", "[server]\nbind = \"127.0.0.1:8081\"\nbody_limit = \"16MiB\"")
///     .env([("MSF__DRAIN__TIMEOUT", "10s")]);
/// let loaded = loader.load::<HostConfig>()?.into_loaded().expect("no --help");
///
/// assert_eq!(loaded.settings.bind().port(), 8081);
/// # Ok::<(), msf_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HostConfig {
    /// Where and with which limits the service listens.
    pub server: ServerConfig,
    /// How it ends.
    pub drain: DrainConfig,
    /// What it logs.
    pub log: LogConfig,
    /// Where it sends traces (needs the feature `otlp`).
    pub otlp: OtlpConfig,
}

/// Where and with which limits a service listens. The limits are those of
/// [`Limits`](crate::server::Limits), which explains the defaults.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one. Default `127.0.0.1:8080`: what is not meant for the
    /// network is not on it. In a container, `0.0.0.0:8080`.
    pub bind: String,
    /// Threads with a runtime and an accept loop of their own; 0 (the default) serves on the runtime
    /// that called `run`.
    pub workers: u16,
    /// See [`Limits::connections_max`].
    pub connections_max: u32,
    /// See [`Limits::connections_per_address_max`]; 0, the default, is no cap.
    pub connections_per_address_max: u32,
    /// See [`Limits::header_timeout`].
    #[serde(with = "duration")]
    pub header_timeout: Duration,
    /// See [`Limits::idle_timeout`].
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// See [`Limits::body_timeout`].
    #[serde(with = "duration")]
    pub body_timeout: Duration,
    /// See [`Limits::body_rate_min`]; bytes per second.
    #[serde(with = "size")]
    pub body_rate_min: usize,
    /// See [`Limits::body_rate_window`].
    #[serde(with = "duration")]
    pub body_rate_window: Duration,
    /// See [`Limits::write_timeout`].
    #[serde(with = "duration")]
    pub write_timeout: Duration,
    /// See [`Limits::header_limit`].
    #[serde(with = "size")]
    pub header_limit: usize,
    /// See [`Limits::body_limit`].
    #[serde(with = "size")]
    pub body_limit: usize,
    /// See [`Limits::http2_streams_max`].
    pub http2_streams_max: u32,
    /// See [`Limits::http2_resets_max`].
    pub http2_resets_max: u32,
}

/// How a service ends; see [`DrainPlan`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DrainConfig {
    /// Time between failing readiness and closing the listener. Unset, it is 5 s in Kubernetes, which
    /// removes endpoints while it sends SIGTERM, and 0 elsewhere.
    #[serde(with = "duration::option")]
    pub delay: Option<Duration>,
    /// Time for requests in flight after that. Default 15 s: with the delay (5 s), the drain hooks (at
    /// most 5 s) and the flush of logs and traces (at most 2 s) less than the 30 s after which Kubernetes
    /// kills.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

/// The settings of a host, checked; made from [`HostConfig`].
#[derive(Clone, Debug)]
pub struct HostSettings {
    pub(super) bind: SocketAddr,
    pub(super) workers: u16,
    pub(super) limits: Limits,
    pub(super) plan: DrainPlan,
    pub(super) log: LogConfig,
    pub(super) otlp: OtlpConfig,
}

impl HostSettings {
    /// Where the service listens.
    #[must_use]
    pub const fn bind(&self) -> SocketAddr {
        self.bind
    }

    /// The limits of its server.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// How it ends.
    #[must_use]
    pub const fn drain_plan(&self) -> DrainPlan {
        self.plan
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            bind: "127.0.0.1:8080".to_owned(),
            workers: 0,
            connections_max: limits.connections_max,
            connections_per_address_max: limits.connections_per_address_max.unwrap_or(0),
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            body_timeout: limits.body_timeout,
            body_rate_min: limits.body_rate_min as usize,
            body_rate_window: limits.body_rate_window,
            write_timeout: limits.write_timeout,
            header_limit: limits.header_limit,
            body_limit: limits.body_limit,
            http2_streams_max: limits.http2_streams_max,
            http2_resets_max: limits.http2_resets_max,
        }
    }
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self {
            delay: None,
            timeout: Duration::from_secs(15),
        }
    }
}

impl Config for HostConfig {
    type Resolved = HostSettings;

    fn resolve(self, problems: &mut Problems<'_>) -> Option<HostSettings> {
        if let Err(error) = TelemetrySetup::new(&self.log).check() {
            problems.report(&key_of("log", &error), error);
        }
        if let Err(error) = super::export::check(&self.otlp) {
            problems.report(&key_of("otlp", &error), error);
        }
        let server = self.server.resolve(&mut problems.nested("server"));
        let plan = self.drain.resolve(&mut problems.nested("drain"));
        let (bind, workers, limits) = server?;
        Some(HostSettings {
            bind,
            workers,
            limits,
            plan: plan?,
            log: self.log,
            otlp: self.otlp,
        })
    }
}

impl ServerConfig {
    fn resolve(self, problems: &mut Problems<'_>) -> Option<(SocketAddr, u16, Limits)> {
        let bind: Option<SocketAddr> = self.bind.parse().ok();
        if bind.is_none() {
            problems.report(
                "bind",
                "expected an address and a port, such as \"127.0.0.1:8080\" or \"[::]:8080\"",
            );
        }
        for (key, value) in [
            ("header_timeout", self.header_timeout),
            ("idle_timeout", self.idle_timeout),
            ("body_timeout", self.body_timeout),
            ("body_rate_window", self.body_rate_window),
            ("write_timeout", self.write_timeout),
        ] {
            check_wait(problems, key, value);
        }
        if self.header_limit < Limits::HEADER_LIMIT_MIN {
            problems.report("header_limit", "must be at least 8KiB");
        }
        for (key, value) in [
            ("connections_max", self.connections_max),
            ("http2_streams_max", self.http2_streams_max),
            ("http2_resets_max", self.http2_resets_max),
        ] {
            if value == 0 {
                problems.report(key, "must be at least 1");
            }
        }
        let rate = u32::try_from(self.body_rate_min).ok();
        if rate.is_none() {
            problems.report("body_rate_min", "must be below 4GiB");
        }
        let limits = Limits::default()
            .connections_max(self.connections_max)
            .connections_per_address_max(self.connections_per_address_max)
            .header_timeout(self.header_timeout)
            .idle_timeout(self.idle_timeout)
            .body_timeout(self.body_timeout)
            .body_rate_min(rate.unwrap_or_default())
            .body_rate_window(self.body_rate_window)
            .write_timeout(self.write_timeout)
            .header_limit(self.header_limit)
            .body_limit(self.body_limit)
            .http2_streams_max(self.http2_streams_max)
            .http2_resets_max(self.http2_resets_max);
        Some((bind?, self.workers, limits))
    }
}

impl DrainConfig {
    fn resolve(self, problems: &mut Problems<'_>) -> Option<DrainPlan> {
        if self.delay.is_some_and(|delay| delay > WAIT_MAX) {
            problems.report("delay", "must be at most 1h");
        }
        if self.timeout > WAIT_MAX {
            problems.report("timeout", "must be at most 1h");
        }
        Some(DrainPlan::new(
            self.delay.unwrap_or_else(usual_delay),
            self.timeout,
        ))
    }
}

/// The key that an error of telemetry is about.
fn key_of(table: &str, error: &TelemetryError) -> String {
    let key = match error {
        TelemetryError::InvalidLevel(_) => "level",
        TelemetryError::InvalidEndpoint { .. } => "endpoint",
        TelemetryError::InvalidSetting { key, .. } => key,
        _ => return table.to_owned(),
    };
    format!("{table}.{key}")
}

/// Kubernetes sets this variable in every container.
fn usual_delay() -> Duration {
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        Duration::from_secs(5)
    } else {
        Duration::ZERO
    }
}

fn check_wait(problems: &mut Problems<'_>, key: &str, wait: Duration) {
    if wait.is_zero() || wait > WAIT_MAX {
        problems.report(key, "must be more than zero and at most 1h");
    }
}

/// A connection or a drain that waits longer is a leak with a limit.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

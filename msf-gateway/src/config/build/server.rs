//! Who listens.

use std::{net::SocketAddr, time::Duration};

use msf_client::transport::{Connections, ConnectionsBuilder};
#[cfg(feature = "tls")]
use msf_core::server::Tls;
use msf_core::server::{DrainPlan, Limits};

use super::{listeners, report::Report};
use crate::{
    access_log::AccessLog,
    admin::Admin,
    config::{ConfigErrors, ConnectionsConfig, GatewayConfig, ListenerConfig, ListenerLimits},
    gateway::Gateway,
    listener::GatewayListener,
    server::GatewayServer,
};

/// Looks at the settings alone.
pub(super) fn check(config: &GatewayConfig, report: &mut Report) {
    if config.workers == Some(0) {
        report.at("workers", "must be 1 or more");
    }
    for (place, listener) in config.listeners.iter().enumerate() {
        let at = format!("listeners[{place}]");
        let is_taken = |other: &ListenerConfig| other.bind == listener.bind;
        if let Some(bind) = listener.bind.filter(|bind| bind.port() != 0)
            && config.listeners.iter().take(place).any(is_taken)
        {
            report.at(
                format!("{at}.bind"),
                format_args!("another listener is at {bind}"),
            );
        }
        listeners::check(listener, &at, report);
        if listener.bind.is_none() {
            report.hint(format!("{at}.bind"), "must be set", "as \"0.0.0.0:8080\"");
        }
    }
    if let Some(admin) = &config.admin {
        let is_taken = |bind: &SocketAddr| {
            bind.port() != 0 && config.listeners.iter().any(|it| it.bind == Some(*bind))
        };
        if let Some(bind) = admin.bind.filter(is_taken) {
            report.at("admin.bind", format_args!("a listener is at {bind}"));
        }
        match (admin.bind, &admin.token) {
            (None, _) => report.hint("admin.bind", "must be set", "as \"127.0.0.1:9901\""),
            (Some(bind), None) if !bind.ip().is_loopback() => report.hint(
                "admin.token",
                "must be set where others than this machine can reach the address",
                "as \"env:ADMIN_TOKEN\"",
            ),
            (Some(_), Some(token)) if token.secret().expose().len() < Admin::TOKEN_LEN_MIN => {
                report.at(
                    "admin.token",
                    format_args!("must have {} characters or more", Admin::TOKEN_LEN_MIN),
                );
            }
            _ => {}
        }
    }
    let connections = &config.connections;
    if connections
        .body_timeout
        .is_some_and(|it| it.get().is_zero())
    {
        report.at("connections.body_timeout", "must be above zero");
    }
    if connections.streams_max == Some(0) {
        report.at("connections.streams_max", "must be 1 or more");
    }
    access_log(config, report);
}

/// Nothing is opened yet.
pub(super) fn access_log(config: &GatewayConfig, report: &mut Report) -> Option<AccessLog> {
    let settings = config.access_log.as_ref()?;
    let log = match &settings.template {
        None => AccessLog::json(),
        Some(template) => report.check("access_log.template", AccessLog::template(template))?,
    };
    let log = match &settings.file {
        Some(path) => log.file(path),
        None => log,
    };
    let log = match settings.capacity {
        Some(records) => log.capacity(records),
        None => log,
    };
    for (key, value) in [
        ("capacity", settings.capacity),
        ("sample", settings.sample.map(|every| every as usize)),
    ] {
        if value == Some(0) {
            report.at(format!("access_log.{key}"), "must be 1 or more");
        }
    }
    Some(match settings.sample {
        Some(every) => log.sample(every),
        None => log,
    })
}

impl GatewayConfig {
    /// Serves a gateway as the file says: addresses, certificates, workers, limits, the admin listener, and how it ends.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] when there is no listener, or with what is wrong with the files of certificates.
    pub fn server(&self, gateway: Gateway) -> Result<GatewayServer, ConfigErrors> {
        let mut report = Report::default();
        let mut listeners = Vec::with_capacity(self.listeners.len());
        for (place, config) in self.listeners.iter().enumerate() {
            let at = format!("listeners[{place}]");
            // What is left out was told of when the file was read.
            let Some(bind) = config.bind else { continue };
            let mut listener = GatewayListener::new(bind).limits(limits(&config.limits));
            if let Some(expected) = listeners::proxy_protocol(config, &at, &mut report) {
                listener = listener.proxy_protocol(expected);
            }
            #[cfg(feature = "tls")]
            if let Some(tls) = listeners::tls(config, &at, &mut report) {
                listener = listener.tls(tls);
            }
            listeners.push(listener);
        }
        let mut listeners = listeners.into_iter();
        let Some(first) = listeners.next() else {
            report.hint(
                "listeners",
                "there is none",
                "add [[listeners]] with `bind`",
            );
            return Err(ConfigErrors::new(report.into_problems()));
        };
        if report.len() > 0 {
            return Err(ConfigErrors::new(report.into_problems()));
        }
        let connections = match connections(&self.connections) {
            Some(connections) => match connections.metrics(gateway.metrics()) {
                Ok(connections) => Some(connections),
                Err(error) => return Err(ConfigErrors::one(error)),
            },
            None => None,
        };
        let mut server = listeners.fold(gateway.serve_at(first), GatewayServer::listener);
        if let Some(connections) = connections {
            server = server.connections(connections);
        }
        if let Some(workers) = self.workers {
            server = server.workers(workers);
        }
        let (delay, timeout) = (self.drain.delay, self.drain.timeout);
        if delay.is_some() || timeout.is_some() {
            let delay = delay.map_or(Duration::ZERO, |delay| delay.get());
            let timeout = timeout.map_or(DRAIN_TIMEOUT, |timeout| timeout.get());
            server = server.drain_plan(DrainPlan::new(delay, timeout));
        }
        Ok(match self.admin() {
            Some(admin) => server.admin(admin),
            None => server,
        })
    }

    /// The certificates of the listener at this place, read.
    #[cfg(feature = "tls")]
    pub(crate) fn certificates(&self, place: usize) -> Result<Option<Tls>, ConfigErrors> {
        let Some(listener) = self.listeners.get(place) else {
            return Ok(None);
        };
        let mut report = Report::default();
        let tls = listeners::tls(listener, &format!("listeners[{place}]"), &mut report);
        if report.len() > 0 {
            return Err(ConfigErrors::new(report.into_problems()));
        }
        Ok(tls)
    }

    /// The admin listener as the file says; `/config` shows the file without its secrets.
    #[must_use]
    pub fn admin(&self) -> Option<Admin> {
        let settings = self.admin.as_ref()?;
        let mut admin = Admin::new(settings.bind?);
        if let Some(token) = &settings.token {
            admin = admin.token(token.secret().clone());
        }
        let document = serde_json::to_value(self).unwrap_or_default();
        Some(admin.config(move || document.clone()))
    }
}

/// `None` where nothing is said, which leaves it to the server.
fn connections(config: &ConnectionsConfig) -> Option<ConnectionsBuilder> {
    if *config == ConnectionsConfig::default() {
        return None;
    }
    let mut connections = Connections::builder();
    if let Some(timeout) = config.body_timeout {
        connections = connections.body_timeout(timeout.get());
    }
    if let Some(bytes) = config.header_limit {
        connections = connections.header_limit(bytes.get());
    }
    if let Some(streams) = config.streams_max {
        connections = connections.streams_max(streams);
    }
    Some(connections)
}

fn limits(config: &ListenerLimits) -> Limits {
    let mut limits = Limits::default();
    if let Some(connections) = config.connections_max {
        limits = limits.connections_max(connections);
    }
    if let Some(connections) = config.connections_per_address_max {
        limits = limits.connections_per_address_max(connections);
    }
    if let Some(timeout) = config.header_timeout {
        limits = limits.header_timeout(timeout.get());
    }
    if let Some(timeout) = config.idle_timeout {
        limits = limits.idle_timeout(timeout.get());
    }
    if let Some(timeout) = config.body_timeout {
        limits = limits.body_timeout(timeout.get());
    }
    if let Some(rate) = config.body_rate_min {
        limits = limits.body_rate_min(rate);
    }
    if let Some(window) = config.body_rate_window {
        limits = limits.body_rate_window(window.get());
    }
    if let Some(timeout) = config.write_timeout {
        limits = limits.write_timeout(timeout.get());
    }
    if let Some(bytes) = config.header_limit {
        limits = limits.header_limit(bytes.get());
    }
    if let Some(streams) = config.http2_streams_max {
        limits = limits.http2_streams_max(streams);
    }
    if let Some(resets) = config.http2_resets_max {
        limits = limits.http2_resets_max(resets);
    }
    limits
}

/// The default of [`GatewayServer::drain_plan`].
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

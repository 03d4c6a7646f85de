//! Who listens.

use std::time::Duration;

use msf_core::server::{DrainPlan, Limits};

use super::report::Report;
use crate::{
    access_log::AccessLog,
    admin::Admin,
    config::{ConfigErrors, GatewayConfig, ListenerLimits},
    gateway::Gateway,
    server::GatewayServer,
};

/// Looks at the settings alone.
pub(super) fn check(config: &GatewayConfig, report: &mut Report) {
    if config.workers == Some(0) {
        report.at("workers", "must be 1 or more");
    }
    for (place, listener) in config.listeners.iter().enumerate() {
        let at = format!("listeners[{place}]");
        if place > 0 {
            report.hint(
                &at,
                "a second listener is not supported yet",
                "one gateway listens at one address",
            );
        }
        if listener.bind.is_none() {
            report.hint(format!("{at}.bind"), "must be set", "as \"0.0.0.0:8080\"");
        }
    }
    if let Some(admin) = &config.admin {
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
    access_log(config, report);
}

/// Nothing is opened yet.
pub(super) fn access_log(config: &GatewayConfig, report: &mut Report) -> Option<AccessLog> {
    let settings = config.access_log.as_ref()?;
    let log = match &settings.template {
        None => AccessLog::json(),
        Some(template) => report.check("access_log.template", AccessLog::template(template))?,
    };
    Some(match &settings.file {
        Some(path) => log.file(path),
        None => log,
    })
}

impl GatewayConfig {
    /// Serves a gateway as the file says: address, workers, limits, the admin listener, and how it ends.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] when there is no listener.
    pub fn server(&self, gateway: Gateway) -> Result<GatewayServer, ConfigErrors> {
        let mut report = Report::default();
        let listener = self.listeners.first();
        let Some((listener, bind)) = listener.and_then(|it| Some((it, it.bind?))) else {
            report.hint(
                "listeners",
                "there is none",
                "add [[listeners]] with `bind`",
            );
            return Err(ConfigErrors::new(report.into_problems()));
        };
        let mut server = gateway.server(bind).limits(limits(&listener.limits));
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

fn limits(config: &ListenerLimits) -> Limits {
    let mut limits = Limits::default();
    if let Some(connections) = config.connections_max {
        limits = limits.connections_max(connections);
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
    if let Some(timeout) = config.write_timeout {
        limits = limits.write_timeout(timeout.get());
    }
    if let Some(bytes) = config.header_limit {
        limits = limits.header_limit(bytes.get());
    }
    if let Some(streams) = config.http2_streams_max {
        limits = limits.http2_streams_max(streams);
    }
    limits
}

/// The default of [`GatewayServer::drain_plan`].
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

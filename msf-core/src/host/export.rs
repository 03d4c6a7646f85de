//! Trace export, in a build that can do it.

use crate::telemetry::{
    TelemetryError, TelemetrySetup,
    otlp::{OtlpConfig, ServiceIdentity},
};

pub(super) fn check(config: &OtlpConfig) -> Result<(), TelemetryError> {
    config.check()
}

pub(super) fn add(
    setup: TelemetrySetup,
    config: &OtlpConfig,
    service: &ServiceIdentity,
) -> Result<TelemetrySetup, TelemetryError> {
    setup.otlp(config, service)
}

//! Trace export, in a build that cannot do it: asking for it is an error, not silence.

use crate::telemetry::{
    TelemetryError, TelemetrySetup,
    otlp::{OtlpConfig, ServiceIdentity},
};

pub(super) fn check(config: &OtlpConfig) -> Result<(), TelemetryError> {
    if config.endpoint.is_some() {
        return Err(TelemetryError::InvalidSetting {
            key: "endpoint",
            reason: "this program was built without the feature `otlp` of msf-core",
        });
    }
    config.check()
}

pub(super) fn add(
    setup: TelemetrySetup,
    config: &OtlpConfig,
    _service: &ServiceIdentity,
) -> Result<TelemetrySetup, TelemetryError> {
    check(config).map(|()| setup)
}

//! What an operator writes about traces, and what of it is refused.

use std::time::Duration;

use http::Uri;
use serde::{Deserialize, Serialize};

use crate::{config::duration, telemetry::TelemetryError};

/// Export settings, as found in a configuration file.
///
/// Every field has a default, so an empty table is complete: it exports nothing. An unknown key
/// is an error. Durations are written like `500ms` or `5s`.
///
/// | key | default | why |
/// |---|---|---|
/// | `endpoint` | none | nothing leaves the process unless asked |
/// | `sample_ratio` | 1.0 | a small system wants every trace; a large one lowers it everywhere at once |
/// | `timeout` | `5s` | per batch; a collector nearby answers in milliseconds |
/// | `interval` | `2s` | how old a span can get before it is sent |
/// | `queue_spans` | 4096 | 0.4 s at 10 000 spans a second, some 4 MiB |
/// | `root_spans` | false | start-up and background spans have no request to belong to |
///
/// ```
/// use msf_core::telemetry::otlp::OtlpConfig;
///
/// let otlp: OtlpConfig = toml::from_str("endpoint = 'http://127.0.0.1:4318'\ntimeout = '2s'")?;
/// assert_eq!(otlp.timeout.as_secs(), 2);
/// assert_eq!(OtlpConfig::default().endpoint, None);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OtlpConfig {
    /// The collector, such as `http://127.0.0.1:4318`; `/v1/traces` is appended unless it is
    /// there. None: no export.
    pub endpoint: Option<String>,
    /// The share of traces to export, from 0.0 to 1.0.
    pub sample_ratio: f64,
    /// How long one batch may take.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How long a finished span waits for others at most.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// How many finished spans may wait; beyond that they are dropped and counted. From 1 to
    /// 1048576.
    pub queue_spans: usize,
    /// Whether a span outside any trace starts one.
    pub root_spans: bool,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            sample_ratio: 1.0,
            timeout: Duration::from_secs(5),
            interval: Duration::from_secs(2),
            queue_spans: 4096,
            root_spans: false,
        }
    }
}

impl OtlpConfig {
    /// Checks the endpoint and the ranges of everything else.
    pub(crate) fn check(&self) -> Result<(), TelemetryError> {
        if let Some(endpoint) = &self.endpoint {
            traces_url(endpoint)?;
        }
        let invalid = |key, reason| Err(TelemetryError::InvalidSetting { key, reason });
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return invalid("sample_ratio", "it must be from 0.0 to 1.0");
        }
        if self.timeout.is_zero() || self.timeout > MAX_WAIT {
            return invalid("timeout", "it must be above 0 and at most 1min");
        }
        if self.interval.is_zero() || self.interval > MAX_WAIT {
            return invalid("interval", "it must be above 0 and at most 1min");
        }
        if self.queue_spans == 0 || self.queue_spans > MAX_QUEUE_SPANS {
            return invalid("queue_spans", "it must be from 1 to 1048576");
        }
        Ok(())
    }
}

/// The URL that traces are posted to.
pub(super) fn traces_url(endpoint: &str) -> Result<String, TelemetryError> {
    let invalid = |reason| TelemetryError::InvalidEndpoint {
        // Whoever wrote credentials into the URL does not want them in a log.
        endpoint: match endpoint.rsplit_once('@') {
            Some((_, rest)) => format!("…@{rest}"),
            None => endpoint.to_owned(),
        },
        reason,
    };
    let uri: Uri = endpoint
        .trim()
        .parse()
        .map_err(|_| invalid("it is not a URL"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(invalid(
                "TLS is not supported; use a collector nearby, over http",
            ));
        }
        Some(_) => return Err(invalid("the scheme must be http")),
        None => return Err(invalid("it must start with http://")),
    }
    let authority = uri.authority().ok_or_else(|| invalid("it has no host"))?;
    if authority.as_str().contains('@') {
        return Err(invalid("it must not carry credentials"));
    }
    if uri.query().is_some() {
        return Err(invalid("it must not have a query"));
    }
    let path = uri.path().trim_end_matches('/');
    let path = path.strip_suffix(TRACES_PATH).unwrap_or(path);
    Ok(format!("http://{authority}{path}{TRACES_PATH}"))
}

/// Who the spans come from: the OpenTelemetry resource.
///
/// ```
/// use msf_core::telemetry::otlp::ServiceIdentity;
///
/// let service = ServiceIdentity::new("orders").version("1.4.0").instance("orders-7f9c");
/// assert_eq!(format!("{service:?}").matches("orders").count(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ServiceIdentity {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) instance: Option<String>,
}

impl ServiceIdentity {
    /// Names the service: `service.name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: None,
            instance: None,
        }
    }

    /// The version that runs: `service.version`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// This one of several instances: `service.instance.id`.
    pub fn instance(mut self, id: impl Into<String>) -> Self {
        self.instance = Some(id.into());
        self
    }
}

const TRACES_PATH: &str = "/v1/traces";

/// A batch or an interval of more than a minute is a mistake in the unit.
const MAX_WAIT: Duration = Duration::from_secs(60);

const MAX_QUEUE_SPANS: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traces_path_is_added_once() {
        for endpoint in [
            "http://collector:4318",
            "http://collector:4318/",
            " http://collector:4318/v1/traces/ ",
        ] {
            assert_eq!(
                traces_url(endpoint).unwrap(),
                "http://collector:4318/v1/traces"
            );
        }
        assert_eq!(
            traces_url("http://[::1]:4318/otel").unwrap(),
            "http://[::1]:4318/otel/v1/traces"
        );
    }

    #[test]
    fn a_bad_endpoint_is_named_with_its_fault() {
        let message = |endpoint| traces_url(endpoint).unwrap_err().to_string();
        assert_eq!(
            message("127.0.0.1:4318"),
            "invalid OTLP endpoint `127.0.0.1:4318`: it must start with http://"
        );
        assert!(message("grpc://a:4317").ends_with("the scheme must be http"));
        assert!(message("https://a:4318").contains("TLS is not supported"));
        assert!(message("http://a b").ends_with("it is not a URL"));
        assert!(message("http://a/?token=1").ends_with("a query"));
        let credentials = message("http://me:secret@a:4318");
        assert!(credentials.ends_with("credentials") && !credentials.contains("secret"));
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let checked = |change: fn(&mut OtlpConfig)| {
            let mut config = OtlpConfig::default();
            change(&mut config);
            config.check().map_err(|error| error.to_string())
        };
        assert_eq!(checked(|_| ()), Ok(()));
        assert_eq!(
            checked(|c| c.sample_ratio = f64::NAN),
            Err("invalid `sample_ratio`: it must be from 0.0 to 1.0".to_owned())
        );
        assert!(checked(|c| c.timeout = Duration::ZERO).is_err());
        assert!(checked(|c| c.interval = Duration::MAX).is_err());
        assert!(checked(|c| c.queue_spans = 0).is_err());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let config = OtlpConfig {
            endpoint: Some("http://a:4318".to_owned()),
            timeout: Duration::from_millis(1500),
            ..OtlpConfig::default()
        };
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<OtlpConfig>(&text).unwrap(), config);
    }
}

//! What a check is and how it is declared.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::error::CheckError;
use crate::BoxError;

/// Something that a service needs and that can be asked whether it works.
///
/// Closures are checks: `|| async { .. }` returning `Result<(), E>`. Of an `E` that is a
/// [`CheckError`] the message is shown to probes; any other error goes to the log only.
///
/// ```
/// use msf_core::health::{CheckError, HealthCheck};
///
/// struct Disk;
///
/// #[async_trait::async_trait]
/// impl HealthCheck for Disk {
///     async fn check(&self) -> Result<(), CheckError> {
///         Err(CheckError::new("less than 5 % free"))
///     }
/// }
/// ```
///
/// # Cancel safety
///
/// The future of `check` is dropped when it times out and when every probe that waits for it is
/// gone. It may be polled by different tasks before that.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a health check",
    label = "not a health check",
    note = "pass a closure such as `|| async {{ Ok::<(), BoxError>(()) }}`, or implement `HealthCheck`",
    note = "a closure's future must be `Send`, and its error convertible into `msf_core::BoxError`"
)]
#[async_trait]
pub trait HealthCheck: Send + Sync + 'static {
    /// Asks once. Timeout, caching and single flight are around it already.
    async fn check(&self) -> Result<(), CheckError>;
}

#[async_trait]
impl<F, Fut, E> HealthCheck for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send,
    E: Into<BoxError>,
{
    async fn check(&self) -> Result<(), CheckError> {
        self()
            .await
            .map_err(|error| CheckError::from_boxed(error.into()))
    }
}

/// What a failing check does to readiness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a check counts or it does not")]
pub enum Severity {
    /// The service cannot work without it: failing makes it not ready.
    #[default]
    Hard,
    /// The service works worse without it: failing is reported as `warn`.
    Soft,
}

/// A check with its name and its limits.
///
/// ```
/// use std::time::Duration;
///
/// use msf_core::BoxError;
/// use msf_core::health::{Check, Health};
///
/// let health = Health::new("orders");
/// health.add(Check::new("db", || async { Ok::<(), BoxError>(()) }).component_type("datastore"))?;
/// health.add(
///     Check::new("cache", || async { Err("connection refused") })
///         .soft()
///         .timeout(Duration::from_millis(200)),
/// )?;
/// # Ok::<(), msf_core::health::AddCheckError>(())
/// ```
#[derive(Clone)]
#[must_use = "a check does nothing until it is added to a `Health`"]
pub struct Check {
    pub(super) name: Arc<str>,
    pub(super) check: Arc<dyn HealthCheck>,
    pub(super) severity: Severity,
    pub(super) timeout: Duration,
    pub(super) cache: Duration,
    pub(super) component_type: Option<Arc<str>>,
}

impl Check {
    /// A hard check with a timeout of one second whose results hold for one second.
    pub fn new(name: impl Into<Arc<str>>, check: impl HealthCheck) -> Self {
        Self {
            name: name.into(),
            check: Arc::new(check),
            severity: Severity::Hard,
            timeout: Duration::from_secs(1),
            cache: Duration::from_secs(1),
            component_type: None,
        }
    }

    /// Failing is reported as `warn` and leaves the service ready.
    pub fn soft(mut self) -> Self {
        self.severity = Severity::Soft;
        self
    }

    /// How long a run may take before it counts as failed; one second by default.
    ///
    /// Keep it below the timeout of whoever probes: Kubernetes waits one second by default, and a
    /// probe that gives up never learns which check was slow.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a result is given to further probes; one second by default, zero to ask each time.
    ///
    /// This, not the rate of probes, decides how often the dependency is asked.
    pub fn cache(mut self, cache: Duration) -> Self {
        self.cache = cache;
        self
    }

    /// `componentType` in the JSON: `component`, `datastore`, `system` or a word of your own.
    pub fn component_type(mut self, component_type: impl Into<Arc<str>>) -> Self {
        self.component_type = Some(component_type.into());
        self
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.name)
            .field("severity", &self.severity)
            .field("timeout", &self.timeout)
            .field("cache", &self.cache)
            .field("component_type", &self.component_type)
            .finish_non_exhaustive()
    }
}

//! One check of one instance.

use async_trait::async_trait;
use msf_core::BoxError;
use reqwest::Client;

use crate::model::{HealthCheck, Instance};

/// Finds out whether an instance works.
///
/// ```
/// use msf_registry::{Instance, health::{Probe, ProbeFailed}};
///
/// struct Never;
///
/// #[async_trait::async_trait]
/// impl Probe for Never {
///     async fn probe(&self, _: &Instance) -> Result<(), ProbeFailed> {
///         Err(ProbeFailed::new("never works"))
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot check instances",
    note = "use `msf_registry::health::HttpProbe`, or implement `msf_registry::health::Probe`"
)]
pub trait Probe: Send + Sync + 'static {
    /// Checks the instance once. It is dropped when it takes longer than the checker's timeout.
    async fn probe(&self, instance: &Instance) -> Result<(), ProbeFailed>;
}

/// The instance did not show that it works.
#[derive(Debug, thiserror::Error)]
#[error("the check failed")]
pub struct ProbeFailed(#[source] BoxError);

/// `GET` on the health path, over plain HTTP; passes on 2xx.
///
/// It asks over plain HTTP whatever the [scheme](crate::Scheme) of the instance is: one that speaks only HTTPS
/// fails, and needs another [`Probe`] or no health path.
///
/// ```
/// use msf_registry::health::HttpProbe;
///
/// let probe = HttpProbe::new()?;
/// # drop(probe);
/// # Ok::<(), msf_registry::health::ProbeFailed>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpProbe {
    client: Client,
}

impl ProbeFailed {
    /// A failed check and why, for the log.
    #[must_use]
    pub fn new(cause: impl Into<BoxError>) -> Self {
        Self(cause.into())
    }
}

impl HttpProbe {
    /// A probe that connects anew for each check: what has to work is what a new caller meets.
    ///
    /// # Errors
    ///
    /// [`ProbeFailed`] when the HTTP client cannot be made.
    pub fn new() -> Result<Self, ProbeFailed> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .map_err(ProbeFailed::new)?;
        Ok(Self { client })
    }
}

#[async_trait]
impl Probe for HttpProbe {
    async fn probe(&self, instance: &Instance) -> Result<(), ProbeFailed> {
        let Some(HealthCheck::Http { at, path }) = &instance.health_check else {
            return Err(ProbeFailed::new("it asks for another kind of check"));
        };
        let url = format!("http://{}{path}", at.unwrap_or_else(|| instance.addr()));
        let response = self
            .client
            .get(url)
            .send()
            .await
            .map_err(ProbeFailed::new)?;
        // The body is not read: the status is the answer, and its length is the instance's to choose.
        let status = response.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(ProbeFailed::new(format!("status {status}")))
        }
    }
}

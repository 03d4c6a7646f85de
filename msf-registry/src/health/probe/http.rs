//! A check by HTTP.

use async_trait::async_trait;
use http::StatusCode;
use reqwest::Client;

use super::{Probe, ProbeFailed, asked};
use crate::model::{HealthCheck, Instance};

/// `GET` on the path of the check, over plain HTTP; passes on 2xx. A 503 is a
/// [refusal](ProbeFailed::refusal): the instance says that it is not ready.
///
/// It asks over plain HTTP whatever the [scheme](crate::Scheme) of the instance is: one that speaks only HTTPS
/// needs another [`Probe`], a check at a plain port, or none. It connects anew for each check, follows no
/// redirect, uses no proxy and sends no credentials.
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

impl HttpProbe {
    /// A probe that connects anew for each check: what has to work is what a new caller meets.
    ///
    /// # Errors
    ///
    /// [`ProbeFailed`] when the HTTP client cannot be made.
    pub fn new() -> Result<Self, ProbeFailed> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            // A redirect is an address that nobody has looked at.
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
        let Some(HealthCheck::Http { path, .. }) = &instance.health_check else {
            return Err(ProbeFailed::wrong_kind());
        };
        let url = format!("http://{}{path}", asked(instance));
        let response = self
            .client
            .get(url)
            .send()
            .await
            .map_err(ProbeFailed::new)?;
        // The body is not read: the status is the answer, and its length is the instance's to choose.
        match response.status() {
            status if status.is_success() => Ok(()),
            status @ StatusCode::SERVICE_UNAVAILABLE => {
                Err(ProbeFailed::refusal(format!("status {status}")))
            }
            status => Err(ProbeFailed::new(format!("status {status}"))),
        }
    }

    fn kind(&self, _: &Instance) -> &'static str {
        "http"
    }
}

pub(super) const USER_AGENT: &str = concat!("msf-health-check/", env!("CARGO_PKG_VERSION"));

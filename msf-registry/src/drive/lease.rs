//! Keeps one instance registered until it is told to stop.

use std::{sync::Arc, time::Duration};

use msf_core::backoff::{Backoff, InvalidBackoff};
use tokio::{
    sync::{oneshot, watch},
    time::{sleep, timeout},
};

use crate::{
    backend::ServiceRegistry,
    error::RegistryError,
    metrics::Renewals,
    model::{Instance, Lease, Renewal},
    registry::NotRegistered,
};

use super::Standing;

/// Registers, renews, registers again when the registry has forgotten, and deregisters at the end.
pub(crate) struct LeaseDriver {
    pub(crate) backend: Arc<dyn ServiceRegistry>,
    pub(crate) instance: Instance,
    pub(crate) ttl: Duration,
    pub(crate) standing: watch::Sender<Standing>,
    pub(crate) renewals: Renewals,
    pub(crate) stop: oneshot::Receiver<()>,
}

impl LeaseDriver {
    /// Runs until it is told to stop; then deregisters, and gives what came of that.
    pub(crate) async fn run(mut self) -> Result<(), RegistryError> {
        loop {
            // The end is noticed between calls, never within one: a registration that is under way
            // must be known, or it could not be ended.
            let Some(lease) = self.register().await else {
                return Ok(());
            };
            match self.keep(&lease).await {
                Kept::Lost => {}
                Kept::Stopped => return self.deregister(&lease).await,
            }
        }
    }

    /// Tries until it succeeds; `None` when it is told to stop before that.
    async fn register(&mut self) -> Option<Lease> {
        let mut delays = backoff(self.ttl).map(Backoff::delays).ok()?;
        loop {
            match limited(self.ttl, self.backend.put(&self.instance, self.ttl)).await {
                Ok(lease) => {
                    self.renewals.registered.inc();
                    self.standing.send_replace(Standing::Registered);
                    tracing::info!(
                        service = %self.instance.service,
                        instance = %self.instance.id,
                        addr = %self.instance.addr(),
                        "registered"
                    );
                    return Some(lease);
                }
                Err(error) => self.failed(error, delays.attempts() == 0),
            }
            tokio::select! {
                () = sleep(delays.next_delay()) => {}
                _told = &mut self.stop => return None,
            }
        }
    }

    /// Renews until the lease is lost or it is told to stop.
    async fn keep(&mut self, lease: &Lease) -> Kept {
        let mut ttl = self.granted(lease.ttl());
        let Ok(backoff) = backoff(ttl) else {
            return Kept::Lost;
        };
        let mut delays = backoff.delays();
        let mut wait = jittered(ttl / 3);
        loop {
            tokio::select! {
                () = sleep(wait) => {}
                _told = &mut self.stop => return Kept::Stopped,
            }
            match limited(ttl, self.backend.renew(lease)).await {
                Ok(Renewal::Renewed { ttl: granted }) => {
                    self.renewals.ok.inc();
                    delays.reset();
                    ttl = self.granted(granted);
                    wait = jittered(ttl / 3);
                }
                Ok(Renewal::Gone) => {
                    self.renewals.gone.inc();
                    tracing::warn!(
                        service = %self.instance.service,
                        instance = %self.instance.id,
                        "the registry has forgotten this instance; it registers again"
                    );
                    return Kept::Lost;
                }
                Err(error) => {
                    self.failed(error, delays.attempts() == 0);
                    wait = delays.next_delay();
                }
            }
        }
    }

    /// A registry may grant less than was asked for. What is not a time to live must neither keep this
    /// loop busy nor end its renewals.
    fn granted(&self, ttl: Duration) -> Duration {
        ttl.clamp(TTL_MIN, self.ttl.max(TTL_MIN))
    }

    async fn deregister(&self, lease: &Lease) -> Result<(), RegistryError> {
        let ended = limited(self.ttl, self.backend.remove(lease)).await;
        tracing::info!(
            service = %self.instance.service,
            instance = %self.instance.id,
            ok = ended.is_ok(),
            "deregistered"
        );
        ended
    }

    fn failed(&self, error: RegistryError, is_first: bool) {
        self.renewals.error.inc();
        if is_first {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(
                service = %self.instance.service,
                instance = %self.instance.id,
                %error,
                cause,
                "the registry did not take this instance; trying again until it does"
            );
        }
        if error.is_permanent() {
            let refused = Standing::Refused(NotRegistered(Arc::new(error)));
            self.standing.send_if_modified(|standing| {
                let is_news = matches!(standing, Standing::Pending);
                if is_news {
                    *standing = refused;
                }
                is_news
            });
        }
    }
}

enum Kept {
    Lost,
    Stopped,
}

/// A registry that hangs is as good as away. A third of the lease's time leaves enough of it for another try.
async fn limited<T>(
    ttl: Duration,
    call: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, RegistryError> {
    let limit = (ttl / 3).clamp(CALL_MIN, CALL_MAX);
    timeout(limit, call)
        .await
        .unwrap_or(Err(RegistryError::Timeout(limit)))
}

/// From 100 ms to half the time to live, so that a lease survives one or two failures.
fn backoff(ttl: Duration) -> Result<Backoff, InvalidBackoff> {
    Backoff::exponential(BASE, (ttl / 2).clamp(BASE, WAIT_MAX))
}

/// Instances that were started together must not renew together.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.9 + 0.2 * fastrand::f64())
}

const BASE: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(30);
const TTL_MIN: Duration = Duration::from_millis(100);
const CALL_MIN: Duration = Duration::from_secs(1);
const CALL_MAX: Duration = Duration::from_secs(10);

//! The limiter: names and clocks around the ledger.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use msf_core::{
    clock::{Epoch, WallClock},
    config::Secret,
    metrics::Metrics,
};
use thiserror::Error;

use super::{
    Admission, Attempt, InvalidLoginLimits, LimitedBy, LoginLimits,
    attempt::site,
    device::Devices,
    ledger::{Charges, Keys, Ledger},
    metrics::LoginMetrics,
};
use crate::audit::{Audit, Event, Kind};

/// Says who may try to log in. Cloning shares the counters.
///
/// See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct LoginLimiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    epoch: Epoch,
    /// Keyed at random, so that nobody can find two names with one counter.
    hasher: RandomState,
    devices: Devices,
    audit: Audit,
    metrics: LoginMetrics,
}

/// Collects what a [`LoginLimiter`] needs; from [`LoginLimiter::builder`].
#[derive(Debug)]
#[must_use]
pub struct LoginLimiterBuilder {
    limits: LoginLimits,
    device_key: Option<Secret<[u8; 32]>>,
    device_life: Duration,
    clock: WallClock,
    audit: Audit,
    metrics: Option<Metrics>,
}

/// Somebody may not try to log in now.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("too many logins have failed")]
#[non_exhaustive]
pub struct LoginLimited {
    /// What stands in the way. An [account](LimitedBy::Account) must not be told: answer as to a wrong password, after the
    /// same time.
    pub by: LimitedBy,
    /// When the next attempt may be made.
    pub retry_after: Duration,
}

impl LoginLimiter {
    /// Begins with the default limits.
    pub fn builder() -> LoginLimiterBuilder {
        LoginLimiterBuilder {
            limits: LoginLimits::default(),
            device_key: None,
            device_life: DEVICE_LIFE,
            clock: WallClock::system(),
            audit: Audit::log(),
            metrics: None,
        }
    }

    /// Lets an attempt be made.
    ///
    /// It counts as a failure until its [`Admission`] says otherwise, and for ever when that is dropped: who hangs up
    /// before the answer has guessed all the same.
    ///
    /// # Errors
    ///
    /// [`LoginLimited`] when there were too many failures before it.
    pub fn admit(&self, attempt: Attempt<'_>) -> Result<Admission, LoginLimited> {
        let now_ms = self.0.epoch.nanos() / 1_000_000;
        let admitted = self.ledger().admit(self.keys(attempt), now_ms);
        match admitted {
            Ok(charges) => Ok(Admission::new(self.clone(), charges, attempt)),
            Err((by, wait_ms)) => {
                self.0.metrics.limited(by);
                let network = attempt.network.map(|network| network.to_string());
                let event = Event::new(Kind::LoginLimited).reason(by.as_str());
                let subject = attempt.subject;
                self.record(event, subject, network.as_deref());
                Err(LoginLimited {
                    by,
                    retry_after: Duration::from_millis(wait_ms),
                })
            }
        }
    }

    /// What a device is given when it has logged in, to show it at the next [attempt](Attempt::device): send it as a
    /// cookie that is `HttpOnly`, `Secure` and `SameSite=Lax`. `None` when the system has no randomness.
    ///
    /// It lets nobody in. It only keeps the failures of this device apart from those of everybody else.
    #[must_use]
    pub fn device(&self, account: &str) -> Option<Secret<String>> {
        self.0.devices.issue(account)
    }

    pub(super) fn succeeded(&self, charges: Charges) {
        self.ledger().succeed(charges);
        self.0.metrics.succeeded.inc();
    }

    pub(super) fn failed(&self) {
        self.0.metrics.failed.inc();
    }

    pub(super) fn withdrawn(&self, charges: Charges) {
        self.ledger().withdraw(charges);
        self.0.metrics.withdrawn.inc();
    }

    pub(super) fn record<'a>(
        &self,
        mut event: Event<'a>,
        subject: Option<&'a str>,
        network: Option<&'a str>,
    ) {
        if let Some(subject) = subject {
            event = event.subject(subject);
        }
        if let Some(network) = network {
            event = event.network(network);
        }
        self.0.audit.record(&event);
    }

    fn keys(&self, attempt: Attempt<'_>) -> Keys {
        let Attempt {
            account, network, ..
        } = attempt;
        let device = attempt
            .device
            .and_then(|device| self.0.devices.known(account, device));
        let hasher = &self.0.hasher;
        // The numbers keep the kinds apart.
        let site = network.map(|network| hasher.hash_one((5, site(network))));
        match device {
            Some(device) => Keys {
                place: hasher.hash_one((1, account, device)),
                everywhere: None,
                network: network.map(|network| hasher.hash_one((4, network))),
                site,
            },
            None => Keys {
                place: hasher.hash_one((2, account, network)),
                everywhere: Some(hasher.hash_one((3, account))),
                network: network.map(|network| hasher.hash_one((4, network))),
                site,
            },
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Nothing in there panics between two changes that belong together.
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoginLimiterBuilder {
    /// Other limits than the default.
    pub const fn limits(mut self, limits: LoginLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The key of what devices are given, so that they are known after a restart and by every instance of the service.
    /// The default is a random one.
    pub fn device_key(mut self, key: Secret<[u8; 32]>) -> Self {
        self.device_key = Some(key);
        self
    }

    /// How long a device is known; default 90 days.
    pub const fn device_life(mut self, life: Duration) -> Self {
        self.device_life = life;
        self
    }

    /// Where the time of day comes from, for what devices are given.
    pub const fn clock(mut self, clock: WallClock) -> Self {
        self.clock = clock;
        self
    }

    /// Who is told about logins; default the log.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Counts in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The limiter.
    ///
    /// # Errors
    ///
    /// [`InvalidLoginLimits`] for limits that cannot work, when the system has no randomness, and when the metrics could
    /// not be registered.
    pub fn build(self) -> Result<LoginLimiter, InvalidLoginLimits> {
        self.limits.check()?;
        let key = match self.device_key {
            Some(key) => key,
            None => {
                let mut key = [0; 32];
                aws_lc_rs::rand::fill(&mut key).map_err(|_| InvalidLoginLimits::Random)?;
                Secret::new(key)
            }
        };
        let metrics = match &self.metrics {
            Some(metrics) => LoginMetrics::new(metrics)?,
            None => LoginMetrics::noop(),
        };
        Ok(LoginLimiter(Arc::new(Shared {
            ledger: Mutex::new(Ledger::new(&self.limits)),
            epoch: Epoch::new(),
            hasher: RandomState::new(),
            devices: Devices::new(key.expose(), self.clock, self.device_life),
            audit: self.audit,
            metrics,
        })))
    }
}

/// A person who logs in each quarter is still known.
const DEVICE_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

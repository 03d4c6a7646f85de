//! The queue in front of the hashing.

use std::sync::Arc;

use msf_core::{clock, config::Secret, metrics::Metrics};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task, time,
};

use super::{
    InvalidPasswordConfig, PasswordConfig, PasswordError, PasswordHash, PasswordsBuilder,
    hashing::Hashing, metrics::PasswordMetrics,
};

/// Hashes and compares passwords, a bounded number at a time. Cloning shares the bound.
///
/// See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Passwords(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hashing: Arc<Hashing>,
    config: PasswordConfig,
    /// Who runs or waits.
    places: Arc<Semaphore>,
    /// Who runs.
    threads: Arc<Semaphore>,
    metrics: Arc<PasswordMetrics>,
}

/// What a comparison gave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Outcome {
    /// Whether the password is the one.
    pub matches: bool,
    /// The hash to store from now on, when it is and was hashed with other settings. Store it only where the old hash
    /// still is: the user may have changed the password meanwhile. See the [module documentation](super).
    pub rehash: Option<PasswordHash>,
}

impl Outcome {
    pub(super) const fn refused() -> Self {
        Self {
            matches: false,
            rehash: None,
        }
    }
}

/// Held as long as a hash runs.
type Turn = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// Longer passwords are refused before they cost anything; no person has one.
pub(super) const PASSWORD_BYTES_MAX: usize = 1024;

impl Passwords {
    /// Passwords with these settings, without metrics.
    ///
    /// # Errors
    ///
    /// [`InvalidPasswordConfig`] for settings that argon2 does not take.
    pub fn new(config: PasswordConfig) -> Result<Self, InvalidPasswordConfig> {
        Self::builder().config(config).build()
    }

    /// Passwords with these settings, counted in `metrics`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and when the metrics could not be registered.
    pub fn with_metrics(
        config: PasswordConfig,
        metrics: &Metrics,
    ) -> Result<Self, InvalidPasswordConfig> {
        Self::builder().config(config).metrics(metrics).build()
    }

    /// Passwords with a pepper, or that know the hashes of another system.
    pub fn builder() -> PasswordsBuilder {
        PasswordsBuilder::default()
    }

    pub(super) fn assemble(
        config: PasswordConfig,
        hashing: Hashing,
        metrics: PasswordMetrics,
    ) -> Result<Self, InvalidPasswordConfig> {
        if config.concurrency == 0 {
            return Err(InvalidPasswordConfig::Concurrency);
        }
        let places = config
            .concurrency
            .saturating_add(config.queue)
            .min(Semaphore::MAX_PERMITS);
        Ok(Self(Arc::new(Shared {
            hashing: Arc::new(hashing),
            places: Arc::new(Semaphore::new(places)),
            threads: Arc::new(Semaphore::new(
                config.concurrency.min(Semaphore::MAX_PERMITS),
            )),
            config,
            metrics: Arc::new(metrics),
        })))
    }

    /// Hashes a password with a new salt. Whether it is a good one say [`PasswordRules`](super::PasswordRules).
    ///
    /// # Errors
    ///
    /// [`PasswordError`] when it is too long or too many wait.
    pub async fn hash(&self, password: Secret<String>) -> Result<PasswordHash, PasswordError> {
        let outcome = self
            .run(password, |hashing, password| hashing.hash(password))
            .await;
        self.0.metrics.hash.count(&outcome);
        outcome
    }

    /// Compares a password with a stored hash; `None` for a user that is not known.
    ///
    /// # Errors
    ///
    /// [`PasswordError`] when the password is too long, too many wait, or the stored hash is none.
    pub async fn verify(
        &self,
        password: Secret<String>,
        stored: Option<PasswordHash>,
    ) -> Result<Outcome, PasswordError> {
        let compare = move |hashing: &Hashing, password: &Secret<String>| {
            hashing.verify(password, stored.as_ref())
        };
        let outcome = self.run(password, compare).await;
        self.0.metrics.verify.count(&outcome);
        outcome
    }

    async fn run<T: Send + 'static>(
        &self,
        password: Secret<String>,
        work: impl FnOnce(&Hashing, &Secret<String>) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        if password.expose().len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::TooLong);
        }
        let turn = self.turn().await?;
        let (hashing, metrics) = (self.0.hashing.clone(), self.0.metrics.clone());
        let job = task::spawn_blocking(move || {
            // Also when nobody waits any longer: the thread is busy as long as the hash runs.
            let _turn: Turn = turn;
            let start = clock::now();
            let outcome = work(&hashing, &password);
            metrics.seconds.observe(start.elapsed());
            outcome
        });
        job.await.unwrap_or(Err(PasswordError::Failed))
    }

    /// Waits for a turn. Dropped, it gives its place in the queue back.
    async fn turn(&self) -> Result<Turn, PasswordError> {
        let Shared {
            places,
            threads,
            config,
            metrics,
            ..
        } = &*self.0;
        let place = places
            .clone()
            .try_acquire_owned()
            .map_err(|_| PasswordError::Busy)?;
        let _waiting = metrics.waiting.track();
        match time::timeout(config.wait_max, threads.clone().acquire_owned()).await {
            Ok(Ok(thread)) => Ok((place, thread)),
            _ => Err(PasswordError::Busy),
        }
    }
}

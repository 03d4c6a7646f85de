//! Collects what hashing needs.

use std::sync::Arc;

use msf_core::metrics::Metrics;

use super::{
    InvalidPasswordConfig, LegacyHash, PasswordConfig, Passwords, Pepper, hashing::Hashing,
    metrics::PasswordMetrics,
};

/// Collects what [`Passwords`] need; from [`Passwords::builder`].
///
/// ```
/// use msf_auth::password::{PasswordConfig, Passwords, Pbkdf2};
///
/// let passwords = Passwords::builder()
///     .config(PasswordConfig { iterations: 3, ..PasswordConfig::default() })
///     .legacy(Pbkdf2::default())
///     .build()?;
/// # Ok::<(), msf_auth::password::InvalidPasswordConfig>(())
/// ```
#[derive(Default)]
#[must_use]
pub struct PasswordsBuilder {
    config: PasswordConfig,
    pepper: Option<Pepper>,
    former_peppers: Vec<Pepper>,
    legacy: Vec<Arc<dyn LegacyHash>>,
    metrics: Option<Metrics>,
}

impl PasswordsBuilder {
    /// How expensive a hash is, and how many may be under way.
    pub const fn config(mut self, config: PasswordConfig) -> Self {
        self.config = config;
        self
    }

    /// New hashes are made with a pepper, and those without one are made anew at the next login. The default is none.
    pub fn pepper(mut self, pepper: Pepper) -> Self {
        self.pepper = Some(pepper);
        self
    }

    /// Hashes with this pepper are still taken, and made anew at the next login.
    pub fn former_pepper(mut self, pepper: Pepper) -> Self {
        self.former_peppers.push(pepper);
        self
    }

    /// Hashes of another form are taken too; those of several are asked in order.
    pub fn legacy(mut self, legacy: impl LegacyHash) -> Self {
        self.legacy.push(Arc::new(legacy));
        self
    }

    /// Counts in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The passwords.
    ///
    /// # Errors
    ///
    /// [`InvalidPasswordConfig`] for settings that argon2 does not take, for two peppers of one id, and when the metrics
    /// could not be registered.
    pub fn build(self) -> Result<Passwords, InvalidPasswordConfig> {
        let metrics = match &self.metrics {
            Some(metrics) => PasswordMetrics::new(metrics)?,
            None => PasswordMetrics::noop(),
        };
        let hashing = Hashing::new(&self.config, self.pepper, self.former_peppers, self.legacy)?;
        Passwords::assemble(self.config, hashing, metrics)
    }
}

impl std::fmt::Debug for PasswordsBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordsBuilder")
            .field("config", &self.config)
            .field("pepper", &self.pepper)
            .field("former_peppers", &self.former_peppers)
            .finish_non_exhaustive()
    }
}

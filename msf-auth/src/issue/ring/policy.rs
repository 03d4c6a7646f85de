//! How long a key stays in each state.

use std::time::Duration;

use thiserror::Error;

use crate::algorithm::Algorithm;

/// How long a key of a [`KeyRing`](super::KeyRing) stays in each state. All processes that share a directory
/// have to have the same.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`period`](Self::period) | 30 days | a stolen key is worth less, and rotating is exercised often enough to be known to work |
/// | [`staging`](Self::staging) | 24 h | verifiers that ignore `Cache-Control` keep key sets for up to 12 h |
/// | [`token_ttl_max`](Self::token_ttl_max) | 24 h | what a token may live at most, so how long a retired key is needed |
/// | [`jwks_max_age`](Self::jwks_max_age) | 5 min | `Cache-Control` of the key set: how late a revoked key is given up; [`HttpJwks`](crate::HttpJwks) heeds a minute at least |
/// | [`skew`](Self::skew) | 1 min | how far clocks differ, those of verifiers with their leeway included |
/// | [`reload`](Self::reload) | 1 min | how often a process looks at what the others did |
///
/// ```
/// use std::time::Duration;
/// use msf_auth::issue::RotationPolicy;
///
/// let policy = RotationPolicy::default().token_ttl_max(Duration::from_secs(900));
/// assert!(policy.check().is_ok());
/// // A key that signs before all caches have it would be unknown to some verifiers.
/// assert!(policy.staging(Duration::from_secs(60)).check().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct RotationPolicy {
    pub(super) algorithm: Algorithm,
    pub(super) period: Duration,
    pub(super) staging: Duration,
    pub(super) token_ttl_max: Duration,
    pub(super) jwks_max_age: Duration,
    pub(super) skew: Duration,
    pub(super) reload: Duration,
}

/// A policy that would break tokens in use.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRotation {
    /// Keys of this algorithm cannot be made here.
    #[error("keys are made for EdDSA or ES256, not for {0}")]
    Algorithm(Algorithm),
    /// A key would sign before all caches know it.
    #[error("`staging` must be at least {min:?}: `jwks_max_age`, `skew` and `reload` together")]
    Staging {
        /// The least that is taken.
        min: Duration,
    },
    /// The next key would not be ready in time, or so many retired keys would be published that verifiers refuse the
    /// set.
    #[error(
        "`period` must be at least {min:?}: `staging`, and a tenth of what a retired key stays"
    )]
    Period {
        /// The least that is taken.
        min: Duration,
    },
    /// The life of tokens is below one second or above 24 h.
    #[error("`token_ttl_max` must be between 1 s and 24 h")]
    TokenTtl,
    /// The key set could be cached longer than a day.
    #[error("`jwks_max_age` must be at most 24 h")]
    JwksMaxAge,
    /// The skew is above an hour.
    #[error("`skew` must be at most 1 h")]
    Skew,
    /// The processes would look at the directory too often or too seldom.
    #[error("`reload` must be between 100 ms and 1 h")]
    Reload,
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// With the staged and the active one; verifiers take 128 keys, and these are read at each start.
pub(super) const KEYS_MAX: usize = 16;
/// Retired keys at the same time, so that two revocations or early rotations still fit.
const RETIRED_MAX: u32 = 10;

impl Default for RotationPolicy {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::EdDsa,
            period: 30 * DAY,
            staging: DAY,
            token_ttl_max: DAY,
            jwks_max_age: Duration::from_secs(300),
            skew: Duration::from_secs(60),
            reload: Duration::from_secs(60),
        }
    }
}

impl RotationPolicy {
    /// What new keys are for: EdDSA (default) or ES256.
    pub const fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// How long a key signs.
    pub const fn period(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    /// How long a key is published before it signs. Below two minutes it is for tests: a verifier that has fetched the key
    /// set a moment ago may then learn of a key by the first token that it signed.
    pub const fn staging(mut self, staging: Duration) -> Self {
        self.staging = staging;
        self
    }

    /// The longest life of a token; longer ones are not issued.
    pub const fn token_ttl_max(mut self, token_ttl_max: Duration) -> Self {
        self.token_ttl_max = token_ttl_max;
        self
    }

    /// How long others may cache the key set.
    pub const fn jwks_max_age(mut self, jwks_max_age: Duration) -> Self {
        self.jwks_max_age = jwks_max_age;
        self
    }

    /// How far clocks may differ.
    pub const fn skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// How often a process looks at what the others did, and whether something is due.
    pub const fn reload(mut self, reload: Duration) -> Self {
        self.reload = reload;
        self
    }

    /// Whether the settings go together; [`KeyRing::open`](super::KeyRing::open) asks this first.
    ///
    /// # Errors
    ///
    /// [`InvalidRotation`] names the first setting that does not, and its range.
    pub fn check(&self) -> Result<(), InvalidRotation> {
        if !matches!(self.algorithm, Algorithm::EdDsa | Algorithm::Es256) {
            return Err(InvalidRotation::Algorithm(self.algorithm));
        }
        if !(Duration::from_secs(1)..=DAY).contains(&self.token_ttl_max) {
            return Err(InvalidRotation::TokenTtl);
        }
        if self.jwks_max_age > DAY {
            return Err(InvalidRotation::JwksMaxAge);
        }
        if self.skew > HOUR {
            return Err(InvalidRotation::Skew);
        }
        if !(Duration::from_millis(100)..=HOUR).contains(&self.reload) {
            return Err(InvalidRotation::Reload);
        }
        let min = self.jwks_max_age + self.skew + self.reload;
        if self.staging < min {
            return Err(InvalidRotation::Staging { min });
        }
        // Times on disk are whole seconds.
        let retired = Duration::from_secs(self.retired_s());
        let min = self
            .staging
            .max(retired / RETIRED_MAX)
            .max(Duration::from_secs(1));
        if self.period < min {
            return Err(InvalidRotation::Period { min });
        }
        Ok(())
    }

    pub(in crate::issue) const fn jwks_max_age_s(&self) -> u64 {
        self.jwks_max_age.as_secs()
    }

    pub(in crate::issue) const fn ttl_max(&self) -> Duration {
        self.token_ttl_max
    }

    pub(super) fn period_s(&self) -> u64 {
        seconds_up(self.period)
    }

    pub(super) fn staging_s(&self) -> u64 {
        seconds_up(self.staging)
    }

    pub(super) fn skew_s(&self) -> u64 {
        seconds_up(self.skew)
    }

    /// Until the last token of a key has ended: another process may sign with it until it looks again.
    pub(super) fn retired_s(&self) -> u64 {
        seconds_up(self.token_ttl_max + self.skew + self.reload)
    }
}

/// Rounded up: a key never leaves a state too early.
fn seconds_up(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_to_go_together() {
        let good = RotationPolicy::default();
        let second = Duration::from_secs(1);
        assert_eq!(good.check(), Ok(()));
        let cases = [
            (
                good.algorithm(Algorithm::Hs256),
                InvalidRotation::Algorithm(Algorithm::Hs256),
            ),
            (
                good.token_ttl_max(Duration::ZERO),
                InvalidRotation::TokenTtl,
            ),
            (good.token_ttl_max(DAY + second), InvalidRotation::TokenTtl),
            (good.jwks_max_age(DAY + second), InvalidRotation::JwksMaxAge),
            (good.skew(HOUR + second), InvalidRotation::Skew),
            (good.reload(Duration::ZERO), InvalidRotation::Reload),
            (good.reload(Duration::MAX), InvalidRotation::Reload),
            (
                good.staging(Duration::from_secs(419)),
                InvalidRotation::Staging {
                    min: Duration::from_secs(420),
                },
            ),
            (
                good.period(DAY - second),
                InvalidRotation::Period { min: DAY },
            ),
        ];
        for (policy, fault) in cases {
            assert_eq!(policy.check(), Err(fault));
        }
        // Ten retired keys at most.
        let quick = good
            .staging(Duration::from_secs(420))
            .period(Duration::from_secs(600));
        assert!(matches!(quick.check(), Err(InvalidRotation::Period { .. })));
        assert_eq!(
            quick.token_ttl_max(Duration::from_secs(900)).check(),
            Ok(())
        );
        assert_eq!(seconds_up(Duration::from_millis(1_001)), 2);
    }
}

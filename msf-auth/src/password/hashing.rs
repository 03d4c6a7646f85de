//! argon2id itself; blocking, and nothing but bytes and settings.

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Error, phc::Output},
};
use msf_core::config::Secret;

use super::{InvalidPasswordConfig, PasswordConfig, PasswordError, passwords::Outcome};

/// Limits for settings and for stored hashes, which may come from elsewhere.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const ITERATIONS_MAX: u32 = 64;
const PARALLELISM_MAX: u32 = 64;

/// The settings for new hashes, and a hash to compare with when there is none.
#[derive(Clone)]
pub(super) struct Hashing {
    params: Params,
    dummy: PasswordHash,
}

impl Hashing {
    pub(super) fn new(config: &PasswordConfig) -> Result<Self, InvalidPasswordConfig> {
        let params = Params::new(
            config.memory_kib,
            config.iterations,
            config.parallelism,
            None,
        )
        .map_err(|_| InvalidPasswordConfig::Cost)?;
        if !is_affordable(&params) {
            return Err(InvalidPasswordConfig::Cost);
        }
        let dummy = dummy(&params).map_err(|_| InvalidPasswordConfig::Cost)?;
        Ok(Self { params, dummy })
    }

    pub(super) fn hash(&self, password: &Secret<String>) -> Result<String, PasswordError> {
        let hash: PasswordHash = self
            .argon2()
            .hash_password(password.expose().as_bytes())
            .map_err(|_| PasswordError::Failed)?;
        Ok(hash.to_string())
    }

    /// Takes the same time whether the user is known or not.
    pub(super) fn verify(
        &self,
        password: &Secret<String>,
        stored: Option<&str>,
    ) -> Result<Outcome, PasswordError> {
        let Some(stored) = stored else {
            self.compare(password, &self.dummy)?;
            return Ok(Outcome {
                matches: false,
                rehash: false,
            });
        };
        let Some((stored, params)) = parse(stored) else {
            self.compare(password, &self.dummy)?;
            return Err(PasswordError::StoredHash);
        };
        let matches = self.compare(password, &stored)?;
        Ok(Outcome {
            matches,
            rehash: matches && !self.is_current(&stored, &params),
        })
    }

    fn compare(
        &self,
        password: &Secret<String>,
        hash: &PasswordHash,
    ) -> Result<bool, PasswordError> {
        match self
            .argon2()
            .verify_password(password.expose().as_bytes(), hash)
        {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(_) => Err(PasswordError::Failed),
        }
    }

    fn is_current(&self, stored: &PasswordHash, params: &Params) -> bool {
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        stored.version == Some(Version::V0x13.into()) && cost(params) == cost(&self.params)
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }
}

/// An argon2id hash that is no trap.
fn parse(stored: &str) -> Option<(PasswordHash, Params)> {
    let hash = PasswordHash::new(stored).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let is_usable = hash.algorithm == Algorithm::Argon2id.ident()
        && hash.salt.is_some()
        && hash.hash.is_some()
        && is_affordable(&params);
    is_usable.then_some((hash, params))
}

const fn is_affordable(params: &Params) -> bool {
    params.m_cost() <= MEMORY_KIB_MAX
        && params.t_cost() <= ITERATIONS_MAX
        && params.p_cost() <= PARALLELISM_MAX
}

/// A hash of these settings that no password has: its output is random.
fn dummy(params: &Params) -> Result<PasswordHash, Error> {
    let mut random = [0; Params::DEFAULT_OUTPUT_LEN + 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Error::Crypto)?;
    let (output, salt) = random.split_at(Params::DEFAULT_OUTPUT_LEN);
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: params.try_into()?,
        salt: Some(argon2::password_hash::phc::Salt::new(salt).map_err(|_| Error::Crypto)?),
        hash: Some(Output::new(output).map_err(|_| Error::Crypto)?),
    })
}

impl std::fmt::Debug for Hashing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hashing")
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use msf_core::clock;

    use super::*;

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let config = PasswordConfig {
            iterations: 4,
            ..PasswordConfig::default()
        };
        let hashing = Hashing::new(&config).unwrap();
        let password = Secret::new("lovelace-1815".to_owned());
        let stored = hashing.hash(&password).unwrap();
        let shortest = |stored: Option<&str>| -> Option<Duration> {
            let time = |_| {
                let start = clock::now();
                hashing.verify(&password, stored).ok();
                start.elapsed()
            };
            (0..3).map(time).min()
        };
        let (somebody, nobody) = (shortest(Some(&stored)), shortest(None));
        // Without the work it is a thousandth; how busy the machine is makes no factor of ten.
        assert!(nobody.map(|time| time * 10) > somebody);
        assert!(shortest(Some("no hash")).map(|time| time * 10) > somebody);
    }
}

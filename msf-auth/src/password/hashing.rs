//! argon2id itself; blocking, and nothing but bytes and settings.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, KeyId, Params, ParamsBuilder, PasswordHash as Phc, PasswordHasher,
    PasswordVerifier, Version,
    password_hash::{
        Error,
        phc::{Output, Salt},
    },
};
use msf_core::config::Secret;

use super::{
    InvalidPasswordConfig, LegacyHash, PasswordConfig, PasswordError, PasswordHash, Pepper,
    normal::nfc, passwords::Outcome,
};

/// Limits for settings and for stored hashes, which may come from elsewhere.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const ITERATIONS_MAX: u32 = 64;
const PARALLELISM_MAX: u32 = 64;

/// The settings for new hashes, what else is taken, and a hash to compare with when there is none.
#[derive(Clone)]
pub(super) struct Hashing {
    params: Params,
    pepper: Option<Pepper>,
    former_peppers: Vec<Pepper>,
    legacy: Vec<Arc<dyn LegacyHash>>,
    dummy: Phc,
}

/// A password as it is hashed, and as it came when that is another text: what was stored before, or elsewhere, may be of
/// that. What it costs depends on what was sent and not on what is stored.
struct Spellings<'a> {
    normal: &'a str,
    given: Option<&'a str>,
}

impl Hashing {
    pub(super) fn new(
        config: &PasswordConfig,
        pepper: Option<Pepper>,
        former_peppers: Vec<Pepper>,
        legacy: Vec<Arc<dyn LegacyHash>>,
    ) -> Result<Self, InvalidPasswordConfig> {
        let ids: Vec<_> = pepper
            .iter()
            .chain(&former_peppers)
            .map(Pepper::id)
            .collect();
        let is_repeated = |(at, id): (usize, &KeyId)| ids[..at].contains(id);
        if ids.iter().enumerate().any(is_repeated) {
            return Err(InvalidPasswordConfig::Pepper);
        }
        let params = params(config, pepper.as_ref()).map_err(|_| InvalidPasswordConfig::Cost)?;
        if !is_affordable(&params) {
            return Err(InvalidPasswordConfig::Cost);
        }
        let dummy = dummy(&params).map_err(|_| InvalidPasswordConfig::Cost)?;
        Ok(Self {
            params,
            pepper,
            former_peppers,
            legacy,
            dummy,
        })
    }

    pub(super) fn hash(&self, password: &Secret<String>) -> Result<PasswordHash, PasswordError> {
        self.hash_normal(&nfc(password.expose()))
    }

    fn hash_normal(&self, password: &str) -> Result<PasswordHash, PasswordError> {
        let hash: Phc = self
            .argon2(self.pepper.as_ref())?
            .hash_password(password.as_bytes())
            .map_err(|_| PasswordError::Failed)?;
        Ok(hash.to_string().into())
    }

    /// Takes the same time whether the user is known or not, but for hashes of other systems.
    pub(super) fn verify(
        &self,
        password: &Secret<String>,
        stored: Option<&PasswordHash>,
    ) -> Result<Outcome, PasswordError> {
        let given = password.expose();
        let normal = nfc(given);
        let spellings = Spellings {
            normal: &normal,
            given: (normal != *given).then_some(given),
        };
        let Some(stored) = stored else {
            self.compare_with_dummy(&spellings)?;
            return Ok(Outcome::refused());
        };
        let (matched, is_current) = match self.parse(stored.as_str()) {
            Some((hash, params, pepper)) => {
                let matched = self.compare(&spellings, &hash, pepper)?;
                (matched, self.is_current(&hash, &params))
            }
            None => match self.compare_legacy(&spellings, stored.as_str()) {
                Some(true) => (Some(Spelling::Given), false),
                outcome => {
                    self.compare_with_dummy(&spellings)?;
                    match outcome {
                        None => return Err(PasswordError::StoredHash),
                        Some(_) => (None, false),
                    }
                }
            },
        };
        let Some(spelling) = matched else {
            return Ok(Outcome::refused());
        };
        let is_kept = is_current && spelling == Spelling::Normal;
        // A login that is right does not fail since there is no memory for a second hash.
        let rehash = if is_kept {
            None
        } else {
            self.hash_normal(&normal).ok()
        };
        Ok(Outcome {
            matches: true,
            rehash,
        })
    }

    fn compare_with_dummy(&self, spellings: &Spellings<'_>) -> Result<(), PasswordError> {
        self.compare(spellings, &self.dummy, self.pepper.as_ref())?;
        Ok(())
    }

    fn compare(
        &self,
        spellings: &Spellings<'_>,
        hash: &Phc,
        pepper: Option<&Pepper>,
    ) -> Result<Option<Spelling>, PasswordError> {
        let argon2 = self.argon2(pepper)?;
        let matches = |text: &str| match argon2.verify_password(text.as_bytes(), hash) {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(_) => Err(PasswordError::Failed),
        };
        if matches(spellings.normal)? {
            return Ok(Some(Spelling::Normal));
        }
        match spellings.given {
            Some(given) if matches(given)? => Ok(Some(Spelling::Given)),
            _ => Ok(None),
        }
    }

    fn compare_legacy(&self, spellings: &Spellings<'_>, stored: &str) -> Option<bool> {
        let given = spellings.given.unwrap_or(spellings.normal);
        let compare = |text: &str| self.legacy.iter().find_map(|one| one.compare(text, stored));
        let matches = compare(given)?;
        Some(matches || (spellings.given.is_some() && compare(spellings.normal)?))
    }

    /// An argon2id hash that is no trap, and the pepper that it was made with.
    fn parse(&self, stored: &str) -> Option<(Phc, Params, Option<&Pepper>)> {
        let hash = Phc::new(stored).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let is_usable = hash.algorithm == Algorithm::Argon2id.ident()
            && hash.salt.is_some()
            && hash.hash.is_some()
            && is_affordable(&params);
        if !is_usable {
            return None;
        }
        let pepper = match params.keyid() {
            [] => None,
            id => {
                let mut peppers = self.pepper.iter().chain(&self.former_peppers);
                Some(peppers.find(|pepper| pepper.is(id))?)
            }
        };
        Some((hash, params, pepper))
    }

    fn is_current(&self, stored: &Phc, params: &Params) -> bool {
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        stored.version == Some(Version::V0x13.into())
            && cost(params) == cost(&self.params)
            && params.keyid() == self.params.keyid()
    }

    fn argon2<'a>(&self, pepper: Option<&'a Pepper>) -> Result<Argon2<'a>, PasswordError> {
        let params = self.params.clone();
        match pepper {
            None => Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params)),
            Some(pepper) => {
                Argon2::new_with_secret(pepper.key(), Algorithm::Argon2id, Version::V0x13, params)
                    .map_err(|_| PasswordError::Failed)
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Normal,
    Given,
}

fn params(config: &PasswordConfig, pepper: Option<&Pepper>) -> argon2::Result<Params> {
    let mut params = ParamsBuilder::new();
    params
        .m_cost(config.memory_kib)
        .t_cost(config.iterations)
        .p_cost(config.parallelism);
    if let Some(pepper) = pepper {
        params.keyid(pepper.id());
    }
    params.build()
}

const fn is_affordable(params: &Params) -> bool {
    params.m_cost() <= MEMORY_KIB_MAX
        && params.t_cost() <= ITERATIONS_MAX
        && params.p_cost() <= PARALLELISM_MAX
}

/// A hash of these settings that no password has: its output is random.
fn dummy(params: &Params) -> Result<Phc, Error> {
    let mut random = [0; Params::DEFAULT_OUTPUT_LEN + 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Error::Crypto)?;
    let (output, salt) = random.split_at(Params::DEFAULT_OUTPUT_LEN);
    Ok(Phc {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: params.try_into()?,
        salt: Some(Salt::new(salt).map_err(|_| Error::Crypto)?),
        hash: Some(Output::new(output).map_err(|_| Error::Crypto)?),
    })
}

impl std::fmt::Debug for Hashing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hashing")
            .field("params", &self.params)
            .field("pepper", &self.pepper)
            .field("former_peppers", &self.former_peppers)
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
        let hashing = Hashing::new(&config, None, Vec::new(), Vec::new()).unwrap();
        let password = Secret::new("lovelace-1815".to_owned());
        let stored = hashing.hash(&password).unwrap();
        let shortest = |stored: Option<&PasswordHash>| -> Option<Duration> {
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
        assert!(shortest(Some(&PasswordHash::new("no hash"))).map(|time| time * 10) > somebody);
    }
}

//! The settings of the client.

use std::time::Duration;

use msf_core::config::Secret;

use super::registry::EtcdRegistry;
use crate::backend::remote::{InvalidLimit, Limits, base_of, limit_setters};

/// Builds an [`EtcdRegistry`]. Made by [`EtcdRegistry::builder`].
///
/// ```
/// use std::time::Duration;
/// use msf_registry::backend::etcd::EtcdRegistry;
///
/// let registry = EtcdRegistry::builder("http://10.0.0.1:2379")
///     .also("http://10.0.0.2:2379")
///     .also("http://10.0.0.3:2379")
///     .prefix("/shop/registry")
///     .timeout(Duration::from_secs(2))
///     .build()?;
/// # drop(registry);
/// # Ok::<(), msf_registry::backend::etcd::InvalidEtcd>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct EtcdRegistryBuilder {
    pub(super) urls: Vec<String>,
    pub(super) prefix: String,
    pub(super) user: Option<(String, Secret<String>)>,
    pub(super) limits: Limits,
    pub(super) warm_up: Duration,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEtcd {
    /// An address that no request can be sent to.
    #[error(
        "address {position} of etcd must begin with http:// and a host, without user, query and \
         fragment"
    )]
    Url {
        /// Which one, counted from 1.
        position: usize,
    },
    /// A prefix that keys cannot begin with.
    #[error(
        "the prefix must begin with '/', not end with it, and be 2 to {PREFIX_LEN_MAX} bytes of \
         visible ASCII"
    )]
    Prefix,
    /// A user without a name. Where etcd asks for no user, none is set.
    #[error("the user must have a name")]
    User,
    /// A limit out of its range.
    #[error("{setting} must be {allowed}")]
    Limit {
        /// The setter's name.
        setting: &'static str,
        /// The range.
        allowed: &'static str,
    },
    /// The client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

impl EtcdRegistryBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            urls: vec![url],
            prefix: "/msf/registry".to_owned(),
            user: None,
            limits: Limits::default(),
            warm_up: Duration::from_secs(30),
        }
    }

    /// Adds the address of another member of the same cluster. The one that answered last is asked; when
    /// it cannot be reached, the next.
    pub fn also(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// What all keys begin with; `/msf/registry` unless set. Registries of one cluster that differ in it do
    /// not see each other.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Logs in as a user of etcd; without, none. The token is kept, and renewed when etcd has forgotten it.
    pub fn user(mut self, name: impl Into<String>, password: Secret<String>) -> Self {
        self.user = Some((name.into(), password));
        self
    }

    limit_setters! { near: "etcd is near or it is away", instances: "25 000" }

    /// For how long after etcd has lost its memory nobody counts as gone; 30 s unless set, twice the usual
    /// time to live, zero for not at all. Whoever registers first in an empty etcd decides.
    pub const fn warm_up(mut self, warm_up: Duration) -> Self {
        self.warm_up = warm_up;
        self
    }

    /// The client. It connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`InvalidEtcd`] with the setting that cannot work.
    pub fn build(mut self) -> Result<EtcdRegistry, InvalidEtcd> {
        for (at, url) in self.urls.iter_mut().enumerate() {
            let base = base_of(url).ok_or(InvalidEtcd::Url { position: at + 1 })?;
            *url = base.to_owned();
        }
        if !is_prefix(&self.prefix) {
            return Err(InvalidEtcd::Prefix);
        }
        if self.user.as_ref().is_some_and(|(name, _)| name.is_empty()) {
            return Err(InvalidEtcd::User);
        }
        self.limits.validate()?;
        if self.warm_up > WARM_UP_MAX {
            return Err(InvalidEtcd::Limit {
                setting: "warm_up",
                allowed: "0 s to 1 h",
            });
        }
        EtcdRegistry::with(&self)
    }
}

impl From<InvalidLimit> for InvalidEtcd {
    fn from(InvalidLimit { setting, allowed }: InvalidLimit) -> Self {
        Self::Limit { setting, allowed }
    }
}

/// A slash at the end would make two of it in every key.
fn is_prefix(prefix: &str) -> bool {
    (2..=PREFIX_LEN_MAX).contains(&prefix.len())
        && prefix.starts_with('/')
        && !prefix.ends_with('/')
        && prefix.bytes().all(|byte| byte.is_ascii_graphic())
}

const PREFIX_LEN_MAX: usize = 128;
const WARM_UP_MAX: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_and_named() {
        let build = |f: fn(EtcdRegistryBuilder) -> EtcdRegistryBuilder| {
            f(EtcdRegistry::builder("http://127.0.0.1:2379")).build()
        };
        assert!(build(|b| b).is_ok());
        let error = build(|b| b.also("https://secure")).unwrap_err();
        assert!(
            error.to_string().starts_with("address 2 of etcd"),
            "{error}"
        );
        for bad in ["", "/", "msf", "/msf/", "/a b"] {
            let built = EtcdRegistry::builder("http://e").prefix(bad).build();
            assert!(matches!(built, Err(InvalidEtcd::Prefix)), "{bad:?}");
        }
        let error = build(|b| b.timeout(Duration::ZERO)).unwrap_err();
        assert_eq!(error.to_string(), "timeout must be 1 ms to 60 s");
        let error = build(|b| b.warm_up(Duration::MAX)).unwrap_err();
        assert_eq!(error.to_string(), "warm_up must be 0 s to 1 h");
        let nameless = build(|b| b.user("", Secret::new(String::new())));
        assert!(matches!(nameless, Err(InvalidEtcd::User)));
    }

    #[test]
    fn a_password_is_not_shown() {
        let password = Secret::new("lovelace".to_owned());
        let builder = EtcdRegistry::builder("http://e").user("ada", password);
        assert!(!format!("{builder:?}").contains("lovelace"));
        let registry = builder.build().unwrap();
        assert!(!format!("{registry:?}").contains("lovelace"));
    }
}

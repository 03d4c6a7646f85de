//! The settings of the client.

use std::time::Duration;

use msf_core::config::Secret;

use super::registry::ConsulRegistry;
use crate::backend::remote::{InvalidLimit, Limits, base_of, limit_setters};

/// Builds a [`ConsulRegistry`]. Made by [`ConsulRegistry::builder`].
///
/// ```
/// use msf_registry::backend::consul::ConsulRegistry;
///
/// let registry = ConsulRegistry::builder("http://127.0.0.1:8500")
///     .datacenter("eu-1")
///     .tag("team=shop")
///     .build()?;
/// # drop(registry);
/// # Ok::<(), msf_registry::backend::consul::InvalidConsul>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ConsulRegistryBuilder {
    pub(super) url: String,
    pub(super) token: Option<Secret<String>>,
    pub(super) datacenter: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) deregister_after: Duration,
    pub(super) is_stale_allowed: bool,
    pub(super) limits: Limits,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidConsul {
    /// An address that no request can be sent to.
    #[error(
        "the address of Consul's agent must begin with http:// and a host, without user, query and \
         fragment"
    )]
    Url,
    /// A token that cannot be sent in a header, or an empty one. Without ACLs, none is set.
    #[error("the token must be visible ASCII without spaces, and not empty")]
    Token,
    /// Not the name of a data centre.
    #[error("the datacenter must be 1 to 64 characters of a-z, A-Z, 0-9, '-' and '_'")]
    Datacenter,
    /// Not a tag.
    #[error("a tag must be 1 to 128 bytes of visible ASCII, and at most 16 of them")]
    Tag,
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

impl ConsulRegistryBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            token: None,
            datacenter: None,
            tags: Vec::new(),
            deregister_after: Duration::from_secs(60),
            is_stale_allowed: false,
            limits: Limits::default(),
        }
    }

    /// The ACL token, sent as `X-Consul-Token`: visible ASCII, usually the `SecretID` of `consul acl token create`.
    /// None unless set, which is the anonymous token.
    pub fn token(mut self, token: Secret<String>) -> Self {
        self.token = Some(token);
        self
    }

    /// Whose instances are found; those of the agent's own data centre unless set. Registering always
    /// happens at the agent.
    pub fn datacenter(mut self, name: impl Into<String>) -> Self {
        self.datacenter = Some(name.into());
        self
    }

    /// Adds a tag to whatever is registered, for others who read from Consul; at most 16.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// How long after its time to live an instance that does not renew is forgotten; 60 s unless set, which
    /// is the least that Consul takes. Consul looks every 30 s, so it may go up to 30 s later. Until then it is
    /// listed as unhealthy.
    pub const fn deregister_after(mut self, after: Duration) -> Self {
        self.deregister_after = after;
        self
    }

    /// Lets any server answer, not only the leader: cheaper, and there while no leader is, but the answer
    /// may be old. Not unless asked for.
    pub const fn allow_stale(mut self) -> Self {
        self.is_stale_allowed = true;
        self
    }

    limit_setters! { near: "the agent runs on the same machine", instances: "10 000" }

    /// The client. It connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`InvalidConsul`] with the setting that cannot work.
    pub fn build(mut self) -> Result<ConsulRegistry, InvalidConsul> {
        self.url = base_of(&self.url).ok_or(InvalidConsul::Url)?.to_owned();
        let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let token = self.token.as_ref().map(Secret::expose);
        if token.is_some_and(|token| token.is_empty() || !is_visible(token)) {
            return Err(InvalidConsul::Token);
        }
        if self.datacenter.as_deref().is_some_and(is_no_datacenter) {
            return Err(InvalidConsul::Datacenter);
        }
        let is_tag = |tag: &String| (1..=TAG_LEN_MAX).contains(&tag.len()) && is_visible(tag);
        if self.tags.len() > TAGS_MAX || !self.tags.iter().all(is_tag) {
            return Err(InvalidConsul::Tag);
        }
        self.limits.validate()?;
        if !(DEREGISTER_MIN..=DEREGISTER_MAX).contains(&self.deregister_after) {
            return Err(InvalidConsul::Limit {
                setting: "deregister_after",
                allowed: "1 min to 24 h",
            });
        }
        ConsulRegistry::with(self)
    }
}

impl From<InvalidLimit> for InvalidConsul {
    fn from(InvalidLimit { setting, allowed }: InvalidLimit) -> Self {
        Self::Limit { setting, allowed }
    }
}

fn is_no_datacenter(name: &str) -> bool {
    !(1..=64).contains(&name.len())
        || !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

const TAGS_MAX: usize = 16;
const TAG_LEN_MAX: usize = 128;
/// Consul raises anything less to it.
const DEREGISTER_MIN: Duration = Duration::from_secs(60);
const DEREGISTER_MAX: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_and_named() {
        let build = |f: fn(ConsulRegistryBuilder) -> ConsulRegistryBuilder| {
            f(ConsulRegistry::builder("http://127.0.0.1:8500")).build()
        };
        assert!(build(|b| b).is_ok());
        assert!(ConsulRegistry::new("https://consul").is_err());
        let token = build(|b| b.token(Secret::new("a\nb".to_owned())));
        assert!(matches!(token, Err(InvalidConsul::Token)));
        let datacenter = build(|b| b.datacenter("a&b=c"));
        assert!(matches!(datacenter, Err(InvalidConsul::Datacenter)));
        assert!(matches!(build(|b| b.tag("")), Err(InvalidConsul::Tag)));
        let error = build(|b| b.deregister_after(Duration::from_secs(59))).unwrap_err();
        assert_eq!(error.to_string(), "deregister_after must be 1 min to 24 h");
        let error = build(|b| b.wait(Duration::MAX)).unwrap_err();
        assert_eq!(error.to_string(), "wait must be 100 ms to 60 s");
    }

    #[test]
    fn a_token_is_not_shown() {
        let token = Secret::new("lovelace".to_owned());
        let builder = ConsulRegistry::builder("http://c").token(token);
        assert!(!format!("{builder:?}").contains("lovelace"));
    }
}

//! What is known about a key.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::ApiKeyId;
use crate::principal::PrincipalKind;

/// A key to be made: for whom, for what, until when.
///
/// ```
/// use std::time::Duration;
/// use msf_auth::api_key::NewApiKey;
///
/// let key = NewApiKey::service("nightly-report")
///     .name("report on the build server")
///     .scopes(["orders:read"])
///     .expires_after(Duration::from_secs(90 * 24 * 3600));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct NewApiKey {
    pub(super) subject: Box<str>,
    pub(super) kind: PrincipalKind,
    pub(super) name: Box<str>,
    pub(super) scopes: Vec<Box<str>>,
    pub(super) tenant: Option<Box<str>>,
    pub(super) life: Option<Duration>,
}

impl NewApiKey {
    /// A key that speaks for a user.
    pub fn user(subject: impl Into<Box<str>>) -> Self {
        Self::new(subject.into(), PrincipalKind::User)
    }

    /// A key that speaks for a service.
    pub fn service(subject: impl Into<Box<str>>) -> Self {
        Self::new(subject.into(), PrincipalKind::Service)
    }

    fn new(subject: Box<str>, kind: PrincipalKind) -> Self {
        Self {
            subject,
            kind,
            name: Box::default(),
            scopes: Vec::new(),
            tenant: None,
            life: None,
        }
    }

    /// What its owner calls it; at most 128 characters.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// What it may do; nothing by default. Give it no more than its owner may do.
    pub fn scopes<S: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes = scopes.into_iter().map(|scope| scope.as_ref().into());
        self.scopes.extend(scopes);
        self
    }

    /// Which tenant it belongs to.
    pub fn tenant(mut self, tenant: impl Into<Box<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// How long it is valid; for ever by default.
    pub const fn expires_after(mut self, life: Duration) -> Self {
        self.life = Some(life);
        self
    }
}

/// A key as a store has it: everything but the key.
///
/// Times are in seconds since 1970.
#[derive(Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "stores outside of this crate make it from their rows"
)]
pub struct ApiKeyRecord {
    /// The public part of the key.
    pub id: ApiKeyId,
    /// The SHA-256 of the key.
    pub hash: [u8; 32],
    /// Whom it speaks for.
    pub subject: Box<str>,
    /// Whether that is a service, or a user.
    pub is_service: bool,
    /// What its owner calls it.
    pub name: Box<str>,
    /// Its scopes, with a space between two.
    pub scope: Box<str>,
    /// Its tenant.
    pub tenant: Option<Box<str>>,
    /// When it was made.
    pub created_s: u64,
    /// When it ends.
    pub expires_s: Option<u64>,
    /// When it was taken back.
    pub revoked_s: Option<u64>,
    /// When it was last used, within ten minutes.
    pub used_s: Option<u64>,
}

impl ApiKeyRecord {
    /// Whether it is neither revoked nor over.
    #[must_use]
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        let now_s = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs();
        self.revoked_s.is_none() && self.expires_s.is_none_or(|end_s| now_s < end_s)
    }

    pub(super) const fn kind(&self) -> PrincipalKind {
        if self.is_service {
            PrincipalKind::Service
        } else {
            PrincipalKind::User
        }
    }
}

/// Without the hash.
impl fmt::Debug for ApiKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyRecord")
            .field("id", &self.id)
            .field("subject", &self.subject)
            .field("scope", &self.scope)
            .field("expires_s", &self.expires_s)
            .field("revoked_s", &self.revoked_s)
            .finish_non_exhaustive()
    }
}

//! Who calls.

mod actor;
mod assemble;
mod builder;
mod error;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use serde_json::Value;

pub use self::{actor::Actor, error::InvalidClaims};
pub(crate) use self::{assemble::Origin, builder::PrincipalBuilder};
use crate::token::{Member, Span};

/// Whether a token speaks for a person or for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// A person, or whatever the issuer calls a user.
    User,
    /// A service that calls in its own name.
    Service,
}

/// Who calls, as a verified token says it. Only this crate makes one.
///
/// It keeps the text of the claims and where each lies in it. A claim becomes a [`Value`] when it is asked for,
/// and a whole set of them a type of yours by [`claims`](Self::claims).
///
/// ```
/// use msf_auth::{KeySet, SigningKey, TokenIssuer, TrustedIssuer, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
/// let trusted = TrustedIssuer::new("https://user.shop", issuer.jwks()).audience("shop");
/// let verifier = Verifier::builder().issuer(trusted).build()?;
///
/// let token = issuer.token("7").audience("shop").scopes(["orders:read"]).sign()?;
/// let principal = verifier.verify(&token).await?;
/// assert_eq!(principal.subject(), "7");
/// assert!(principal.has_scope("orders:read") && !principal.has_scope("orders"));
/// assert!(!principal.is_service());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Principal {
    issuer: Arc<str>,
    kind: PrincipalKind,
    /// The claims as they came, and after them what does not lie there as it is.
    text: Box<str>,
    json: Span,
    subject: Span,
    subject_issuer: Option<Span>,
    subject_suffices: bool,
    scope: Span,
    expires_at_s: u64,
    not_before_s: Option<u64>,
    issued_at_s: Option<u64>,
    authenticated_at_s: Option<u64>,
    token_id: Option<Span>,
    session_id: Option<Span>,
    client_id: Option<Span>,
    key_id: Option<Span>,
    tenant: Option<Span>,
    members: Vec<Member>,
    tree_bytes: usize,
}

impl Principal {
    /// A caller that is not known by a token of a verifier.
    pub(crate) fn builder(
        issuer: impl Into<Arc<str>>,
        subject: &str,
        kind: PrincipalKind,
    ) -> PrincipalBuilder {
        PrincipalBuilder::new(issuer, subject, kind)
    }

    /// Who issued the token (`iss`).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Who it is for (`sub`), unique within its [`subject_issuer`](Self::subject_issuer).
    #[must_use]
    pub fn subject(&self) -> &str {
        self.subject.of(&self.text)
    }

    /// Who named the subject: the issuer, but for an [internal](crate::internal) token the issuer of the token that
    /// the edge verified.
    ///
    /// A service whose callers come from several issuers knows them by this and the subject together.
    #[must_use]
    pub fn subject_issuer(&self) -> &str {
        self.part(self.subject_issuer).unwrap_or(&self.issuer)
    }

    /// Whether the subject alone says which user it is: who made this takes users of no other issuer.
    pub(crate) const fn subject_suffices(&self) -> bool {
        self.subject_suffices
    }

    /// Whether it is a user or a service.
    #[must_use]
    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// Whether it is a service.
    #[must_use]
    pub const fn is_service(&self) -> bool {
        matches!(self.kind, PrincipalKind::Service)
    }

    /// What it may do (`scope`, RFC 6749 section 3.3), in the order of the token.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let scopes = self.scope.of(&self.text).split(' ');
        scopes.filter(|scope| !scope.is_empty())
    }

    /// Whether it has exactly this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        !scope.is_empty() && self.scopes().any(|own| own == scope)
    }

    /// When the token expires (`exp`); the verifier's leeway is not in it.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        at(self.expires_at_s)
    }

    /// When the token was issued (`iat`).
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at_s.map(at)
    }

    /// When the user last proved who it is (`auth_time`, OpenID Connect Core section 2).
    #[must_use]
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        self.authenticated_at_s.map(at)
    }

    /// The id of the token (`jti`), for audit and deny lists.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.part(self.token_id)
    }

    /// The session that the token belongs to (`sid`), which one login gives.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.part(self.session_id)
    }

    /// The OAuth client that the token was issued to (`client_id`, RFC 9068 section 2.2).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.part(self.client_id)
    }

    /// The id of the key that the token is signed with.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.part(self.key_id)
    }

    /// Which tenant it belongs to, by the claim that
    /// [`TrustedIssuer::tenant_claim`](crate::TrustedIssuer::tenant_claim) names.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.part(self.tenant)
    }

    /// How strong the authentication was (`acr`).
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.claim("acr")?.as_str()
    }

    /// How the user proved who it is (`amr`, RFC 8176), such as `pwd` and `otp`.
    pub fn amr(&self) -> impl Iterator<Item = &str> {
        let methods = self.claim("amr").and_then(Value::as_array);
        methods.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Who acts in its name (`act`, RFC 8693 section 4.1).
    #[must_use]
    pub fn actor(&self) -> Option<Actor<'_>> {
        self.claim("act").and_then(Actor::new)
    }

    /// Any claim, the known ones included. It is parsed when it is first asked for.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        let mut members = self.members.iter();
        let member = members.find(|member| member.name.says(name, &self.text))?;
        let value = member.value.get_or_init(|| {
            // The text was walked when the token was verified.
            let written = member.raw.span.of(&self.text);
            Box::new(serde_json::from_str(written).unwrap_or_default())
        });
        Some(value)
    }

    /// All claims as a type of yours.
    ///
    /// # Errors
    ///
    /// [`InvalidClaims`] when they do not fit it.
    ///
    /// ```
    /// # use msf_auth::{SigningKey, TokenIssuer, TrustedIssuer, Verifier};
    /// #[derive(serde::Deserialize)]
    /// struct Shop<'a> {
    ///     sub: &'a str,
    ///     region: String,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_core::BoxError> {
    /// # let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
    /// # let trusted = TrustedIssuer::new("https://user.shop", issuer.jwks()).audience("shop");
    /// # let verifier = Verifier::builder().issuer(trusted).build()?;
    /// let token = issuer.token("7").audience("shop").claim("region", "north").sign()?;
    /// let principal = verifier.verify(&token).await?;
    /// let claims: Shop<'_> = principal.claims()?;
    /// assert_eq!((claims.sub, &*claims.region), ("7", "north"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn claims<'a, T: Deserialize<'a>>(&'a self) -> Result<T, InvalidClaims> {
        serde_json::from_str(self.json.of(&self.text)).map_err(InvalidClaims::new)
    }

    /// When it begins and ends, in seconds: `nbf`, `iat`, `exp`.
    pub(crate) const fn times_s(&self) -> (Option<u64>, Option<u64>, u64) {
        (self.not_before_s, self.issued_at_s, self.expires_at_s)
    }

    /// What it takes in memory, with every claim parsed.
    pub(crate) fn bytes_max(&self) -> usize {
        size_of::<Self>()
            + self.text.len()
            + self.members.capacity() * size_of::<Member>()
            + self.tree_bytes
    }

    fn part(&self, span: Option<Span>) -> Option<&str> {
        span.map(|span| span.of(&self.text))
    }
}

fn at(seconds: u64) -> SystemTime {
    // No claim is after the year 9999.
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Whether they say the same; which claims were asked for does not count.
impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.issuer == other.issuer
            && self.kind == other.kind
            && self.text == other.text
            && (self.tenant, self.scope, self.subject_issuer)
                == (other.tenant, other.scope, other.subject_issuer)
    }
}

impl Eq for Principal {}

/// Without the values of further claims, which may be personal.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject())
            .field("kind", &self.kind)
            .field("scope", &self.scope.of(&self.text))
            .field("expires_at_s", &self.expires_at_s)
            .finish_non_exhaustive()
    }
}

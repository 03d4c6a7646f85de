//! Who calls.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Whether a token speaks for a person or for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// A person, or whatever the issuer calls a user.
    User,
    /// A service that calls in its own name.
    Service,
}

/// Who calls, as a verified token says it. Only a [`Verifier`](crate::Verifier) makes one.
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
#[derive(Clone, PartialEq)]
pub struct Principal {
    pub(crate) issuer: Arc<str>,
    pub(crate) subject: Box<str>,
    pub(crate) kind: PrincipalKind,
    pub(crate) scope: Box<str>,
    pub(crate) expires_at_s: u64,
    pub(crate) token_id: Option<Box<str>>,
    pub(crate) claims: Vec<(Box<str>, Value)>,
}

impl Principal {
    /// Who issued the token (`iss`).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Who it is for (`sub`), unique within the issuer.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
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
        self.scope.split(' ').filter(|scope| !scope.is_empty())
    }

    /// Whether it has exactly this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        !scope.is_empty() && self.scopes().any(|own| own == scope)
    }

    /// When the token expires (`exp`); the verifier's leeway is not in it.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        // The verifier takes no `exp` after the year 9999.
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires_at_s)
    }

    /// The id of the token (`jti`), for audit and deny lists.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// The further claims, as a type; those that it does not name are left out.
    ///
    /// # Errors
    ///
    /// When they are not of this type.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let claims = self.claims.iter();
        let claims = claims.map(|(name, value)| (name.to_string(), value.clone()));
        T::deserialize(Value::Object(claims.collect()))
    }

    /// Any other claim.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims
            .iter()
            .find(|(own, _)| &**own == name)
            .map(|(_, value)| value)
    }
}

/// Without the values of further claims, which may be personal.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("kind", &self.kind)
            .field("scope", &self.scope)
            .field("expires_at_s", &self.expires_at_s)
            .finish_non_exhaustive()
    }
}

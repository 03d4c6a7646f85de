//! An issuer, and what it is trusted with.

use std::sync::Arc;

use super::{
    Provider,
    provider::{INTERNAL, PLAIN, Shape},
};
use crate::{algorithm::Algorithm, keys::KeySet, remote::RemoteKeys};

/// An issuer that is trusted: its keys, and for what.
///
/// Defaults: EdDSA and ES256, tokens of type `at+jwt` (RFC 9068), for users. An audience has to be given.
///
/// ```
/// use msf_auth::{Algorithm, SigningKey, KeySet, TrustedIssuer};
///
/// let keys = KeySet::new([SigningKey::generate_ed25519()?.verifying_key()])?;
/// let users = TrustedIssuer::new("https://user.shop", keys.clone()).audience("shop");
/// let orders = TrustedIssuer::new("https://order.shop", keys)
///     .audience("payment")
///     .algorithms([Algorithm::EdDsa])
///     .service("order");
/// # Ok::<(), msf_core::BoxError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TrustedIssuer {
    pub(super) issuer: Arc<str>,
    pub(super) keys: Keys,
    pub(super) audiences: Vec<Box<str>>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) token_type: Box<str>,
    pub(super) users: Option<bool>,
    pub(super) services: Vec<Box<str>>,
    pub(super) has_all_services: bool,
    pub(super) tenant_claim: Box<str>,
    pub(super) header_policy: HeaderPolicy,
    pub(super) bound_tokens: BoundTokens,
    pub(super) users_of: Vec<Box<str>>,
    /// Whether the subject alone says which user it is; known when the verifier is built.
    pub(super) subject_suffices: bool,
    pub(super) shape: &'static Shape,
}

/// What becomes of a token whose header names or holds a key of the sender's choice: `jku`, `jwk`, `x5u`, `x5c`.
///
/// No such key is ever fetched or used. `crit`, `b64`, `zip`, `enc` and `cty` are always refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderPolicy {
    /// It is refused: an honest issuer has no reason to send one.
    #[default]
    Strict,
    /// The member is not looked at; for issuers that send one all the same.
    Ignore,
}

/// What becomes of a token that only the holder of a key may use: one with `cnf` (RFC 7800), as DPoP (RFC 9449) and
/// certificates of clients (RFC 8705) have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundTokens {
    /// It is refused: nothing here looks at the proof, and without it the token would be as good for a thief.
    #[default]
    Refuse,
    /// It is taken, since something else refuses every request without the proof: the proxy that ends TLS, or a layer
    /// of yours. What has to be proven is [`claim("cnf")`](crate::Principal::claim) of the caller.
    CheckedElsewhere,
}

/// Where the keys of an issuer come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Keys {
    /// Known when the program starts.
    Static(KeySet),
    /// Fetched, and fetched again.
    Remote(RemoteKeys),
}

impl TrustedIssuer {
    /// An issuer by the exact text of its `iss`, with its keys.
    pub fn new(issuer: impl Into<Arc<str>>, keys: impl Into<Keys>) -> Self {
        Self {
            issuer: issuer.into(),
            keys: keys.into(),
            audiences: Vec::new(),
            algorithms: vec![Algorithm::EdDsa, Algorithm::Es256],
            token_type: "at+jwt".into(),
            users: None,
            services: Vec::new(),
            has_all_services: false,
            tenant_claim: PLAIN.tenant.into(),
            header_policy: HeaderPolicy::Strict,
            bound_tokens: BoundTokens::Refuse,
            users_of: Vec::new(),
            subject_suffices: false,
            shape: &PLAIN,
        }
    }

    /// An issuer whose access tokens look as those of a known [`Provider`] do: types, algorithm and claims are
    /// set; the audience remains to be given.
    ///
    /// ```
    /// use msf_auth::{KeySet, Provider, TrustedIssuer, Verifier};
    ///
    /// let issuer = "https://id.example/realms/shop";
    /// let trusted = TrustedIssuer::provider(Provider::Keycloak, issuer, KeySet::default()).audience("orders");
    /// assert!(Verifier::builder().issuer(trusted).build().is_ok());
    /// ```
    pub fn provider(
        provider: Provider,
        issuer: impl Into<Arc<str>>,
        keys: impl Into<Keys>,
    ) -> Self {
        let shape = provider.shape();
        Self {
            algorithms: shape.algorithms.to_vec(),
            tenant_claim: shape.tenant.into(),
            shape,
            ..Self::new(issuer, keys)
        }
    }

    /// An edge that mints [internal tokens](crate::internal) with EdDSA keys, in the name of users and of services.
    ///
    /// Only a service that is called through that edge trusts it so; the edge itself does not, or its tokens would be
    /// good outside.
    pub fn internal(issuer: impl Into<Arc<str>>, keys: impl Into<Keys>) -> Self {
        let internal = Self {
            shape: &INTERNAL,
            ..Self::new(issuer, keys)
        };
        internal.users().any_service()
    }

    /// One of our names in `aud` (for [`Provider::Cognito`] a `client_id`); a token has to have one of those
    /// given. Required.
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The algorithms that are taken from this issuer; those with a shared secret only if they are named here.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// The `typ` of its access tokens, compared without case and without a leading `application/`.
    ///
    /// The default `at+jwt` keeps ID tokens, refresh tokens and logout tokens of the same issuer out. With
    /// `JWT` they may get in: give them another audience. The types of a [`Provider`] and of an
    /// [edge](Self::internal) stay what they are.
    pub fn token_type(mut self, token_type: impl Into<Box<str>>) -> Self {
        self.token_type = bare_type(&token_type.into()).into();
        self
    }

    /// The issuer speaks for this service, and no longer for users unless [`users`](Self::users) is called.
    ///
    /// The name is the `sub` of its tokens. A token is a service's when its claim `msf_kind` is `service`, as
    /// [`TokenIssuer`](crate::TokenIssuer) writes it, when its `client_id` is its `sub` (RFC 9068 section 2.2), or when
    /// the [`Provider`] marks it as one. Which services an issuer may speak for is written here, so that the key of one
    /// service is of no use to pose as another.
    pub fn service(mut self, name: impl Into<Box<str>>) -> Self {
        self.services.push(name.into());
        self
    }

    /// The issuer speaks for every service, as an authorization server does in which all services are clients; and no
    /// longer for users unless [`users`](Self::users) is called.
    pub const fn any_service(mut self) -> Self {
        self.has_all_services = true;
        self
    }

    /// The issuer speaks for users also.
    pub fn users(mut self) -> Self {
        self.users = Some(true);
        self
    }

    /// Of an [edge](Self::internal): takes the users of this issuer in whose name it mints, by the exact text of
    /// [`subject_issuer`](crate::Principal::subject_issuer); may be called for several. By default those of every issuer
    /// that the edge trusts.
    ///
    /// Where one is named, its user `7` is the only `7` there is, and [`owner`](crate::policy::owner) and
    /// [`Owner::user`](crate::guarded::Owner::user) need not say whose.
    ///
    /// ```
    /// use msf_auth::{KeySet, TrustedIssuer};
    ///
    /// let edge = TrustedIssuer::internal("https://gateway.shop", KeySet::default())
    ///     .users_of("https://user.shop")
    ///     .audience("order");
    /// ```
    pub fn users_of(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.users_of.push(issuer.into());
        self
    }

    /// The claim that names the tenant of a caller; default `tenant`, or that of the [`Provider`]. Where it is
    /// there, it has to be a string.
    pub fn tenant_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.tenant_claim = name.into();
        self
    }

    /// What becomes of tokens with `jku`, `jwk`, `x5u` or `x5c` in the header; default
    /// [`Strict`](HeaderPolicy::Strict).
    pub const fn header_policy(mut self, header_policy: HeaderPolicy) -> Self {
        self.header_policy = header_policy;
        self
    }

    /// What becomes of tokens that are bound to a key of their sender; default [`Refuse`](BoundTokens::Refuse).
    ///
    /// ```
    /// use msf_auth::{BoundTokens, Reason, SigningKey, TokenIssuer, TrustedIssuer, Verifier};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_core::BoxError> {
    /// let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
    /// let certificate = json!({ "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" });
    /// let token = issuer.token("7").audience("shop").claim("cnf", certificate.clone()).sign()?;
    ///
    /// let trusted = TrustedIssuer::new("https://user.shop", issuer.jwks()).audience("shop");
    /// let verifier = Verifier::builder().issuer(trusted.clone()).build()?;
    /// assert_eq!(verifier.verify(&token).await.unwrap_err().reason(), Reason::Bound);
    ///
    /// // Behind a proxy that compares the certificate of the connection.
    /// let trusted = trusted.bound_tokens(BoundTokens::CheckedElsewhere);
    /// let verifier = Verifier::builder().issuer(trusted).build()?;
    /// assert_eq!(verifier.verify(&token).await?.claim("cnf"), Some(&certificate));
    /// # Ok(())
    /// # }
    /// ```
    pub const fn bound_tokens(mut self, bound_tokens: BoundTokens) -> Self {
        self.bound_tokens = bound_tokens;
        self
    }

    /// Whether an access token may have this type.
    pub(super) fn takes_type(&self, given: Option<&str>) -> bool {
        if !self.shape.types.is_empty() {
            return self.shape.has_type(given);
        }
        given.is_some_and(|given| bare_type(given).eq_ignore_ascii_case(&self.token_type))
    }

    pub(super) fn takes_users(&self) -> bool {
        self.users
            .unwrap_or(self.services.is_empty() && !self.has_all_services)
    }

    /// Whether a user may have its name from this issuer.
    pub(super) fn takes_user_of(&self, subject_issuer: &str) -> bool {
        self.users_of.is_empty() || self.users_of.iter().any(|own| **own == *subject_issuer)
    }

    pub(super) fn takes_service(&self, name: &str) -> bool {
        self.has_all_services || self.services.iter().any(|own| **own == *name)
    }
}

/// RFC 7515 section 4.1.9: `application/` may be left out, and media types have no case.
pub(super) fn bare_type(text: &str) -> &str {
    let prefix = "application/";
    match text.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &text[prefix.len()..],
        _ => text,
    }
}

impl From<KeySet> for Keys {
    fn from(keys: KeySet) -> Self {
        Self::Static(keys)
    }
}

impl From<RemoteKeys> for Keys {
    fn from(keys: RemoteKeys) -> Self {
        Self::Remote(keys)
    }
}

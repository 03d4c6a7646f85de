//! One token.

use std::time::Duration;

use aws_lc_rs::rand;
use serde_json::{Map, Value, json};

use super::{InvalidToken, IssueError, TokenIssuer};
use crate::{
    keys::SignError,
    token::{KIND_CLAIM, KIND_SERVICE, base64url},
};

/// What a token says. Made by [`TokenIssuer::token`].
#[derive(Clone, Debug)]
#[must_use = "nothing is issued before `sign`"]
pub struct TokenBuilder<'a> {
    issuer: &'a TokenIssuer,
    subject: &'a str,
    audience: &'a str,
    scopes: Vec<Box<str>>,
    is_service: bool,
    ttl: Duration,
    client: Option<&'a str>,
    token_type: &'static str,
    claims: Map<String, Value>,
}

/// What [`TokenBuilder::ttl`] is by default.
const TTL: Duration = Duration::from_secs(15 * 60);
const TTL_MIN: Duration = Duration::from_secs(1);
pub(super) const TTL_MAX: Duration = Duration::from_secs(24 * 3_600);
/// 128 random bits: no two tokens of an issuer meet.
const TOKEN_ID_BYTES: usize = 16;

/// Claims that are set by the issuer.
const OWN_CLAIMS: [&str; 10] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "client_id",
    KIND_CLAIM,
];

impl<'a> TokenBuilder<'a> {
    pub(super) fn new(issuer: &'a TokenIssuer, subject: &'a str) -> Self {
        Self {
            issuer,
            subject,
            audience: "",
            scopes: Vec::new(),
            is_service: false,
            ttl: TTL.min(issuer.ttl_max()),
            client: None,
            token_type: "at+jwt",
            claims: Map::new(),
        }
    }

    /// Who is to accept it; required. One only: a token for two can be used by each against the other.
    pub const fn audience(mut self, audience: &'a str) -> Self {
        self.audience = audience;
        self
    }

    /// What it allows; default nothing.
    pub fn scopes<S: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes
            .into_iter()
            .map(|scope| scope.as_ref().into())
            .collect();
        self
    }

    /// Whether the subject is a service (default: a user).
    pub const fn service(mut self, is_service: bool) -> Self {
        self.is_service = is_service;
        self
    }

    /// The OAuth client that it is given to (`client_id`, RFC 9068 section 2.2); default none, or the service itself.
    pub const fn client(mut self, client: &'a str) -> Self {
        self.client = Some(client);
        self
    }

    /// The type in its header; default that of access tokens.
    pub(crate) const fn token_type(mut self, token_type: &'static str) -> Self {
        self.token_type = token_type;
        self
    }

    /// How long it lives, in whole seconds; default 15 min, at most 24 h or what the
    /// [ring](super::RotationPolicy::token_ttl_max) allows.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// A further claim; the verifier gives it as [`Principal::claim`](crate::Principal::claim).
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// The signed token.
    ///
    /// # Errors
    ///
    /// [`IssueError`] for a token that nobody would accept, or when the system has no randomness.
    pub fn sign(self) -> Result<String, IssueError> {
        self.check()?;
        let mut token_id = [0; TOKEN_ID_BYTES];
        rand::fill(&mut token_id).map_err(|_| SignError)?;
        let now_s = self.issuer.clock().unix_seconds();

        let mut claims = self.claims;
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", self.issuer.issuer().into());
        set("sub", self.subject.into());
        set("aud", self.audience.into());
        set("iat", now_s.into());
        set("exp", now_s.saturating_add(self.ttl.as_secs()).into());
        set("jti", base64url::encode(token_id).into());
        if !self.scopes.is_empty() {
            set("scope", self.scopes.join(" ").into());
        }
        if self.is_service {
            set(KIND_CLAIM, KIND_SERVICE.into());
        }
        // RFC 9068 section 2.2: a service that calls in its own name is its own client.
        let own_client = self.is_service.then_some(self.subject);
        if let Some(client) = self.client.or(own_client) {
            set("client_id", client.into());
        }

        let snapshot = self.issuer.snapshot();
        let key = &snapshot.active;
        let header =
            json!({ "alg": key.algorithm().as_str(), "typ": self.token_type, "kid": key.id() });
        let mut token = base64url::encode(header.to_string());
        token.push('.');
        base64url::encode_into(Value::Object(claims).to_string(), &mut token);
        let signature = key.sign(token.as_bytes())?;
        token.push('.');
        base64url::encode_into(signature, &mut token);
        Ok(token)
    }

    fn check(&self) -> Result<(), InvalidToken> {
        if self.subject.is_empty() {
            return Err(InvalidToken::Subject);
        }
        if self.audience.is_empty() {
            return Err(InvalidToken::Audience);
        }
        if !(TTL_MIN..=self.issuer.ttl_max()).contains(&self.ttl) {
            return Err(InvalidToken::Lifetime);
        }
        if let Some(scope) = self.scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(InvalidToken::Scope(scope.clone()));
        }
        match self.claims.keys().find(|name| is_own_claim(name)) {
            Some(name) => Err(InvalidToken::Claim(name.as_str().into())),
            None => Ok(()),
        }
    }
}

/// Whether the issuer sets this claim itself.
pub(crate) fn is_own_claim(name: &str) -> bool {
    OWN_CLAIMS.contains(&name)
}

/// `scope-token` of RFC 6749 section 3.3.
pub(crate) fn is_scope(scope: &str) -> bool {
    !scope.is_empty()
        && scope
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;

    #[test]
    fn a_token_that_nobody_would_accept_is_not_issued() {
        let issuer = TokenIssuer::new("i", SigningKey::generate_ed25519().unwrap());
        let fault = |token: TokenBuilder<'_>| match token.sign().unwrap_err() {
            IssueError::Invalid(fault) => fault,
            IssueError::Sign(error) => panic!("{error}"),
        };
        let good = || issuer.token("7").audience("a");
        assert!(good().sign().is_ok());
        assert_eq!(fault(issuer.token("7")), InvalidToken::Audience);
        assert_eq!(fault(issuer.token("").audience("a")), InvalidToken::Subject);
        assert_eq!(fault(good().ttl(Duration::ZERO)), InvalidToken::Lifetime);
        assert_eq!(fault(good().ttl(TTL_MAX + TTL_MIN)), InvalidToken::Lifetime);
        assert_eq!(
            fault(good().scopes(["a b"])),
            InvalidToken::Scope("a b".into())
        );
        assert_eq!(fault(good().scopes([""])), InvalidToken::Scope("".into()));
        assert_eq!(
            fault(good().claim("exp", 1)),
            InvalidToken::Claim("exp".into())
        );
    }
}

//! A caller that no token of this crate's verifier describes.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Origin, Principal, PrincipalKind};
use crate::{
    token::{Claims, MAX_S},
    verify::Reason,
};

/// Collects what is known about a caller; for API keys, introspection and internal tokens.
///
/// It ends in the same strict reading of claims as a token does, so that a principal is a principal.
#[derive(Clone)]
pub(crate) struct PrincipalBuilder {
    issuer: Arc<str>,
    kind: PrincipalKind,
    tenant_claim: Box<str>,
    key_id: Option<Box<str>>,
    subject_suffices: bool,
    claims: Map<String, Value>,
}

impl PrincipalBuilder {
    pub(super) fn new(issuer: impl Into<Arc<str>>, subject: &str, kind: PrincipalKind) -> Self {
        let issuer = issuer.into();
        let claims = Map::from_iter([
            ("iss".to_owned(), Value::from(&*issuer)),
            ("sub".to_owned(), Value::from(subject)),
        ]);
        Self {
            issuer,
            kind,
            tenant_claim: "tenant".into(),
            key_id: None,
            subject_suffices: true,
            claims,
        }
    }

    /// Sets any claim but `iss` and `sub`: `exp`, `iat`, `jti`, `scope`, `sid`, `client_id`, `acr`, `amr`,
    /// `auth_time`, `act`, or one of the caller's own.
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        if !matches!(name, "iss" | "sub") {
            self.claims.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Which claim names the tenant.
    pub(crate) fn tenant_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.tenant_claim = name.into();
        self
    }

    /// The id of the key that vouches for it.
    pub(crate) fn key_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.key_id = Some(id.into());
        self
    }

    /// As from a verifier that takes users of several issuers.
    #[cfg(test)]
    pub(crate) fn among_several_issuers(mut self) -> Self {
        self.subject_suffices = false;
        self
    }

    /// The caller; without `exp` it has no end.
    ///
    /// # Errors
    ///
    /// [`Reason::Claims`] for a known claim of a wrong type, [`Reason::MissingClaim`] for an empty subject.
    pub(crate) fn build(self) -> Result<Principal, Reason> {
        let json = Value::Object(self.claims).to_string();
        let mut claims = Claims::parse(&json).map_err(|_| Reason::Claims)?;
        let origin = Origin {
            issuer: self.issuer,
            kind: self.kind,
            expires_at_s: claims.expires_s.unwrap_or(MAX_S),
            key_id: self.key_id.as_deref(),
            tenant_claim: &self.tenant_claim,
            scope: None,
            client_id: None,
            subject_issuer: None,
            subject_suffices: self.subject_suffices,
        };
        Principal::assemble(&mut claims, origin)
    }
}

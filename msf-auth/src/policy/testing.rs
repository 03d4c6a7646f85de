//! Callers that no verifier has seen.

use std::sync::Arc;

use serde_json::Value;

use crate::principal::{Principal, PrincipalKind};

/// A caller with these further claims.
pub(crate) fn caller(
    issuer: &str,
    kind: PrincipalKind,
    subject: &str,
    scope: &str,
    claims: Value,
) -> Principal {
    let Value::Object(claims) = claims else {
        panic!("claims are an object");
    };
    Principal {
        issuer: Arc::from(issuer),
        subject: subject.into(),
        kind,
        scope: scope.into(),
        expires_at_s: 0,
        token_id: None,
        claims: claims
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
    }
}

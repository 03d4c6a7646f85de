//! Callers that no verifier has seen.

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
    let builder = Principal::builder(issuer, subject, kind).claim("scope", scope);
    let claims = claims.into_iter();
    let builder = claims.fold(builder, |builder, (name, value)| {
        builder.claim(&name, value)
    });
    builder.build().expect("the claims are of the right types")
}

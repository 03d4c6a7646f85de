//! One key of a document (RFC 7517, RFC 7518 section 6.2, RFC 8037 section 2).

use serde::Deserialize;
use serde_json::Value;

use super::{KeyFault, VerifyingKey};
use crate::{algorithm::Algorithm, token::base64url};

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    d: Option<Value>,
}

/// The key of a JWK; without `kid` it is called by its thumbprint.
pub(super) fn parse(value: &Value) -> Result<VerifyingKey, KeyFault> {
    let jwk = Jwk::deserialize(value).map_err(|_| KeyFault::Malformed)?;
    if jwk.kty == "oct" {
        return Err(KeyFault::Symmetric);
    }
    if jwk.d.is_some() {
        return Err(KeyFault::Private);
    }
    let is_for_signatures = jwk.usage.as_ref().is_none_or(|usage| usage == "sig")
        && jwk
            .key_ops
            .as_ref()
            .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !is_for_signatures {
        return Err(KeyFault::Use);
    }
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => VerifyingKey::ed25519(&coordinate(jwk.x.as_ref())?),
        ("EC", Some("P-256")) => {
            VerifyingKey::es256(&coordinate(jwk.x.as_ref())?, &coordinate(jwk.y.as_ref())?)
        }
        _ => return Err(KeyFault::Unsupported),
    }
    .map_err(|_| KeyFault::Point)?;
    if jwk
        .alg
        .is_some_and(|alg| Algorithm::from_name(&alg) != Some(key.algorithm()))
    {
        return Err(KeyFault::Algorithm);
    }
    match jwk.kid {
        None => Ok(key),
        Some(id) => key.with_id(&id).map_err(|_| KeyFault::Id),
    }
}

/// 32 bytes for both curves (RFC 7518 section 6.2.1.2: leading zeros stay).
fn coordinate(text: Option<&String>) -> Result<[u8; 32], KeyFault> {
    let text = text.ok_or(KeyFault::Malformed)?;
    base64url::decode_array(text).ok_or(KeyFault::Point)
}

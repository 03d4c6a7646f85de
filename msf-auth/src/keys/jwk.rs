//! One key of a document (RFC 7517, RFC 7518 sections 6.2 and 6.3, RFC 8037 section 2).

use serde::Deserialize;
use serde_json::Value;

use super::{InvalidKey, KeyFault, VerifyingKey, curve::Curve, material::Material};
use crate::{algorithm::Algorithm, token::base64url};

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
}

/// The members that no public key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1), whatever their values.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The key of a JWK; without `kid` it is called by its thumbprint. `rsa` is the algorithm of an RSA key that names
/// none.
pub(super) fn parse(value: &Value, rsa: Algorithm) -> Result<VerifyingKey, KeyFault> {
    let members = value.as_object().ok_or(KeyFault::Malformed)?;
    if members.get("kty").is_some_and(|kty| kty == "oct") {
        return Err(KeyFault::Symmetric);
    }
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err(KeyFault::Private);
    }
    let jwk = Jwk::deserialize(value).map_err(|_| KeyFault::Malformed)?;
    jwk.check_use()?;
    let material = jwk.material()?;
    let algorithm = match jwk.alg.as_deref() {
        None => material.own_algorithm().unwrap_or(rsa),
        Some(name) => Algorithm::from_name(name).ok_or(KeyFault::Algorithm)?,
    };
    let key = VerifyingKey::new(material, algorithm).map_err(KeyFault::from)?;
    match jwk.kid {
        None => Ok(key),
        Some(id) => key.with_id(&id).map_err(KeyFault::from),
    }
}

impl Jwk {
    fn check_use(&self) -> Result<(), KeyFault> {
        if self.usage.as_ref().is_some_and(|usage| usage != "sig") {
            return Err(KeyFault::Use);
        }
        let Some(ops) = &self.key_ops else {
            return Ok(());
        };
        // RFC 7517 section 4.3: no value twice.
        let is_repeated = ops
            .iter()
            .enumerate()
            .any(|(index, op)| ops[..index].contains(op));
        if is_repeated {
            return Err(KeyFault::Malformed);
        }
        if ops.iter().any(|op| op == "verify") {
            Ok(())
        } else {
            Err(KeyFault::Use)
        }
    }

    fn material(&self) -> Result<Material, KeyFault> {
        let crv = || self.crv.as_deref().ok_or(KeyFault::Malformed);
        match self.kty.as_str() {
            "OKP" if crv()? == "Ed25519" => Ok(Material::ed25519(&coordinate(self.x.as_ref())?)?),
            "EC" => {
                let curve = Curve::from_name(crv()?).ok_or(KeyFault::Unsupported)?;
                let (x, y) = (coordinate(self.x.as_ref())?, coordinate(self.y.as_ref())?);
                Ok(Material::ec(curve, &x, &y)?)
            }
            "RSA" => {
                let n = number(self.n.as_ref(), KeyFault::Modulus)?;
                let e = number(self.e.as_ref(), KeyFault::Exponent)?;
                Ok(Material::rsa(&n, &e))
            }
            _ => Err(KeyFault::Unsupported),
        }
    }
}

fn coordinate(text: Option<&String>) -> Result<Vec<u8>, KeyFault> {
    number(text, KeyFault::Point)
}

fn number(text: Option<&String>, fault: KeyFault) -> Result<Vec<u8>, KeyFault> {
    let text = text.ok_or(KeyFault::Malformed)?;
    base64url::decode(text).ok_or(fault)
}

impl From<InvalidKey> for KeyFault {
    fn from(error: InvalidKey) -> Self {
        match error {
            InvalidKey::Algorithm => Self::Algorithm,
            InvalidKey::Exponent => Self::Exponent,
            InvalidKey::Id => Self::Id,
            InvalidKey::Modulus => Self::Modulus,
            InvalidKey::NotSecret | InvalidKey::TooShort => Self::Symmetric,
            InvalidKey::Private => Self::Private,
            InvalidKey::Rejected => Self::Point,
            InvalidKey::Weak => Self::Weak,
            InvalidKey::Generation => Self::Malformed,
        }
    }
}

//! Whose tokens are believed, and where services are found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{SecretText, Texts, Time};

/// Whose tokens are believed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AuthConfig {
    /// The issuers; at least one.
    pub issuers: Vec<IssuerConfig>,
    /// How far clocks may be apart.
    pub leeway: Option<Time>,
}

/// An issuer, with one of `jwks_url`, `jwks_file` and `hs256_secret`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// The exact text of `iss`; required.
    pub issuer: Option<String>,
    /// Our names in `aud`, of which a token has to have one; required.
    pub audience: Texts,
    /// Where its keys are fetched.
    pub jwks_url: Option<String>,
    /// A file with its keys, which is read again when it changes.
    pub jwks_file: Option<String>,
    /// A secret that is shared with it, of at least 32 bytes.
    pub hs256_secret: Option<SecretText>,
    /// The algorithms that are taken; `EdDSA` and `ES256` unless set, `HS256` with a secret.
    pub algorithms: Texts,
    /// The `typ` of its access tokens; `at+jwt` unless set.
    pub token_type: Option<String>,
}

/// Who mints the tokens by which services know callers; see `msf_auth::internal`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct InternalIdentityConfig {
    /// The `iss` of the tokens, such as `https://gateway.shop`; required.
    pub issuer: Option<String>,
    /// The private key, Ed25519 or P-256 in PKCS#8 PEM, best as `file:/path`; required. Services trust its public half.
    pub key: Option<SecretText>,
    /// How long a token lives, 5 s to 5 min; 30 s unless set.
    pub ttl: Option<Time>,
    /// For how long the same caller has the same token for a service, at most half of its life; 10 s unless set.
    pub keep: Option<Time>,
    /// Further claims of the caller that services need, such as `roles`.
    pub carry: Texts,
}

/// Where services are found: one of `file` and `http`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RegistryConfig {
    /// The directory of a file registry, which processes of one machine share.
    pub file: Option<String>,
    /// The URL of an HTTP registry.
    pub http: Option<String>,
    /// The token for the HTTP registry.
    pub token: Option<SecretText>,
}

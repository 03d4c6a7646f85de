#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod algorithm;
#[cfg(feature = "axum")]
pub mod axum;
mod bearer;
mod identity;
pub mod issue;
pub mod keys;
pub mod layer;
mod metrics;
#[cfg(feature = "password")]
pub mod password;
pub mod policy;
mod principal;
mod refusal;
pub mod remote;
mod token;
pub mod verify;

#[cfg(feature = "axum")]
pub use self::axum::{InvalidRoutes, SecureRouter};
#[cfg(feature = "password")]
pub use self::password::{PasswordConfig, PasswordError, Passwords};
#[cfg(feature = "jwks")]
pub use self::remote::{HttpJwks, InvalidJwksUrl};
pub use self::{
    algorithm::Algorithm,
    bearer::{BearerError, BearerSource, InvalidAuthorization, bearer_token},
    identity::{Identity, OptionalIdentity},
    issue::{KeyFileError, ServiceTokens, TokenBuilder, TokenIssuer},
    keys::{
        DuplicateKeyId, HmacKey, InvalidKey, InvalidKeySet, Key, KeyFault, KeySet, SignError,
        SigningKey, SkippedKey, VerifyingKey,
    },
    layer::{AnsweringAuthLayer, AuthLayer},
    metrics::catalogue,
    policy::{Decision, Missing, PathParams, Policy},
    principal::{Principal, PrincipalKind},
    refusal::Refusal,
    remote::{JwksFetchError, JwksSource, RemoteKeys, RemoteKeysBuilder},
    verify::{
        InvalidVerifier, Keys, Reason, TrustedIssuer, Verifier, VerifierBuilder, Verify,
        VerifyError,
    },
};

#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod algorithm;
pub mod api_key;
pub mod audit;
#[cfg(feature = "axum")]
pub mod axum;
mod bearer;
pub mod cache;
#[cfg(feature = "oauth-client")]
pub mod client_credentials;
mod flight;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod guarded;
#[cfg(doctest)]
mod guide;
pub mod headers;
mod identity;
pub mod internal;
#[cfg(feature = "oauth-client")]
pub mod introspect;
pub mod issue;
pub mod jws;
pub mod keys;
pub mod layer;
pub mod login;
mod metrics;
#[cfg(feature = "oauth")]
pub mod oauth;
#[cfg(any(feature = "jwks", feature = "oauth-client"))]
mod outbound;
#[cfg(feature = "password")]
pub mod password;
pub mod policy;
mod principal;
pub mod refresh;
mod refusal;
pub mod remote;
pub mod revocation;
pub mod store;
mod token;
pub mod verify;

#[cfg(feature = "axum")]
pub use self::axum::{InvalidRoutes, SecureRouter};
#[cfg(feature = "oauth-client")]
pub use self::client_credentials::{
    InvalidTokenClient, TokenClient, TokenClientBuilder, TokenNotReady, TokenRequestError,
};
#[cfg(feature = "oauth-client")]
pub use self::introspect::{Introspector, IntrospectorBuilder, InvalidIntrospector};
#[cfg(feature = "jsonwebtoken")]
pub use self::keys::UnknownAlgorithm;
#[cfg(any(feature = "jwks", feature = "oauth-client"))]
pub use self::outbound::InvalidEndpoint;
#[cfg(feature = "password")]
pub use self::password::{PasswordConfig, PasswordError, Passwords};
#[cfg(feature = "jwks")]
pub use self::remote::{DiscoveryError, HttpJwks, HttpJwksBuilder};
pub use self::{
    algorithm::Algorithm,
    bearer::{BearerError, BearerSource, InvalidAuthorization, bearer_token},
    cache::TokenCache,
    guarded::{Guarded, Resource},
    identity::{Identity, OptionalIdentity},
    internal::{InternalCall, InternalTokens, InternalTokensBuilder},
    issue::{
        KeyFileError, KeyRing, KeyRingError, RotationPolicy, ServiceTokens, TokenBuilder,
        TokenIssuer,
    },
    keys::{
        DuplicateKeyId, HmacKey, InvalidKey, InvalidKeySet, Key, KeyFault, KeySet, SignError,
        SigningKey, SkippedKey, VerifyingKey,
    },
    layer::{
        AnsweringAuthLayer, AuthLayer, AuthLayerBuilder, Authenticate, Authenticator,
        InvalidAuthLayer,
    },
    metrics::catalogue,
    policy::{Decide, Decider, Decision, InvalidPolicy, Missing, PathParams, Policies, Policy},
    principal::{Actor, InvalidClaims, Principal, PrincipalKind},
    refresh::{RefreshError, RefreshPolicy, RefreshTokens},
    refusal::Refusal,
    remote::{
        FileJwks, InvalidRemoteKeys, JwksDocument, JwksFetchError, JwksSource, KeysNotReady,
        RemoteKeys, RemoteKeysBuilder,
    },
    revocation::{Revocation, RevocationFeed, Revocations, RevocationsBuilder},
    verify::{
        BoundTokens, HeaderPolicy, InvalidVerifier, Keys, Provider, Reason, TrustedIssuer,
        Verifier, VerifierBuilder, Verify, VerifyError,
    },
};

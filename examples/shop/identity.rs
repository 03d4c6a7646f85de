//! Who may do what: issuers, audiences, scopes.
//!
//! Users get their tokens from the user service. The order service calls inventory and payment with
//! tokens of its own, signed with a key that they know from the shop's directory.

use std::path::Path;

use msf_auth::{Algorithm, InvalidVerifier, KeySet, Keys, Principal, TrustedIssuer, Verifier};
use msf_core::{
    BoxError,
    problem::{Code, Problem},
};

use crate::ids::UserId;

/// Who issues the tokens of users.
pub(crate) const USER_ISSUER: &str = "https://user.shop";

/// Who issues the tokens with which the order service calls others.
pub(crate) const ORDER_ISSUER: &str = "https://order.shop";

/// For whom the tokens of users are.
pub(crate) const AUDIENCE: &str = "shop";

/// Scopes that only staff has.
pub(crate) const ORDERS_ADMIN: &str = "orders:admin";
pub(crate) const USERS_ADMIN: &str = "users:admin";

/// What a user is to the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Customer,
    Staff,
}

impl Role {
    /// What a token of such a user allows.
    pub(crate) fn scopes(self) -> &'static [&'static str] {
        const STAFF: [&str; 8] = [
            "users:self",
            "orders:read",
            "orders:write",
            "payments:read",
            "catalogue:read",
            USERS_ADMIN,
            ORDERS_ADMIN,
            "inventory:admin",
        ];
        match self {
            Self::Customer => &STAFF[..5],
            Self::Staff => &STAFF,
        }
    }
}

/// A verifier of users' tokens, and in a service that the order service calls, of its tokens as well.
///
/// # Errors
///
/// [`InvalidVerifier`].
pub(crate) fn verifier(
    users: impl Into<Keys>,
    orders_at: Option<(&str, KeySet)>,
) -> Result<Verifier, InvalidVerifier> {
    let only = [Algorithm::EdDsa];
    let mut verifier = Verifier::builder().issuer(
        TrustedIssuer::new(USER_ISSUER, users)
            .audience(AUDIENCE)
            .algorithms(only),
    );
    if let Some((audience, keys)) = orders_at {
        verifier = verifier.issuer(
            TrustedIssuer::new(ORDER_ISSUER, keys)
                .audience(audience)
                .algorithms(only)
                .service("order"),
        );
    }
    verifier.build()
}

/// Reads the public keys of a service.
///
/// # Errors
///
/// When the file is missing or no key set.
pub(crate) fn read_jwks(path: &Path) -> Result<KeySet, BoxError> {
    Ok(KeySet::parse(&std::fs::read(path)?)?)
}

/// The user that calls. The user service numbers its users, so another subject is none of its tokens.
///
/// # Errors
///
/// `forbidden`, for a service.
pub(crate) fn user_of(caller: &Principal) -> Result<UserId, Problem> {
    match caller.subject().parse() {
        Ok(user) if !caller.is_service() => Ok(user),
        _ => Err(Problem::new(Code::Forbidden).with_detail("this is for users")),
    }
}

/// Whether the caller is that user or has the staff's scope.
pub(crate) fn is_or_has(caller: &Principal, user: UserId, staff: &str) -> bool {
    caller.has_scope(staff) || user_of(caller).is_ok_and(|own| own == user)
}

//! What the access tokens of known providers look like.
//!
//! RFC 9068 made the type `at+jwt` the mark of an access token. Most providers do not send it by default, so what
//! keeps their ID tokens out is another claim. A [`Shape`] says which, and where the provider puts what RFC 9068
//! puts into `aud`, `scope` and `client_id`. Where a rule can err, it errs towards a refusal.

use std::borrow::Cow;

use super::{Reason, issuer::bare_type};
use crate::{algorithm::Algorithm, internal::SUBJECT_ISSUER_CLAIM, token::Claims};

/// A provider whose access tokens [`TrustedIssuer::provider`](super::TrustedIssuer::provider) knows.
///
/// | provider | `typ` | what an access token has, and an ID token not | audience | scopes | a service, if |
/// |---|---|---|---|---|---|
/// | [`Rfc9068`](Self::Rfc9068) | `at+jwt` | the type; `client_id`, `iat` and `jti` | `aud` | `scope` | `sub` is the client |
/// | [`Keycloak`](Self::Keycloak) | `JWT`, `at+jwt` | the claim `typ` is `Bearer` | `aud` | `scope` | `client_id`, `clientId` or `preferred_username` of a service account |
/// | [`Auth0`](Self::Auth0) | `JWT`, `at+jwt` | `azp` or `client_id`, and one of `scope`, `permissions`, `gty`, `jti`; no `nonce`, `at_hash`, `c_hash` | `aud` | `scope` | `gty` is `client-credentials`, or `sub` ends in `@clients` |
/// | [`EntraId`](Self::EntraId) | `JWT` | `azp` or `appid`; no `nonce`, `at_hash`, `c_hash` | `aud` | `scp` | no `scp`, or `idtyp` is `app` |
/// | [`Okta`](Self::Okta) | none, `JWT`, `at+jwt` | `cid`; no `nonce`, `at_hash`, `c_hash` | `aud` | `scp` | no `uid`, or `sub` is the client |
/// | [`Cognito`](Self::Cognito) | none, `JWT` | `token_use` is `access` | `client_id` | `scope` | no `username`, or `sub` is the client |
/// | [`Google`](Self::Google) | `JWT` | see there | `aud` | none | `azp` is `sub`, or `email` of a service account |
///
/// The algorithm is RS256, which all of them sign with by default; for Rfc9068 also ES256 and EdDSA. Another is set
/// with [`algorithms`](super::TrustedIssuer::algorithms). A token of a service is refused unless the service is
/// named with [`service`](super::TrustedIssuer::service) by its `sub`, so that no client passes for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// Any server that issues what RFC 9068 section 2 describes.
    Rfc9068,
    /// Keycloak, whose issuer is `https://<host>/realms/<realm>`. An audience has to be added there by a
    /// mapper: by default there is only `account`.
    Keycloak,
    /// Auth0, both profiles of access tokens. The issuer `https://<tenant>.auth0.com/` ends with a slash.
    Auth0,
    /// Microsoft Entra ID, versions 1.0 and 2.0 of access tokens, of one tenant:
    /// `https://login.microsoftonline.com/<tenant id>/v2.0`. What an application without a user may do is not in
    /// the scopes but in the claim `roles`. With continuous access evaluation tokens live up to 28 h, for which
    /// [`lifetime_max`](super::VerifierBuilder::lifetime_max) has to be raised.
    EntraId,
    /// A custom authorization server of Okta, `https://<domain>/oauth2/<id>`. The tokens of the server
    /// without an id are for Okta itself and are refused.
    Okta,
    /// An Amazon Cognito user pool, `https://cognito-idp.<region>.amazonaws.com/<pool>`. Its access tokens name no
    /// audience but the client, so [`audience`](super::TrustedIssuer::audience) takes the ids of app clients.
    Cognito,
    /// Google, `https://accounts.google.com`. Google's access tokens are not JWTs: what services get, on Cloud Run
    /// and after a login, are ID tokens, and those are what is taken. Only the audience tells for whom they
    /// are: give a client id or URL that is of this service alone.
    Google,
}

/// Where things are in an access token, and what shows that it is one.
#[derive(Debug)]
pub(super) struct Shape {
    /// The types of the header; empty for the one that was configured.
    pub(super) types: &'static [&'static str],
    pub(super) may_lack_type: bool,
    pub(super) algorithms: &'static [Algorithm],
    /// Where the audience is.
    pub(super) audience: Audience,
    /// Claims that have to have exactly this value.
    marks: &'static [(&'static str, &'static str)],
    /// Of each group one claim has to be there.
    required: &'static [&'static [&'static str]],
    /// No such claim may be there.
    refused: &'static [&'static str],
    scope: &'static str,
    /// Where the OAuth client is; the first that is there.
    client: &'static [&'static str],
    is_service: fn(&Claims<'_>, client: Option<&str>) -> bool,
    /// The claim that says who named the subject, where that is not the issuer.
    pub(super) subject_issuer: Option<&'static str>,
    /// The claim that names the tenant.
    pub(super) tenant: &'static str,
}

/// The claim that says for whom a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Aud,
    ClientId,
}

/// What a shape found in the claims.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    pub(super) scope: Option<Cow<'a, str>>,
    pub(super) client_id: Option<Cow<'a, str>>,
    pub(super) is_service: bool,
    pub(super) subject_issuer: Option<Cow<'a, str>>,
}

const ID_TOKEN_CLAIMS: &[&str] = &["nonce", "at_hash", "c_hash"];
const RS256: &[Algorithm] = &[Algorithm::Rs256];

/// Tokens of no known provider: the type says it all, and `msf_kind` whose they are. What is not marked so and is a
/// client's own all the same is no user's.
pub(super) static PLAIN: Shape = Shape {
    types: &[],
    may_lack_type: false,
    algorithms: &[],
    audience: Audience::Aud,
    marks: &[],
    required: &[],
    refused: &[],
    scope: "scope",
    client: &["client_id"],
    is_service: is_client,
    subject_issuer: None,
    tenant: "tenant",
};

/// Tokens that an edge mints for services inside.
pub(super) static INTERNAL: Shape = Shape {
    types: &[crate::internal::TOKEN_TYPE],
    // The subjects of two issuers may have one name; without this they would be one.
    required: &[&[SUBJECT_ISSUER_CLAIM]],
    subject_issuer: Some(SUBJECT_ISSUER_CLAIM),
    ..PLAIN
};

static RFC_9068: Shape = Shape {
    types: &["at+jwt"],
    algorithms: &[Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
    required: &[&["client_id"], &["iat"], &["jti"]],
    ..PLAIN
};

static KEYCLOAK: Shape = Shape {
    types: &["JWT", "at+jwt"],
    algorithms: RS256,
    marks: &[("typ", "Bearer")],
    client: &["azp", "client_id"],
    is_service: |claims, client| {
        let name = text(claims, "preferred_username");
        is_there(claims, "client_id")
            || is_there(claims, "clientId")
            || name.is_some_and(|name| name.starts_with("service-account-"))
            || is_client(claims, client)
    },
    ..PLAIN
};

static AUTH0: Shape = Shape {
    types: &["JWT", "at+jwt"],
    algorithms: RS256,
    required: &[
        &["azp", "client_id"],
        &["scope", "permissions", "gty", "jti"],
    ],
    refused: ID_TOKEN_CLAIMS,
    client: &["azp", "client_id"],
    is_service: |claims, client| {
        let says = |name, wanted: fn(&str) -> bool| text(claims, name).is_some_and(|t| wanted(&t));
        says("gty", |grant| grant == "client-credentials")
            || says("sub", |subject| subject.ends_with("@clients"))
            || is_client(claims, client)
    },
    tenant: "org_id",
    ..PLAIN
};

static ENTRA_ID: Shape = Shape {
    types: &["JWT"],
    algorithms: RS256,
    required: &[&["azp", "appid"]],
    refused: ID_TOKEN_CLAIMS,
    scope: "scp",
    client: &["azp", "appid"],
    is_service: |claims, _| {
        !is_there(claims, "scp") || text(claims, "idtyp").is_some_and(|kind| kind == "app")
    },
    tenant: "tid",
    ..PLAIN
};

static OKTA: Shape = Shape {
    types: &["JWT", "at+jwt"],
    may_lack_type: true,
    algorithms: RS256,
    required: &[&["cid"]],
    refused: ID_TOKEN_CLAIMS,
    scope: "scp",
    client: &["cid"],
    is_service: |claims, client| !is_there(claims, "uid") || is_client(claims, client),
    ..PLAIN
};

static COGNITO: Shape = Shape {
    types: &["JWT"],
    may_lack_type: true,
    algorithms: RS256,
    audience: Audience::ClientId,
    marks: &[("token_use", "access")],
    required: &[&["client_id"]],
    is_service: |claims, client| !is_there(claims, "username") || is_client(claims, client),
    ..PLAIN
};

static GOOGLE: Shape = Shape {
    types: &["JWT"],
    algorithms: RS256,
    // No claim of this name is Google's, so nothing becomes a scope.
    scope: "",
    client: &["azp"],
    is_service: |claims, client| {
        let email = text(claims, "email");
        email.is_some_and(|email| email.ends_with(".gserviceaccount.com"))
            || is_client(claims, client)
    },
    tenant: "hd",
    ..PLAIN
};

impl Provider {
    pub(super) const fn shape(self) -> &'static Shape {
        match self {
            Self::Rfc9068 => &RFC_9068,
            Self::Keycloak => &KEYCLOAK,
            Self::Auth0 => &AUTH0,
            Self::EntraId => &ENTRA_ID,
            Self::Okta => &OKTA,
            Self::Cognito => &COGNITO,
            Self::Google => &GOOGLE,
        }
    }
}

impl Shape {
    /// Whether the type of the header is one of the provider's.
    pub(super) fn has_type(&self, given: Option<&str>) -> bool {
        let Some(given) = given else {
            return self.may_lack_type;
        };
        let given = bare_type(given);
        self.types.iter().any(|own| own.eq_ignore_ascii_case(given))
    }

    /// What the claims say, if they are those of an access token.
    pub(super) fn read<'a>(&self, claims: &Claims<'a>) -> Result<Found<'a>, Reason> {
        let has_mark =
            |(name, wanted): &(&str, &str)| text(claims, name).is_some_and(|t| t == *wanted);
        let has_one = |group: &&[&str]| group.iter().any(|name| is_there(claims, name));
        let is_access_token = self.marks.iter().all(has_mark)
            && self.required.iter().all(has_one)
            && !self.refused.iter().any(|name| is_there(claims, name));
        if !is_access_token {
            return Err(Reason::Type);
        }
        let client_id = match self.client.iter().find(|name| is_there(claims, name)) {
            Some(name) => Some(text(claims, name).ok_or(Reason::Claims)?),
            None => None,
        };
        let subject_issuer = match self.subject_issuer {
            Some(name) => {
                let named = text(claims, name).filter(|named| !named.is_empty());
                Some(named.ok_or(Reason::Claims)?)
            }
            None => None,
        };
        Ok(Found {
            is_service: (self.is_service)(claims, client_id.as_deref()),
            scope: words(claims, self.scope)?,
            client_id,
            subject_issuer,
        })
    }
}

/// RFC 9068 section 2.2: the subject of a client's own token is the client.
fn is_client(claims: &Claims<'_>, client: Option<&str>) -> bool {
    client.is_some_and(|client| text(claims, "sub").is_some_and(|subject| subject == client))
}

fn is_there(claims: &Claims<'_>, name: &str) -> bool {
    claims.member(name).is_some()
}

fn text<'a>(claims: &Claims<'a>, name: &str) -> Option<Cow<'a, str>> {
    let text = claims.member(name)?.text()?;
    Some(claims.text(text))
}

/// Words with spaces between, or an array of words; none where `scope` itself says them.
fn words<'a>(claims: &Claims<'a>, name: &str) -> Result<Option<Cow<'a, str>>, Reason> {
    if name == "scope" {
        return Ok(None);
    }
    match claims.member(name) {
        Some(raw) => claims.words(raw).map(Some).map_err(|_| Reason::Claims),
        None => Ok(Some(Cow::Borrowed(""))),
    }
}

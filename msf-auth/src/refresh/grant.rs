//! What a session stands for, and what is asked of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::InvalidGrant;
use crate::issue::{is_own_claim, is_scope};

/// What a login granted: who, to which client, and what access tokens may say.
///
/// ```
/// use msf_auth::refresh::Grant;
///
/// let grant = Grant::new("7").client("web").scopes(["orders:read"]).claim("auth_time", 1_800_000_000);
/// assert_eq!(grant.subject(), "7");
/// assert_eq!(grant.claims()["auth_time"], 1_800_000_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct Grant {
    subject: Box<str>,
    session: Box<str>,
    client: Option<Box<str>>,
    scopes: Box<[Box<str>]>,
    claims: Map<String, Value>,
}

impl Grant {
    /// A grant to a subject, which has 1 to 256 bytes.
    pub fn new(subject: impl Into<Box<str>>) -> Self {
        Self {
            subject: subject.into(),
            session: Box::default(),
            client: None,
            scopes: Box::default(),
            claims: Map::new(),
        }
    }

    /// The session (`sid`), 1 to 128 bytes; by default one of 128 random bits. Families may share one:
    /// [`revoke_session`](super::RefreshTokens::revoke_session) ends them together, a reused token its own alone.
    pub fn session(mut self, session: impl Into<Box<str>>) -> Self {
        self.session = session.into();
        self
    }

    /// The OAuth client, 1 to 256 bytes; nobody else may use the token. By default there is none.
    pub fn client(mut self, client: impl Into<Box<str>>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// What is allowed, at most 64 scopes; default nothing.
    pub fn scopes<S: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// A further claim for the access tokens of the session, such as `auth_time`, and none that the issuer sets itself;
    /// all together at most 4 KiB, and nested at most 32 deep.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Who logged in.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The id of the session; empty only before the grant was issued.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session
    }

    /// The client, if it was issued to one.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// What was granted.
    #[must_use]
    pub fn granted_scopes(&self) -> &[Box<str>] {
        &self.scopes
    }

    /// Further claims of the access tokens.
    #[must_use]
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    pub(super) fn check(&self) -> Result<(), InvalidGrant> {
        let within = |field, text: &str, max| {
            if (1..=max).contains(&text.len()) {
                return Ok(());
            }
            Err(InvalidGrant::Length { field, max })
        };
        within("subject", &self.subject, SUBJECT_BYTES_MAX)?;
        within("session", &self.session, SESSION_BYTES_MAX)?;
        if let Some(client) = &self.client {
            within("client", client, CLIENT_BYTES_MAX)?;
        }
        let is_good = |scope: &str| scope.len() <= SCOPE_BYTES_MAX && is_scope(scope);
        if self.scopes.len() > SCOPES_MAX || !self.scopes.iter().all(|scope| is_good(scope)) {
            return Err(InvalidGrant::Scopes);
        }
        // What cannot be signed or read again would only show when the token is exchanged.
        if let Some(name) = self.claims.keys().find(|name| is_own_claim(name)) {
            let name = name.as_str().into();
            return Err(InvalidGrant::Claim { name });
        }
        if !self
            .claims
            .values()
            .all(|value| is_within(DEPTH_MAX, value))
        {
            return Err(InvalidGrant::Claims);
        }
        let claims = serde_json::to_string(&self.claims).map_err(|_| InvalidGrant::Claims)?;
        if claims.len() > CLAIMS_BYTES_MAX {
            return Err(InvalidGrant::Claims);
        }
        Ok(())
    }
}

const SUBJECT_BYTES_MAX: usize = 256;
const SESSION_BYTES_MAX: usize = 128;
const CLIENT_BYTES_MAX: usize = 256;
const SCOPES_MAX: usize = 64;
const SCOPE_BYTES_MAX: usize = 256;
/// What an access token takes as a whole is 8 KiB.
const CLAIMS_BYTES_MAX: usize = 4096;

/// What a verifier takes.
const DEPTH_MAX: u8 = 32;

fn is_within(depth: u8, value: &Value) -> bool {
    let Some(below) = depth.checked_sub(1) else {
        return !value.is_array() && !value.is_object();
    };
    match value {
        Value::Array(values) => values.iter().all(|value| is_within(below, value)),
        Value::Object(members) => members.values().all(|value| is_within(below, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// A token as somebody brings it.
#[derive(Clone)]
#[must_use]
pub struct Presented<'a> {
    token: &'a str,
    client: Option<&'a str>,
    scopes: Option<Box<[&'a str]>>,
}

impl<'a> Presented<'a> {
    /// A token, as it came.
    pub const fn new(token: &'a str) -> Self {
        Self {
            token,
            client: None,
            scopes: None,
        }
    }

    /// The client that brings it, after it has said who it is. Has to be the one of the grant.
    pub const fn client(mut self, client: &'a str) -> Self {
        self.client = Some(client);
        self
    }

    /// The scopes that are asked for now, which have to be of those that were granted; default all. What was granted
    /// stays (RFC 6749 section 6).
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.scopes = Some(scopes.into_iter().collect());
        self
    }

    pub(super) const fn token(&self) -> &'a str {
        self.token
    }

    pub(super) const fn client_id(&self) -> Option<&'a str> {
        self.client
    }

    /// The scopes of the next access token; `None` when more is asked for than was granted.
    pub(super) fn narrow(&self, grant: &Grant) -> Option<Box<[Box<str>]>> {
        let Some(asked) = &self.scopes else {
            return Some(grant.scopes.clone());
        };
        if asked.len() > SCOPES_MAX {
            return None;
        }
        let mut scopes: Vec<Box<str>> = Vec::new();
        for &scope in asked {
            if !grant.scopes.iter().any(|granted| **granted == *scope) {
                return None;
            }
            if !scopes.iter().any(|known| **known == *scope) {
                scopes.push(scope.into());
            }
        }
        Some(scopes.into())
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("client", &self.client)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

//! The server that knows passwords and signs tokens.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{Router, extract::State, routing::post};
use http::StatusCode;
use msf_auth::{
    Identity, KeyRing, PasswordConfig, Passwords, RefreshPolicy, RefreshTokens, Revocation,
    Revocations, RotationPolicy, SecureRouter, TokenIssuer, TrustedIssuer, Verifier,
    login::{Attempt, LoginError, LoginLimiter, Logins},
    oauth::{Client, GrantType, MemoryClients, OAuth},
    password::PasswordHash,
    policy::{authenticated, scope},
    refresh::{Grant, MemoryRefreshStore},
};
use msf_core::{
    BoxError,
    axum::Json,
    config::Secret,
    problem::{Code, Problem},
    task::Task,
};
use serde::{Deserialize, Serialize};

/// Everything that id knows.
pub(crate) struct Id {
    issuer: TokenIssuer,
    ring: KeyRing,
    logins: Logins,
    users: Vec<User>,
    refresh: RefreshTokens,
    revocations: Revocations,
}

struct User {
    name: &'static str,
    number: &'static str,
    password: PasswordHash,
    scopes: &'static [&'static str],
}

const USERS: [(&str, &str, &str, &[&str]); 3] = [
    ("ada", "7", "lovelace-1815", &["notes:read", "notes:write"]),
    ("bob", "8", "builder-1998", &["notes:read"]),
    ("root", "1", "toor-1969", &["keys:rotate"]),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    name: String,
    password: Secret<String>,
}

#[derive(Serialize)]
struct Tokens {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: String,
}

impl Id {
    pub(crate) async fn open(
        url: &str,
        keys: &Path,
        revocations: Revocations,
    ) -> Result<Self, BoxError> {
        // Short, so that there is something to see; in earnest the defaults are days.
        let policy = RotationPolicy::default()
            .period(Duration::from_secs(120))
            .staging(Duration::from_secs(3))
            .jwks_max_age(Duration::from_secs(1))
            .skew(Duration::from_secs(1))
            .reload(Duration::from_secs(1))
            .token_ttl_max(ACCESS_TTL);
        let ring = KeyRing::builder(keys).policy(policy).open()?;
        let passwords = Passwords::new(PasswordConfig::default())?;
        let mut users = Vec::new();
        for (name, number, password, scopes) in USERS {
            users.push(User {
                name,
                number,
                password: passwords.hash(Secret::new(password.into())).await?,
                scopes,
            });
        }
        Ok(Self {
            issuer: TokenIssuer::with_ring(url, ring.clone()),
            ring,
            logins: Logins::new(passwords, LoginLimiter::builder().build()?),
            users,
            refresh: RefreshTokens::new(MemoryRefreshStore::new(), RefreshPolicy::default())?,
            revocations,
        })
    }

    pub(crate) fn keep_rotating(&self) -> Task<()> {
        self.ring.keep_rotating()
    }

    pub(crate) fn router(self) -> Result<Router, BoxError> {
        let trusted =
            TrustedIssuer::new(self.issuer.issuer(), self.issuer.jwks()).audience("notes");
        let verifier = Verifier::builder()
            .issuer(trusted)
            .revocations(self.revocations.clone())
            .build()?;
        let clients = MemoryClients::new();
        clients.insert(
            Client::new("web") // in a browser, so without a secret: it may only refresh
                .grant(GrantType::RefreshToken)
                .scopes(["notes:read", "notes:write", "keys:rotate"])
                .audience("notes")
                .token_ttl(ACCESS_TTL),
        )?;
        let oauth = OAuth::builder(self.issuer.clone())
            .clients(clients)
            .refresh_tokens(self.refresh.clone())
            .revocations(self.revocations.clone())
            .build()?;
        let own = SecureRouter::new(verifier)
            .public("/login", post(log_in))
            .route("/logout", authenticated(), post(log_out))
            .route("/rotate", scope("keys:rotate"), post(rotate))
            .into_router()?;
        Ok(own.with_state(Arc::new(self)).merge(oauth.router()))
    }
}

async fn log_in(
    State(id): State<Arc<Id>>,
    Json(given): Json<Credentials>,
) -> Result<Json<Tokens>, Problem> {
    let user = id.users.iter().find(|user| user.name == given.name);
    let attempt = Attempt::new(&given.name);
    let stored = user.map(|user| user.password.clone());
    let done = id.logins.log_in(attempt, given.password, stored).await;
    let (Ok(_), Some(user)) = (&done, user) else {
        return Err(match done {
            Err(LoginError::Limited { retry_after }) => {
                Problem::new(Code::RateLimited).with_retry_after(retry_after)
            }
            Err(LoginError::Unavailable(error)) => error.into(),
            _ => Problem::new(Code::Unauthenticated).with_detail("name or password is wrong"),
        });
    };
    let grant = Grant::new(user.number)
        .client("web")
        .scopes(user.scopes.iter().copied());
    let issued = id.refresh.issue(grant).await?;
    let access = id
        .issuer
        .token(user.number)
        .audience("notes")
        .client("web")
        .scopes(user.scopes)
        .ttl(ACCESS_TTL)
        .claim("sid", issued.grant.session_id())
        .sign()
        .map_err(BoxError::from)?;
    Ok(Json(Tokens {
        access_token: access,
        token_type: "Bearer",
        expires_in: ACCESS_TTL.as_secs(),
        refresh_token: issued.token.expose().clone(),
    }))
}

/// Ends the session: its refresh token, and the access tokens that are still out.
async fn log_out(caller: Identity, State(id): State<Arc<Id>>) -> Result<StatusCode, Problem> {
    if let Some(session) = caller.session_id() {
        id.refresh.revoke_session(session).await?;
    }
    id.revocations
        .apply(&Revocation::session(&caller, std::time::SystemTime::now()));
    Ok(StatusCode::NO_CONTENT)
}

/// The staged key signs from now on, if verifiers have had the time to hear of it; what the one before has signed stays
/// good.
async fn rotate(State(id): State<Arc<Id>>) -> Result<Json<Vec<String>>, Problem> {
    let changes = id.ring.rotate_early().await.map_err(BoxError::from)?;
    if changes.is_empty() {
        let detail = "the staged key has not been published for long enough";
        return Err(Problem::new(Code::Conflict).with_detail(detail));
    }
    let keys = id.ring.keys();
    let said = keys
        .iter()
        .map(|key| format!("{} {}", key.state.as_str(), key.key_id));
    Ok(Json(said.collect()))
}

const ACCESS_TTL: Duration = Duration::from_secs(300);

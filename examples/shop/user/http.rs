//! The user service's routes.

use axum::{
    Router,
    extract::State,
    response::{AppendHeaders, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderName, StatusCode, header};
use msf_auth::{
    Identity, InvalidRoutes, SecureRouter, TokenIssuer, Verifier,
    policy::{any, scope},
};
use msf_core::{
    axum::{Json, Path, Query},
    clock::WallClock,
    config::Secret,
    problem::{Code, Problem},
};
use serde::{Deserialize, Serialize};

use super::{
    domain::{Email, Faults, Profile, User},
    login::Login,
    store::{self, Changes, Updated},
};
use crate::{
    db::DbError,
    identity::{AUDIENCE, Role, USERS_ADMIN, is_or_has},
    ids::UserId,
    page,
    timestamp::Timestamp,
};

#[derive(Clone)]
pub(super) struct App {
    pub(super) login: Login,
    pub(super) issuer: TokenIssuer,
    pub(super) clock: WallClock,
}

pub(super) fn router(app: App, verifier: Verifier) -> Result<Router, InvalidRoutes> {
    let staff = || scope(USERS_ADMIN);
    // Whose profile it is decides the handler: to others it does not exist.
    let self_or_staff = || any([scope("users:self"), staff()]);
    Ok(SecureRouter::new(verifier)
        .public("/.well-known/jwks.json", get(jwks))
        .public("/api/users/register", post(register))
        .public("/api/users/login", post(log_in))
        .route("/api/users", staff(), get(list))
        .route(
            "/api/users/{id}",
            self_or_staff(),
            get(show).put(update).delete(remove),
        )
        .into_router()?
        .with_state(app))
}

async fn jwks(State(app): State<App>) -> Response {
    app.issuer.jwks_response()
}

// Passwords in requests are plain strings until they are here: a `Secret` that is read from JSON follows
// `file:` and `env:`, which is right for a configuration and wrong for strangers.

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    name: String,
    email: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    email: String,
    password: String,
}

/// Both a new account and a login are answered with it.
#[derive(Serialize)]
struct Session {
    id: UserId,
    name: String,
    email: Email,
    token: String,
}

type NoStore = AppendHeaders<[(HeaderName, &'static str); 1]>;

const NO_STORE: NoStore = AppendHeaders([(header::CACHE_CONTROL, "no-store")]);

async fn register(
    State(app): State<App>,
    Json(request): Json<Register>,
) -> Result<(StatusCode, NoStore, Json<Session>), Problem> {
    let mut faults = Faults::default();
    let name = faults.name(&request.name);
    let email = faults.email(&request.email);
    let password = faults.password(request.password, &name, email.as_ref());
    faults.check()?;
    let Some(email) = email else {
        return Err(Problem::new(Code::ValidationFailed));
    };
    let hash: String = app.login.passwords.hash(password).await?.into();
    let now = Timestamp::now(app.clock);
    let created = {
        let (name, email) = (name.clone(), email.clone());
        app.login
            .db
            .write::<_, DbError>(move |tx| {
                store::create(tx, &name, &email, &hash, Role::Customer, now)
            })
            .await?
    };
    let id = created.ok_or_else(email_taken)?;
    let session = app.session(id, name, email, Role::Customer)?;
    Ok((StatusCode::CREATED, NO_STORE, Json(session)))
}

async fn log_in(
    State(app): State<App>,
    Json(request): Json<LogIn>,
) -> Result<(NoStore, Json<Session>), Problem> {
    let mut faults = Faults::default();
    let email = faults.email(&request.email);
    faults.check()?;
    let Some(email) = email else {
        return Err(Problem::new(Code::ValidationFailed));
    };
    let now = Timestamp::now(app.clock);
    let password = Secret::new(request.password);
    let user = app.login.check(email, password, now).await?;
    let session = app.session(user.id, user.name, user.email, user.role)?;
    Ok((NO_STORE, Json(session)))
}

impl App {
    fn session(
        &self,
        id: UserId,
        name: String,
        email: Email,
        role: Role,
    ) -> Result<Session, Problem> {
        let token = self
            .issuer
            .token(&id.to_string())
            .audience(AUDIENCE)
            .scopes(role.scopes())
            .sign()
            .map_err(|error| Problem::new(Code::Internal).with_source(error))?;
        Ok(Session {
            id,
            name,
            email,
            token,
        })
    }

    /// A user that the caller may know of.
    async fn visible(&self, caller: &Identity, id: UserId) -> Result<User, Problem> {
        let not_found =
            || Problem::new(Code::NotFound).with_detail(format!("there is no user {id}"));
        if !is_or_has(caller, id, USERS_ADMIN) {
            return Err(not_found());
        }
        let user = self
            .login
            .db
            .read::<_, DbError>(move |tx| store::by_id(tx, id))
            .await?;
        user.ok_or_else(not_found)
    }
}

async fn list(
    State(app): State<App>,
    Query(query): Query<page::Query>,
) -> Result<(HeaderMap, Json<Vec<Profile>>), Problem> {
    let (after, limit) = query.bounds();
    let users = app
        .login
        .db
        .read::<_, DbError>(move |tx| store::users(tx, after, limit))
        .await?;
    let last = users.last().map(|user| user.id);
    let next = page::next("/api/users", "after", users.len(), limit, last);
    Ok((next, Json(users.into_iter().map(Profile::from).collect())))
}

async fn show(
    State(app): State<App>,
    caller: Identity,
    Path(id): Path<UserId>,
) -> Result<Json<Profile>, Problem> {
    Ok(Json(app.visible(&caller, id).await?.into()))
}

/// What is left out stays. An address or a password changes only for who knows the password: a stolen
/// token, or staff, cannot take an account over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    name: Option<String>,
    email: Option<String>,
    password: Option<String>,
    current_password: Option<String>,
}

async fn update(
    State(app): State<App>,
    caller: Identity,
    Path(id): Path<UserId>,
    Json(request): Json<Update>,
) -> Result<Json<Profile>, Problem> {
    let mut user = app.visible(&caller, id).await?;
    let mut faults = Faults::default();
    let name = request.name.map(|name| faults.name(&name));
    let email = request.email.and_then(|email| faults.email(&email));
    let email = email.filter(|email| *email != user.email);
    let password = request.password.map(|password| {
        let name = name.as_ref().unwrap_or(&user.name);
        faults.password(password, name, Some(email.as_ref().unwrap_or(&user.email)))
    });
    let is_delicate = email.is_some() || password.is_some();
    if is_delicate && request.current_password.is_none() {
        faults.other(
            "/current_password",
            "is needed for another address or password",
        );
    }
    faults.check()?;

    let now = Timestamp::now(app.clock);
    if let Some(current) = request.current_password {
        user = app.login.confirm(user, Secret::new(current), now).await?;
    }
    let hash = match password {
        Some(password) => Some(app.login.passwords.hash(password).await?.into()),
        None => None,
    };
    let changes = Changes { name, email, hash };
    let updated = app
        .login
        .db
        .write::<_, DbError>(move |tx| store::update(tx, &user, &changes, now))
        .await?;
    match updated {
        Updated::Done(user) => Ok(Json(user.into())),
        Updated::EmailTaken => Err(email_taken()),
        Updated::Gone => Err(Problem::new(Code::Conflict)
            .with_detail("the user was changed by somebody else; read it again")),
    }
}

async fn remove(
    State(app): State<App>,
    caller: Identity,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Problem> {
    app.visible(&caller, id).await?;
    app.login
        .db
        .write::<_, DbError>(move |tx| store::delete(tx, id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn email_taken() -> Problem {
    Problem::new(Code::Conflict).with_detail("there is an account with this address")
}

//! The server that trusts id's keys and nobody's word.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{Router, extract::State, routing::get};
use http::StatusCode;
use msf_auth::{
    Guarded, HttpJwks, Identity, RemoteKeys, Resource, Revocations, SecureRouter, TokenCache,
    TrustedIssuer, Verifier,
    guarded::{Action, Owner},
    policy::{authenticated, scope},
};
use msf_core::{
    BoxError,
    axum::{Json, Path},
    problem::Problem,
};
use serde::{Deserialize, Serialize};

/// A note, and whose it is.
#[derive(Clone, Serialize)]
struct Note {
    number: usize,
    text: String,
    #[serde(skip)]
    owner: String,
}

impl Resource for Note {
    fn owner(&self) -> Owner<'_> {
        Owner::user(&*self.owner)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewNote {
    text: String,
}

#[derive(Default)]
struct Notes(Mutex<Vec<Note>>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Vec<Note>> {
        // Each change is one push.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody gets a note from here without saying who asks.
    fn find(&self, number: usize) -> Guarded<Note> {
        Guarded::found(self.lock().get(number.wrapping_sub(1)).cloned())
    }
}

/// Where everything is found out from the address of the issuer: its keys, and where they are.
pub(crate) fn router(issuer: &str, revocations: Revocations) -> Result<Router, BoxError> {
    let jwks = HttpJwks::discovery(issuer).allow_http_loopback().build()?;
    let keys = RemoteKeys::builder(jwks).name("id").build()?;
    let trusted = TrustedIssuer::new(issuer, keys).audience("notes");
    let verifier = Verifier::builder()
        .issuer(trusted)
        .cache(TokenCache::default())
        .revocations(revocations)
        .build()?;
    let router = SecureRouter::new(verifier)
        .route("/whoami", authenticated(), get(whoami))
        .route("/notes", scope("notes:write"), axum::routing::post(add))
        .route("/notes/{number}", scope("notes:read"), get(show))
        .into_router()?;
    Ok(router.with_state(Arc::new(Notes::default())))
}

async fn whoami(caller: Identity) -> String {
    let scopes: Vec<&str> = caller.scopes().collect();
    format!(
        "user {} with {} by key {}\n",
        caller.subject(),
        scopes.join(" "),
        caller.key_id().unwrap_or("-")
    )
}

async fn add(
    caller: Identity,
    State(notes): State<Arc<Notes>>,
    Json(new): Json<NewNote>,
) -> (StatusCode, Json<Note>) {
    let mut notes = notes.lock();
    let note = Note {
        number: notes.len() + 1,
        text: new.text,
        owner: caller.subject().to_owned(),
    };
    notes.push(note.clone());
    (StatusCode::CREATED, Json(note))
}

async fn show(
    caller: Identity,
    State(notes): State<Arc<Notes>>,
    Path(number): Path<usize>,
) -> Result<Json<Note>, Problem> {
    Ok(Json(notes.find(number).authorize(&caller, Action::READ)?))
}

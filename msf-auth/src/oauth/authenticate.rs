//! Who asks (RFC 6749 section 2.3).

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use tokio::time;

use super::{
    Client, OAuth,
    client::{is_client_id, prove_nothing},
    error::Fault,
    form::{self, Form},
};
use crate::audit::{Event, Kind};

/// What somebody says about who they are. It has a secret, so nothing prints it.
struct Credentials {
    id: String,
    secret: Option<String>,
}

/// A store that takes longer is as good as away.
pub(super) const LOOKUP_MAX: Duration = Duration::from_secs(2);
/// Twice the longest id and secret, encoded.
const BASIC_LEN_MAX: usize = 1_024;

impl OAuth {
    /// The client that sent the request.
    pub(super) async fn authenticate(
        &self,
        headers: &HeaderMap,
        form: &Form,
    ) -> Result<Arc<Client>, Fault> {
        let credentials = credentials(headers, form)?;
        // What is no id is not looked up, and takes as long as nobody.
        let found = if is_client_id(&credentials.id) {
            self.find_client(&credentials.id).await?
        } else {
            None
        };
        if let (None, Some(secret)) = (&found, &credentials.secret) {
            prove_nothing(secret);
        }
        match found {
            Some(client) if is_proven(&client, &credentials) => {
                let event = Event::new(Kind::ClientAuthenticated).client(client.id());
                self.0.audit.record(&event);
                Ok(client)
            }
            known => {
                let mut event = Event::new(Kind::ClientRefused);
                // What is nobody's id may be a token or a password in the wrong place.
                if let Some(client) = &known {
                    event = event.client(client.id());
                }
                self.0.audit.record(&event);
                Err(Fault::Client)
            }
        }
    }

    async fn find_client(&self, id: &str) -> Result<Option<Arc<Client>>, Fault> {
        match time::timeout(LOOKUP_MAX, self.0.clients.find(id)).await {
            // A store that compares without case would give two names to one client.
            Ok(Ok(found)) => Ok(found.filter(|client| client.id() == id)),
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(target: "msf_auth::oauth", error, "the clients cannot be read");
                Err(Fault::Unavailable)
            }
            Err(_) => {
                tracing::error!(target: "msf_auth::oauth", "the clients were not read in time");
                Err(Fault::Unavailable)
            }
        }
    }
}

fn is_proven(client: &Client, credentials: &Credentials) -> bool {
    match &credentials.secret {
        Some(secret) => client.proves(secret),
        None => client.is_public(),
    }
}

/// In the header or in the form, never in both.
fn credentials(headers: &HeaderMap, form: &Form) -> Result<Credentials, Fault> {
    let (id, secret) = (form.get("client_id"), form.get("client_secret"));
    if form.get("client_assertion").is_some() || form.get("client_assertion_type").is_some() {
        return Err(Fault::Request("client assertions are not taken"));
    }
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(Credentials {
            id: id.ok_or(Fault::Client)?.to_owned(),
            secret: secret.map(str::to_owned),
        });
    };
    if values.next().is_some() {
        return Err(Fault::Request("there are several Authorization headers"));
    }
    if secret.is_some() {
        return Err(Fault::Request("the client authenticates in two ways"));
    }
    let basic = basic(value.as_bytes()).ok_or(Fault::Client)?;
    if id.is_some_and(|id| id != basic.id) {
        return Err(Fault::Request("there are two client ids"));
    }
    Ok(basic)
}

/// RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
fn basic(value: &[u8]) -> Option<Credentials> {
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") || encoded.len() > BASIC_LEN_MAX {
        return None;
    }
    let decoded = STANDARD.decode(encoded).ok()?;
    let colon = decoded.iter().position(|b| *b == b':')?;
    let secret = form::decode(&decoded[colon + 1..])?;
    Some(Credentials {
        id: form::decode(&decoded[..colon])?,
        // An empty one is none, but a public client has no business here.
        secret: Some(secret),
    })
}

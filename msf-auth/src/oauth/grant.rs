//! `POST /oauth/token`.

use std::{collections::BTreeSet, time::Duration};

use http::HeaderMap;
use serde_json::{Map, Value, json};
use tokio::time;

use super::{
    Client, GrantType, OAuth, authenticate::LOOKUP_MAX, error::Fault, exchange::TOKEN_EXCHANGE,
    form::Form, revoke::is_over,
};
use crate::{
    audit::{Event, Kind},
    issue::{TokenBuilder, is_own_claim, is_scope},
    refresh::{Grant, Presented, RefreshError, RefreshTokens, Verdict},
};

/// A refresh token and what goes with it.
struct Refreshed {
    token: String,
}

impl OAuth {
    pub(super) async fn grant(&self, headers: &HeaderMap, form: &Form) -> Result<Value, Fault> {
        let client = self.authenticate(headers, form).await?;
        let grant = form
            .get("grant_type")
            .ok_or(Fault::Request("`grant_type` is missing"))?;
        match grant {
            "client_credentials" => {
                allow(&client, GrantType::ClientCredentials)?;
                self.client_credentials(&client, form)
            }
            "refresh_token" => {
                let refresh = self.0.refresh.as_ref().ok_or(Fault::GrantType)?;
                allow(&client, GrantType::RefreshToken)?;
                self.refresh(refresh, &client, form).await
            }
            TOKEN_EXCHANGE => {
                let verifier = self.0.verifier.as_ref().ok_or(Fault::GrantType)?;
                allow(&client, GrantType::TokenExchange)?;
                self.exchange(verifier, &client, form).await
            }
            _ => Err(Fault::GrantType),
        }
    }

    /// RFC 6749 section 4.4. Without a refresh token: whoever has the secret can ask again.
    fn client_credentials(&self, client: &Client, form: &Form) -> Result<Value, Fault> {
        let audience = target(client, form)?;
        let scopes: Vec<&str> = match asked(form)? {
            Some(scopes) if scopes.iter().all(|scope| client.may_have(scope)) => {
                scopes.into_iter().collect()
            }
            Some(_) => return Err(Fault::Scope),
            None => client.all_scopes().collect(),
        };
        let ttl = self.ttl(client);
        let token = self.0.issuer.token(client.id());
        let token = token
            .audience(audience)
            .scopes(&scopes)
            .service(true)
            .client(client.id())
            .ttl(ttl);
        let token = self.sign(token, Kind::TokenIssued, client, client.id())?;
        Ok(answer(&token, ttl, &scopes, None))
    }

    async fn refresh(
        &self,
        refresh: &RefreshTokens,
        client: &Client,
        form: &Form,
    ) -> Result<Value, Fault> {
        let presented = form
            .get("refresh_token")
            .ok_or(Fault::Request("`refresh_token` is missing"))?;
        let audience = target(client, form)?;
        let asked = asked(form)?;

        let judged = refresh
            .judged(presented)
            .await
            .map_err(|error| fault(&error))?;
        // That of another client is refused below, and costs its session nothing.
        let judged = judged.filter(|(family, _)| family.grant().client_id() == Some(client.id()));
        let mut claims = None;
        match &judged {
            // Before the token is used up: a user that is gone, or a store that is away, must not cost the session of
            // one that is not.
            Some((family, Verdict::Rotate | Verdict::Repeat)) => {
                claims = Some(self.claims(refresh, family.grant()).await?);
            }
            // Before the family ends: who breaks off in between must not keep the access tokens. Also when it has
            // ended already, since a list in memory is empty after a restart.
            Some((family, Verdict::Reused | Verdict::Revoked)) => {
                self.take_session_back(family.grant());
            }
            _ => {}
        }

        let mut rotation = Presented::new(presented).client(client.id());
        if let Some(scopes) = asked {
            rotation = rotation.scopes(scopes);
        }
        let rotated = match (refresh.rotate(&rotation).await, &judged) {
            (Ok(rotated), _) => rotated,
            (Err(error), Some((family, _))) if is_over(&error) => {
                self.end_after_theft(refresh, &error, family.grant()).await;
                return Err(fault(&error));
            }
            (Err(error), _) => return Err(fault(&error)),
        };
        // It was not good a moment ago, so nobody was asked about its subject; the same token can be sent again.
        let claims = claims.ok_or(Fault::Unavailable)?;
        let subject = rotated.grant.subject();

        // What the client may have can have become less since the login.
        let scopes = rotated.scopes.iter().map(|scope| &**scope);
        let scopes: Vec<&str> = scopes.filter(|scope| client.may_have(scope)).collect();
        let ttl = self.ttl(client);
        let mut token = self
            .0
            .issuer
            .token(subject)
            .audience(audience)
            .scopes(&scopes)
            .client(client.id())
            .ttl(ttl);
        for (name, value) in claims {
            token = token.claim(name, value);
        }
        let token = self.sign(token, Kind::TokenIssued, client, subject)?;
        let successor = Refreshed {
            token: rotated.token.expose().clone(),
        };
        Ok(answer(&token, ttl, &scopes, Some(successor)))
    }

    /// What the next access token of a session says, beside what is the issuer's to say.
    async fn claims(
        &self,
        refresh: &RefreshTokens,
        grant: &Grant,
    ) -> Result<Map<String, Value>, Fault> {
        let mut claims = grant.claims().clone();
        claims.extend(self.subject(refresh, grant).await?);
        claims.retain(|_, value| !value.is_null());
        // Asked now: a token that cannot be signed must not cost the session.
        if let Some(name) = claims.keys().find(|name| is_own_claim(name)) {
            tracing::error!(target: "msf_auth::oauth", name, "a claim of a session is set by the issuer");
            return Err(Fault::Internal);
        }
        claims.insert("sid".to_owned(), grant.session_id().into());
        Ok(claims)
    }

    /// What is to be said about a user now; ends the session of one that may not have tokens any more.
    async fn subject(
        &self,
        refresh: &RefreshTokens,
        grant: &Grant,
    ) -> Result<Map<String, Value>, Fault> {
        let Some(subjects) = &self.0.subjects else {
            return Ok(Map::new());
        };
        match time::timeout(LOOKUP_MAX, subjects.claims(grant.subject())).await {
            Ok(Ok(Some(claims))) => Ok(claims),
            Ok(Ok(None)) => {
                self.end_session(refresh, grant, "subject").await?;
                Err(Fault::Grant)
            }
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(target: "msf_auth::oauth", error, "the subject cannot be read");
                Err(Fault::Unavailable)
            }
            Err(_) => {
                tracing::error!(target: "msf_auth::oauth", "the subject was not read in time");
                Err(Fault::Unavailable)
            }
        }
    }

    fn ttl(&self, client: &Client) -> Duration {
        client.ttl().min(self.0.issuer.ttl_max())
    }

    /// Signs a token and says so.
    pub(super) fn sign(
        &self,
        token: TokenBuilder<'_>,
        kind: Kind,
        client: &Client,
        subject: &str,
    ) -> Result<String, Fault> {
        let token = token.sign().map_err(|error| {
            let error: &dyn std::error::Error = &error;
            tracing::error!(target: "msf_auth::oauth", error, "a token could not be issued");
            Fault::Internal
        })?;
        let event = Event::new(kind)
            .subject(subject)
            .client(client.id())
            .issuer(self.0.issuer.issuer());
        self.0.audit.record(&event);
        Ok(token)
    }
}

fn allow(client: &Client, grant: GrantType) -> Result<(), Fault> {
    if client.may(grant) {
        Ok(())
    } else {
        Err(Fault::UnauthorizedClient)
    }
}

/// The audience of the next token. It has one name here: a `resource` (RFC 8707) that is passed over would give a token
/// for something else than was asked for.
pub(super) fn target<'a>(client: &'a Client, form: &Form) -> Result<&'a str, Fault> {
    if form.get("resource").is_some() {
        return Err(Fault::Target);
    }
    client.target(form.get("audience")).ok_or(Fault::Target)
}

/// The scopes that are asked for, each once.
pub(super) fn asked(form: &Form) -> Result<Option<BTreeSet<&str>>, Fault> {
    let Some(scope) = form.get("scope") else {
        return Ok(None);
    };
    let scopes: BTreeSet<&str> = scope.split(' ').collect();
    if scopes.iter().all(|scope| is_scope(scope)) {
        Ok(Some(scopes))
    } else {
        Err(Fault::Scope)
    }
}

/// RFC 6749 section 5.1.
fn answer(token: &str, ttl: Duration, scopes: &[&str], refreshed: Option<Refreshed>) -> Value {
    let mut body = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": ttl.as_secs(),
        "scope": scopes.join(" "),
    });
    if let Some(Refreshed { token }) = refreshed {
        body["refresh_token"] = token.into();
    }
    body
}

/// What a client is told about its refresh token.
pub(super) fn fault(error: &RefreshError) -> Fault {
    if error.is_refused() {
        return Fault::Grant;
    }
    if let RefreshError::Scope = error {
        return Fault::Scope;
    }
    let source: &dyn std::error::Error = error;
    tracing::error!(target: "msf_auth::oauth", error = source, "a refresh token could not be exchanged");
    match error {
        RefreshError::Store(_) => Fault::Unavailable,
        _ => Fault::Internal,
    }
}

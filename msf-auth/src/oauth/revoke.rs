//! `POST /oauth/revoke` (RFC 7009), and what ends a session otherwise.

use http::HeaderMap;

use super::{Client, OAuth, error::Fault, form::Form, grant::fault};
use crate::{
    algorithm::Algorithm,
    audit::{Event, Kind},
    jws,
    refresh::{Grant, RefreshError, RefreshTokens},
    revocation::{Revocation, Revocations},
    token::Claims,
};

impl OAuth {
    /// A token that is not known is revoked as well as it can be.
    pub(super) async fn revoke(&self, headers: &HeaderMap, form: &Form) -> Result<(), Fault> {
        let client = self.authenticate(headers, form).await?;
        let token = form
            .get("token")
            .ok_or(Fault::Request("`token` is missing"))?;
        // The hint is not needed: only a signed token has dots.
        if token.contains('.') {
            let list = self.0.revocations.as_ref().ok_or(Fault::TokenType)?;
            return self.take_back(list, &client, token);
        }
        let refresh = self.0.refresh.as_ref().ok_or(Fault::TokenType)?;
        let judged = refresh.judged(token).await;
        let Some((family, _)) = judged.map_err(|error| fault(&error))? else {
            return Ok(());
        };
        if family.grant().client_id() != Some(client.id()) {
            return Err(Fault::Grant);
        }
        self.end_session(refresh, family.grant(), "client").await
    }

    /// Ends a session, its access tokens included (RFC 7009 section 2.1). Those first: who breaks off then sees its
    /// refresh tokens refused the next time.
    pub(super) async fn end_session(
        &self,
        refresh: &RefreshTokens,
        grant: &Grant,
        why: &str,
    ) -> Result<(), Fault> {
        self.take_session_back(grant);
        // Of all clients: their access tokens are taken back too, and another one that goes on would get only such.
        let ended = refresh.revoke_session(grant.session_id()).await;
        if ended.map_err(|error| fault(&error))? > 0 {
            self.tell_session_taken_back(grant, why);
        }
        Ok(())
    }

    /// After [`is_over`]: what belongs to the session beside the family, which has ended.
    pub(super) async fn end_after_theft(
        &self,
        refresh: &RefreshTokens,
        error: &RefreshError,
        grant: &Grant,
    ) {
        self.take_session_back(grant);
        if let RefreshError::Reused { .. } = error {
            self.tell_session_taken_back(grant, error.as_str());
        }
        // The next use of any token of the family does it again.
        if let Err(error) = refresh.revoke_session(grant.session_id()).await {
            let error: &dyn std::error::Error = &error;
            tracing::error!(target: "msf_auth::oauth", error, "other refresh tokens of a session that is over stay");
        }
    }

    /// Takes the access tokens of a session back, where that is possible.
    pub(super) fn take_session_back(&self, grant: &Grant) {
        if let Some(list) = &self.0.revocations {
            list.apply(&Revocation::Session {
                issuer: self.0.issuer.issuer().into(),
                session_id: grant.session_id().into(),
                subject: Some(grant.subject().into()),
            });
        }
    }

    fn tell_session_taken_back(&self, grant: &Grant, why: &str) {
        if self.0.revocations.is_none() {
            return;
        }
        let mut event = Event::new(Kind::TokenRevoked)
            .subject(grant.subject())
            .session(grant.session_id())
            .reason(why);
        if let Some(client) = grant.client_id() {
            event = event.client(client);
        }
        self.0.audit.record(&event);
    }

    /// By the keys alone: an audience that no verifier here takes must not make a success of nothing.
    fn take_back(&self, list: &Revocations, client: &Client, token: &str) -> Result<(), Fault> {
        let issuer = &self.0.issuer;
        let Ok(message) = jws::verify(token, &issuer.jwks(), &ALGORITHMS) else {
            return Ok(());
        };
        let claims = str::from_utf8(message.payload()).map(Claims::parse);
        let Ok(Ok(claims)) = claims else {
            return Ok(());
        };
        let text = |text| claims.text(text);
        if claims.issuer.map(text).as_deref() != Some(issuer.issuer()) {
            return Ok(());
        }
        if claims.client_id.map(text).as_deref() != Some(client.id()) {
            return Err(Fault::Grant);
        }
        let (Some(token_id), Some(subject), Some(expires_at_s)) = (
            claims.token_id.map(text),
            claims.subject.map(text),
            claims.expires_s,
        ) else {
            return Err(Fault::TokenType);
        };
        list.apply(&Revocation::Token {
            issuer: issuer.issuer().into(),
            token_id: (&*token_id).into(),
            subject: Some((&*subject).into()),
            expires_at_s,
        });
        let event = Event::new(Kind::TokenRevoked)
            .subject(&subject)
            .client(client.id())
            .token_id(&token_id);
        self.0.audit.record(&event);
        Ok(())
    }
}

/// Whether the session has ended because of the token, or before it.
pub(super) const fn is_over(error: &RefreshError) -> bool {
    matches!(error, RefreshError::Reused { .. } | RefreshError::Revoked)
}

/// What an issuer of ours signs with.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Es256];

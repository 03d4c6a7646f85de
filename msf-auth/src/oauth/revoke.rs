//! `POST /oauth/revoke` (RFC 7009).

use http::HeaderMap;
use serde_json::Value;

use super::{Client, OAuth, error::Fault, exchange::payload, form::Form, grant::fault};
use crate::{
    audit::{Event, Kind},
    refresh::{Presented, RefreshTokens},
    revocation::{Revocation, Revocations},
    verify::Verifier,
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
            let (Some(verifier), Some(list)) = (&self.0.verifier, &self.0.revocations) else {
                return Err(Fault::TokenType);
            };
            return self.take_back(verifier, list, &client, token).await;
        }
        let refresh = self.0.refresh.as_ref().ok_or(Fault::TokenType)?;
        self.end(refresh, &client, token).await
    }

    /// Ends the session of a refresh token, its access tokens included (RFC 7009 section 2.1).
    pub(super) async fn end(
        &self,
        refresh: &RefreshTokens,
        client: &Client,
        token: &str,
    ) -> Result<(), Fault> {
        let presented = Presented::new(token).client(client.id());
        let ended = refresh.revoke(&presented).await;
        let ended = ended.map_err(|error| fault(&error))?;
        if let (Some(grant), Some(list)) = (ended, &self.0.revocations) {
            list.apply(&Revocation::Session {
                issuer: self.0.issuer.issuer().into(),
                session_id: grant.session_id().into(),
                subject: Some(grant.subject().into()),
            });
        }
        Ok(())
    }

    async fn take_back(
        &self,
        verifier: &Verifier,
        list: &Revocations,
        client: &Client,
        token: &str,
    ) -> Result<(), Fault> {
        let caller = match verifier.verify(token).await {
            Ok(caller) => caller,
            Err(error) if error.is_unavailable() => return Err(Fault::Unavailable),
            Err(_) => return Ok(()),
        };
        let claims = payload(token).ok_or(Fault::Grant)?;
        let is_its_own = claims.get("client_id").and_then(Value::as_str) == Some(client.id());
        if !is_its_own || caller.issuer() != self.0.issuer.issuer() {
            return Err(Fault::Grant);
        }
        list.apply(&Revocation::token(&caller, self.0.issuer.clock().now()));
        let event = Event::new(Kind::TokenRevoked)
            .subject(caller.subject())
            .client(client.id())
            .token_id(caller.token_id().unwrap_or_default());
        self.0.audit.record(&event);
        Ok(())
    }
}

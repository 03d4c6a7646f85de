//! `POST /oauth/introspect` (RFC 7662).

use http::HeaderMap;
use serde_json::{Value, json};

use super::{Client, OAuth, error::Fault, exchange::audiences, form::Form, grant::fault};
use crate::token::KIND_CLAIM;

/// What a caller learns about a token of its own audience. With the kind: a service must not pass for the user of its
/// name.
const TOLD: [&str; 17] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "sid",
    "act",
    "tenant",
    "auth_time",
    "acr",
    "amr",
    "cnf",
    KIND_CLAIM,
];

impl OAuth {
    /// Whatever the caller may not know about is as inactive as what is not there.
    pub(super) async fn introspect(
        &self,
        headers: &HeaderMap,
        form: &Form,
    ) -> Result<Value, Fault> {
        let client = self.authenticate(headers, form).await?;
        // RFC 7662 section 4: whoever may ask without a secret may try tokens.
        if client.is_public() {
            return Err(Fault::UnauthorizedClient);
        }
        let token = form
            .get("token")
            .ok_or(Fault::Request("`token` is missing"))?;
        let told = if token.contains('.') {
            self.access_token(&client, token).await?
        } else {
            self.refresh_token(&client, token).await?
        };
        Ok(told.unwrap_or_else(|| json!({ "active": false })))
    }

    async fn access_token(&self, client: &Client, token: &str) -> Result<Option<Value>, Fault> {
        let Some(verifier) = &self.0.verifier else {
            return Ok(None);
        };
        let caller = match verifier.verify(token).await {
            Ok(caller) => caller,
            Err(error) if error.is_unavailable() => return Err(Fault::Unavailable),
            Err(_) => return Ok(None),
        };
        // The client `web` of somebody else is not our client `web`.
        if caller.issuer() != self.0.issuer.issuer() {
            return Ok(None);
        }
        let is_its_own = caller.client_id() == Some(client.id());
        if !is_its_own && !audiences(caller.claim("aud")).any(|audience| client.is(audience)) {
            return Ok(None);
        }
        // RFC 9449 section 6.2; one that is bound to a certificate comes as a bearer token (RFC 8705 section 3).
        let key = caller.claim("cnf");
        let token_type = match key.and_then(|key| key.get("jkt")) {
            Some(_) => "DPoP",
            None => "Bearer",
        };
        let mut told = json!({ "active": true, "token_type": token_type });
        for name in TOLD {
            if let Some(value) = caller.claim(name) {
                told[name] = value.clone();
            }
        }
        Ok(Some(told))
    }

    /// Only to the client that has it.
    async fn refresh_token(&self, client: &Client, token: &str) -> Result<Option<Value>, Fault> {
        let Some(refresh) = &self.0.refresh else {
            return Ok(None);
        };
        let family = refresh
            .inspect(token)
            .await
            .map_err(|error| fault(&error))?;
        Ok(family
            .filter(|family| family.grant().client_id() == Some(client.id()))
            .map(|family| {
                let grant = family.grant();
                json!({
                    "active": true,
                    "iss": self.0.issuer.issuer(),
                    "sub": grant.subject(),
                    "client_id": client.id(),
                    "scope": grant.granted_scopes().join(" "),
                    "sid": grant.session_id(),
                    "exp": family.ends_ms() / 1_000,
                    "iat": family.used_ms() / 1_000,
                })
            }))
    }
}

//! `POST /oauth/revoke` (RFC 7009).

use http::HeaderMap;

use super::{OAuth, error::Fault, form::Form, grant::fault};
use crate::refresh::Presented;

impl OAuth {
    /// A token that is not known is revoked as well as it can be.
    pub(super) async fn revoke(&self, headers: &HeaderMap, form: &Form) -> Result<(), Fault> {
        let client = self.authenticate(headers, form).await?;
        let token = form
            .get("token")
            .ok_or(Fault::Request("`token` is missing"))?;
        // A signed token, which is checked without asking anybody.
        if token.contains('.') {
            return Err(Fault::TokenType);
        }
        let Some(refresh) = &self.0.refresh else {
            return Err(Fault::TokenType);
        };
        let presented = Presented::new(token).client(client.id());
        match refresh.revoke(&presented).await {
            Ok(_) => Ok(()),
            Err(error) => Err(fault(&error)),
        }
    }
}

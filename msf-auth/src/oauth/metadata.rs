//! What the server says about itself (RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3).

use serde_json::{Value, json};

use super::{exchange::TOKEN_EXCHANGE, server::Path};
use crate::{algorithm::Algorithm, issue::TokenIssuer};

pub(super) fn document(issuer: &TokenIssuer, refreshes: bool, verifies: bool) -> Value {
    let name = issuer.issuer();
    let at = |path: Path| format!("{name}{}", path.as_str());
    let mut grants = vec!["client_credentials"];
    if refreshes {
        grants.push("refresh_token");
    }
    if verifies {
        grants.push(TOKEN_EXCHANGE);
    }
    let methods = ["client_secret_basic", "client_secret_post"];
    let mut with_public = methods.to_vec();
    if refreshes {
        with_public.push("none");
    }
    let mut document = json!({
        "issuer": name,
        "jwks_uri": at(Path::Jwks),
        "token_endpoint": at(Path::Token),
        "token_endpoint_auth_methods_supported": with_public,
        "revocation_endpoint": at(Path::Revoke),
        "revocation_endpoint_auth_methods_supported": with_public,
        "grant_types_supported": grants,
        // There is no authorization endpoint.
        "response_types_supported": Value::Array(Vec::new()),
        // No ID token is issued; readers of the OpenID document ask for these two members.
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [Algorithm::EdDsa.as_str(), Algorithm::Es256.as_str()],
    });
    if verifies {
        document["introspection_endpoint"] = at(Path::Introspect).into();
        document["introspection_endpoint_auth_methods_supported"] = json!(methods);
    }
    document
}

//! Headers by which the inside of a system tells who a caller is, and which no caller may send.
//!
//! ```
//! use http::{HeaderMap, HeaderName};
//! use msf_auth::headers::IdentityHeaders;
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("x-user-id", "1".parse()?);
//! headers.insert("accept", "application/json".parse()?);
//! IdentityHeaders::default().strip(&mut headers);
//! assert_eq!(headers.keys().collect::<Vec<&HeaderName>>(), ["accept"]);
//! # Ok::<(), http::header::InvalidHeaderValue>(())
//! ```
//!
//! A service that trusts `x-user-id` because a gateway sets it must never see one that a client sent. So
//! they are removed from every request, on public routes too, whether the gateway sets them or not.
//!
//! | removed | because |
//! |---|---|
//! | `x-msf-*`, `x-internal-*`, `x-gateway-*` | internal by name |
//! | `x-user*`, `x-authenticated-*`, `x-remote-*`, `remote-*`, `x-scope*`, `x-role*`, `x-group*`, `x-principal*`, `x-subject*` | who the caller is |
//! | `x-auth-request-*`, `x-forwarded-user`, `-email`, `-groups`, `-preferred-username`, `-access-token`, `x-webauth-*`, `x-authentik-*`, `x-consumer-*`, `x-credential-*`, `x-goog-authenticated-user-*`, `x-amzn-oidc-identity`, `x-ms-client-principal*` | the same, as proxies and load balancers that are in use write it |
//! | `client-cert*` (RFC 9440), `x-ssl-*`, `ssl-client-*`, `x-client-cert*`, `x-forwarded-client-cert`, `x-forwarded-tls-client-cert*` | which certificate it has |
//! | `x-original-*`, `x-rewrite-*`, `x-http-method*`, `x-method-override`, `x-envoy-*`, `x-accel-*` | another path, method or handling than the policy judged |
//! | `x-real-ip`, `x-client-ip`, `x-cluster-client-ip`, `true-client-ip`, `cf-connecting-ip`, `fastly-client-ip` | which address it has |
//! | `grpc-timeout` | how long the caller waits: by impatience one caller could make a service look broken to its circuit breaker (`x-msf-timeout-ms` goes with `x-msf-*`) |
//! | every name with `_` | servers in the manner of CGI read `x_user_id` as `x-user-id` |
//!
//! `forwarded` and the rest of `x-forwarded-*`, such as `x-forwarded-for`, are not in the list: an edge writes those anew,
//! as msf-gateway does. What the services of a system call by other names, such as `x-tenant`, is
//! [added](IdentityHeaders::and).
//!
//! A service that is itself the edge puts [`StripIdentityLayer`] outermost.

mod identity;
mod layer;

pub use self::{
    identity::IdentityHeaders,
    layer::{StripIdentity, StripIdentityLayer},
};

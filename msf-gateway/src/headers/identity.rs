//! Headers by which the inside of a system tells who a caller is, and which no caller may send.
//!
//! A service that trusts `x-user-id` because a gateway sets it must never see one that a client sent. So
//! they are removed from every request, on public routes too, whether the gateway sets them or not.
//!
//! | removed | because |
//! |---|---|
//! | `x-msf-*`, `x-internal-*`, `x-gateway-*` | internal by name |
//! | `x-user*`, `x-authenticated-*`, `x-auth-request-*`, `x-remote-user`, `remote-user`, `x-scope(s)`, `x-role(s)`, `x-principal`, `x-subject` | who the caller is |
//! | `x-ssl-*`, `ssl-client-*`, `x-client-cert*` | which certificate it has |
//! | `x-original-*`, `x-rewrite-*`, `x-http-method*`, `x-method-override`, `x-envoy-*`, `x-accel-*` | another path, method or handling than the policy judged |
//! | `x-real-ip`, `x-client-ip`, `x-cluster-client-ip`, `true-client-ip`, `cf-connecting-ip`, `fastly-client-ip` | which address it has; see [`forwarded`](super::forwarded) |
//! | `grpc-timeout` | how long the caller waits: by impatience one caller could make a service look broken to its circuit breaker (`x-msf-timeout-ms` goes with `x-msf-*`) |
//! | every name with `_` | servers in the manner of CGI read `x_user_id` as `x-user-id` |
//!
//! `x-forwarded-*` and `forwarded` are written anew by [`forwarded`](super::forwarded).

use http::{HeaderMap, HeaderName};

use super::remove_where;

/// Which headers no caller may send.
///
/// ```
/// use http::HeaderMap;
/// use msf_gateway::headers::identity::IdentityHeaders;
///
/// let identity = IdentityHeaders::default().and("x-tenant");
/// let mut headers = HeaderMap::new();
/// headers.insert("X_User_Id", "1".parse()?);
/// headers.insert("X-Tenant", "acme".parse()?);
/// headers.insert("X-Idempotent", "yes".parse()?);
///
/// identity.strip(&mut headers);
/// assert_eq!(headers.len(), 1);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct IdentityHeaders {
    more: Vec<Box<str>>,
}

impl IdentityHeaders {
    /// Also removes headers whose name begins so, whatever the case.
    #[must_use]
    pub fn and(mut self, prefix: &str) -> Self {
        self.more.push(prefix.to_ascii_lowercase().into());
        self
    }

    /// Removes them.
    pub fn strip(&self, headers: &mut HeaderMap) {
        remove_where(headers, |name| self.includes(name));
    }

    fn includes(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        let begins = |prefix: &str| name.starts_with(prefix);
        // Most honest headers begin with another letter and are through after two comparisons.
        name.contains('_')
            || (begins("x-")
                && X_PREFIXES
                    .iter()
                    .any(|prefix| name[2..].starts_with(prefix)))
            || OTHER_NAMES.contains(&name)
            || begins("ssl-client-")
            || self.more.iter().any(|prefix| begins(prefix))
    }
}

/// What follows `x-`.
const X_PREFIXES: [&str; 22] = [
    "msf-",
    "internal-",
    "gateway-",
    "user",
    "authenticated-",
    "auth-request-",
    "remote-user",
    "scope",
    "role",
    "principal",
    "subject",
    "ssl-",
    "client-cert",
    "original-",
    "rewrite-",
    "http-method",
    "method-override",
    "real-ip",
    "client-ip",
    "cluster-client-ip",
    "envoy-",
    "accel-",
];

const OTHER_NAMES: [&str; 5] = [
    "grpc-timeout",
    "remote-user",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_an_identity_passes() {
        for name in [
            "x-user-id",
            "X-User-ID",
            "X_User_Id",
            "x-user_id",
            "x_user-id",
            "X-User",
            "x-userinfo",
            "X-Msf-Subject",
            "x-msf-timeout-ms",
            "X-Authenticated-Userid",
            "x-auth-request-email",
            "X-Remote-User",
            "Remote-User",
            "REMOTE_USER",
            "x-scopes",
            "x-roles",
            "x-ssl-client-verify",
            "ssl-client-cert",
            "x-client-cert-chain",
            "x-original-url",
            "X-Rewrite-URL",
            "X-HTTP-Method-Override",
            "x-http-method",
            "x-method-override",
            "X-Real-IP",
            "True-Client-IP",
            "x-gateway-request-id",
            "x-accel-redirect",
        ] {
            let mut headers = HeaderMap::new();
            let parsed = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(&parsed, "1".parse().unwrap());
            headers.append(&parsed, "2".parse().unwrap());
            IdentityHeaders::default().strip(&mut headers);
            assert!(headers.is_empty(), "{name}");
        }
    }

    #[test]
    fn what_is_no_identity_passes() {
        for name in [
            "authorization",
            "cookie",
            "accept",
            "user-agent",
            "x-request-id",
            "x-requested-with",
            "x-csrf-token",
            "x-api-key",
            "x-auth-token",
            "idempotency-key",
            "traceparent",
        ] {
            let mut headers = HeaderMap::new();
            headers.append(name, "1".parse().unwrap());
            IdentityHeaders::default().strip(&mut headers);
            assert_eq!(headers.len(), 1, "{name}");
        }
    }
}

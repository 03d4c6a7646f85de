//! The list.

use http::{HeaderMap, HeaderName};

/// Which headers no caller may send; [the list](super) and what is added to it.
///
/// ```
/// use http::HeaderMap;
/// use msf_auth::headers::IdentityHeaders;
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
    /// Also removes headers whose name begins so, whatever the case; `X_Tenant_*` is the same as `x-tenant-`.
    #[must_use]
    pub fn and(mut self, prefix: &str) -> Self {
        // No name that has a `_` comes this far.
        let prefix = prefix.trim_end_matches('*').replace('_', "-");
        self.more.push(prefix.to_ascii_lowercase().into());
        self
    }

    /// Removes them.
    pub fn strip(&self, headers: &mut HeaderMap) {
        // Usually nothing is found, and an empty vector allocates nothing.
        let names = headers.keys().filter(|name| self.includes(name));
        for name in names.cloned().collect::<Vec<HeaderName>>() {
            headers.remove(name);
        }
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
            || OTHER_PREFIXES.iter().any(|prefix| begins(prefix))
            || self.more.iter().any(|prefix| begins(prefix))
    }
}

/// What follows `x-`.
const X_PREFIXES: [&str; 37] = [
    "msf-",
    "internal-",
    "gateway-",
    "user",
    "authenticated-",
    "auth-request-",
    "remote-",
    "scope",
    "role",
    "group",
    "principal",
    "subject",
    "consumer-",
    "credential-",
    "webauth-",
    "authentik-",
    "goog-authenticated-user-",
    "amzn-oidc-identity",
    "ms-client-principal",
    "forwarded-user",
    "forwarded-email",
    "forwarded-groups",
    "forwarded-preferred-username",
    "forwarded-access-token",
    "ssl-",
    "client-cert",
    "forwarded-client-cert",
    "forwarded-tls-client-cert",
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

const OTHER_PREFIXES: [&str; 3] = ["client-cert", "ssl-client-", "remote-"];

const OTHER_NAMES: [&str; 4] = [
    "grpc-timeout",
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
            "X-Forwarded-Client-Cert",
            "x-original-url",
            "X-Rewrite-URL",
            "X-HTTP-Method-Override",
            "x-http-method",
            "x-method-override",
            "X-Real-IP",
            "True-Client-IP",
            "x-gateway-request-id",
            "x-accel-redirect",
            "Client-Cert",
            "Client-Cert-Chain",
            "Remote-Email",
            "Remote-Groups",
            "X-Groups",
            "X-Forwarded-User",
            "X-Forwarded-Email",
            "X-Forwarded-Groups",
            "X-Forwarded-Preferred-Username",
            "X-Forwarded-Access-Token",
            "X-Forwarded-Tls-Client-Cert-Info",
            "X-WebAuth-User",
            "X-Authentik-Username",
            "X-Consumer-Username",
            "X-Credential-Identifier",
            "X-Goog-Authenticated-User-Email",
            "X-Amzn-Oidc-Identity",
            "X-MS-Client-Principal-Id",
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
            "x-amzn-trace-id",
            "x-forwarded-for",
            "x-forwarded-proto",
            "idempotency-key",
            "traceparent",
        ] {
            let mut headers = HeaderMap::new();
            headers.append(name, "1".parse().unwrap());
            IdentityHeaders::default().strip(&mut headers);
            assert_eq!(headers.len(), 1, "{name}");
        }
    }

    #[test]
    fn a_prefix_of_ones_own_counts_in_every_spelling() {
        for prefix in ["x-tenant-", "X_Tenant_", "X-Tenant-*", "x_tenant-*"] {
            let identity = IdentityHeaders::default().and(prefix);
            let mut headers = HeaderMap::new();
            headers.insert("x-tenant-id", "1".parse().unwrap());
            headers.insert("x-ten", "1".parse().unwrap());
            identity.strip(&mut headers);
            let left: Vec<_> = headers.keys().collect();
            assert_eq!(left, ["x-ten"], "{prefix}");
        }
    }
}

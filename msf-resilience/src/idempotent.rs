//! Which requests may be made more than once.

use http::{HeaderMap, HeaderName, Method};

/// Whether a request may be repeated by its method, or because it carries an `Idempotency-Key`.
pub(crate) fn is_repeatable(method: &Method, headers: &HeaderMap) -> bool {
    method.is_idempotent() || headers.contains_key(IDEMPOTENCY_KEY)
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_has_a_key_or_an_idempotent_method_may_be_repeated() {
        let none = HeaderMap::new();
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            assert!(is_repeatable(&method, &none), "{method}");
        }
        assert!(!is_repeatable(&Method::POST, &none));
        assert!(!is_repeatable(&Method::PATCH, &none));
        let key = [(IDEMPOTENCY_KEY, HeaderValue::from_static("7"))];
        assert!(is_repeatable(&Method::POST, &key.into_iter().collect()));
    }
}

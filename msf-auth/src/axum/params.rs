//! The parameters of a path, as axum found them.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::policy::PathParams;

/// The [`ParamSource`](crate::layer::ParamSource) inside an axum route.
///
/// Parameters that cannot be had are none, and then an `owner` lets nobody pass.
pub(super) fn params(parts: &mut Parts) -> PathParams {
    // axum has the parameters in the extensions, in a type that only its extractors see. This one awaits
    // nothing, so one poll is enough.
    let found = pin!(RawPathParams::from_request_parts(parts, &()));
    match found.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(params)) => (&params).into_iter().collect(),
        Poll::Ready(Err(error)) => {
            tracing::debug!(target: "msf_auth::audit", %error, "no path parameters");
            PathParams::none()
        }
        Poll::Pending => PathParams::none(),
    }
}

/// Whether a route template has a parameter once: `{name}` or `{*name}`.
pub(super) fn has_parameter(path: &str, name: &str) -> bool {
    let is_it = |segment: &&str| {
        let inner = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
        inner.is_some_and(|inner| inner.strip_prefix('*').unwrap_or(inner) == name)
    };
    path.split('/').filter(is_it).count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_whole_segments() {
        assert!(has_parameter("/users/{id}", "id"));
        assert!(has_parameter("/files/{*path}", "path"));
        for (path, name) in [
            ("/users/id", "id"),
            ("/users/{id}", "i"),
            ("/{{id}}", "id"),
            ("/{id}/{id}", "id"),
        ] {
            assert!(!has_parameter(path, name), "{path} {name}");
        }
    }
}

//! The route template of a request, such as `/orders/{id}`.
//!
//! A metric label or a span name must never be the raw path: paths are chosen by callers, so their
//! number has no bound. Whoever matches the route knows its template and leaves it in the request's
//! extensions; `TraceLayer` and
//! `HttpMetricsLayer` ask for it through a [`RouteSource`].
//!
//! ```
//! use msf_core::route::{self, MatchedRoute};
//!
//! let mut request = http::Request::new(());
//! assert_eq!(route::matched(request.extensions()), None);
//!
//! request.extensions_mut().insert(MatchedRoute::new("/orders/{id}"));
//! assert_eq!(route::matched(request.extensions()), Some("/orders/{id}"));
//! ```

use std::sync::Arc;

use http::Extensions;

/// Where a layer finds the route template: a function from request extensions.
pub type RouteSource = for<'a> fn(&'a Extensions) -> Option<&'a str>;

/// The template of the route that was matched, left in the request's extensions by a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedRoute(Arc<str>);

impl MatchedRoute {
    /// Wraps a template.
    #[must_use]
    pub fn new(template: impl Into<Arc<str>>) -> Self {
        Self(template.into())
    }

    /// The template as it was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The [`RouteSource`] that reads [`MatchedRoute`]; what the layers use unless told otherwise.
#[must_use]
pub fn matched(extensions: &Extensions) -> Option<&str> {
    extensions.get::<MatchedRoute>().map(MatchedRoute::as_str)
}

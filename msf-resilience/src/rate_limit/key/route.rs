//! [`Route`], the template of the matched route.

use http::{Extensions, HeaderMap};
use msf_core::route::{self, RouteSource};

use super::{source::KeySource, text::Text};

/// The template of the matched route, such as `/orders/{id}`: never the path, which callers choose.
///
/// Put the layer behind the router (`Router::route_layer`), where the route is known. A request without a matched
/// route has no key. It allocates nothing.
///
/// ```
/// use http::Request;
/// use msf_core::route::MatchedRoute;
/// use msf_resilience::rate_limit::key::{self, Route};
///
/// let key_of = key::by(Route::default()); // or `Route::new(msf_core::axum::route_template)`
/// let mut request = Request::new(());
/// request.extensions_mut().insert(MatchedRoute::new("/orders/{id}"));
/// assert_eq!(key_of(&request).unwrap().as_str(), "/orders/{id}");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Route {
    source: RouteSource,
}

impl Route {
    /// The template as this source finds it.
    #[must_use]
    pub const fn new(source: RouteSource) -> Self {
        Self { source }
    }
}

impl Default for Route {
    fn default() -> Self {
        Self::new(route::matched)
    }
}

impl KeySource for Route {
    type Key = Text;

    fn key(&self, _: &HeaderMap, extensions: &Extensions) -> Option<Text> {
        (self.source)(extensions).map(Text::from)
    }
}

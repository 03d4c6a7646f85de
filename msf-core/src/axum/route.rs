//! The template of the route that axum matched.

use axum::extract::MatchedPath;
use http::Extensions;

use crate::route;

/// The [`RouteSource`](route::RouteSource) for layers inside an axum `Router`.
///
/// axum knows the route only inside [`Router::layer`](axum::Router::layer), so the layers that ask for
/// it have to be added there and not around the router.
#[must_use]
pub fn route_template(extensions: &Extensions) -> Option<&str> {
    extensions
        .get::<MatchedPath>()
        .map(MatchedPath::as_str)
        .or_else(|| route::matched(extensions))
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, extract::Request, routing::get};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn the_template_and_not_the_path() {
        let handler = get(|request: Request| async move {
            route_template(request.extensions())
                .unwrap_or("none")
                .to_owned()
        });
        let router = Router::new().nest("/api", Router::new().route("/orders/{id}", handler));
        let request = Request::get("/api/orders/42").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 100)
            .await
            .unwrap();
        assert_eq!(body, "/api/orders/{id}");
    }
}

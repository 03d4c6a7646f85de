//! The layer, for any outcome and for HTTP.

use msf_core::classify::Http;
use tower_layer::Layer;

use super::{
    decide::{Failed, When},
    handle::Fallback,
    mark::{Marked, Unmarked},
    service::FallbackService,
};

/// Gives calls of a service another answer when theirs is none.
///
/// Response and error types stay those of the service inside. Outcomes are judged by [`Http`] unless
/// [`classify`](Self::classify) or [`when`](Self::when) says otherwise.
///
/// ```
/// use std::io;
/// use msf_resilience::fallback::{self, Fallback, FallbackLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = FallbackLayer::new(Fallback::builder("stock").build()?, fallback::value(0))
///     .when(|outcome: Result<&u32, &io::Error>| outcome.is_err());
/// let service = layer.layer(service_fn(|item: u32| async move {
///     if item < 10 { Ok(item) } else { Err(io::Error::other("the database is gone")) }
/// }));
///
/// assert_eq!(service.clone().oneshot(7).await?, 7);
/// assert_eq!(service.oneshot(10).await?, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FallbackLayer<A, D = Failed<Http>, M = Unmarked> {
    fallback: Fallback,
    alternative: A,
    decide: D,
    mark: M,
}

impl<A> FallbackLayer<A> {
    /// A layer for outcomes of any type.
    pub fn new(fallback: Fallback, alternative: A) -> Self {
        Self {
            fallback,
            alternative,
            decide: Failed::default(),
            mark: Unmarked,
        }
    }

    /// A layer for HTTP, which marks the answers that it gives with [`FellBack`](super::FellBack).
    ///
    /// It drops into `axum::Router::layer`:
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use axum::{Router, body::Body, response::{IntoResponse, Response}, routing::get};
    /// use http::{Request, StatusCode};
    /// use msf_resilience::fallback::{self, Fallback, FallbackLayer};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let empty = fallback::with(|_: Result<Response, Infallible>| Ok("[]".into_response()));
    /// let layer = FallbackLayer::answering(Fallback::builder("tips").build()?, empty).in_header();
    /// let app: Router = Router::new()
    ///     .route("/", get(|| async { StatusCode::BAD_GATEWAY }))
    ///     .layer(layer);
    ///
    /// let answer = app.oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(answer.status(), 200);
    /// assert_eq!(answer.headers()["x-msf-fallback"], "tips");
    /// # Ok(())
    /// # }
    /// ```
    pub fn answering(fallback: Fallback, alternative: A) -> FallbackLayer<A, Failed<Http>, Marked> {
        FallbackLayer {
            fallback,
            alternative,
            decide: Failed::default(),
            mark: Marked::default(),
        }
    }
}

impl<A, D> FallbackLayer<A, D, Marked> {
    /// Marks in [`HEADER`](super::HEADER) too, so that the caller's side sees it.
    pub const fn in_header(mut self) -> Self {
        self.mark = Marked { in_header: true };
        self
    }
}

impl<A, D, M> FallbackLayer<A, D, M> {
    /// Judges outcomes by another rule: a [`Classify`](msf_core::classify::Classify) or a closure.
    pub fn classify<C>(self, classify: C) -> FallbackLayer<A, Failed<C>, M> {
        self.decided_by(Failed(classify))
    }

    /// Replaces exactly the outcomes that a predicate `Fn(Result<&Res, &E>) -> bool` picks.
    pub fn when<P>(self, predicate: P) -> FallbackLayer<A, When<P>, M> {
        self.decided_by(When(predicate))
    }

    fn decided_by<D2>(self, decide: D2) -> FallbackLayer<A, D2, M> {
        FallbackLayer {
            fallback: self.fallback,
            alternative: self.alternative,
            decide,
            mark: self.mark,
        }
    }
}

impl<S, A: Clone, D: Clone, M: Clone> Layer<S> for FallbackLayer<A, D, M> {
    type Service = FallbackService<S, A, D, M>;

    fn layer(&self, inner: S) -> Self::Service {
        FallbackService {
            inner,
            fallback: self.fallback.clone(),
            alternative: self.alternative.clone(),
            decide: self.decide.clone(),
            mark: self.mark.clone(),
        }
    }
}

//! The layer, for any request and for HTTP.

use msf_core::classify::Http;
use tower_layer::Layer;

use super::{policy::HedgePolicy, repeat::Idempotent, service::HedgeService};

/// Hedges the calls of a service.
///
/// Response and error types stay those of the service inside: a hedge refuses nothing. Outcomes are judged by
/// [`Http`] unless [`classify`](Self::classify) says otherwise.
///
/// ```
/// use std::{convert::Infallible, sync::atomic::{AtomicU32, Ordering}, time::Duration};
/// use msf_core::classify::Classification;
/// use msf_resilience::hedge::{HedgeLayer, HedgePolicy};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// static CALLS: AtomicU32 = AtomicU32::new(0);
/// let hedge = HedgePolicy::builder("search").after(Duration::from_millis(50)).build()?;
/// let layer = HedgeLayer::new(hedge, |word: &&str| Some(*word))
///     .classify(|_: Result<&u32, &Infallible>| Classification::SUCCESS);
/// let service = layer.layer(service_fn(|_word: &str| async {
///     let call = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
///     // The first attempt is slow, the second is not.
///     tokio::time::sleep(Duration::from_millis(if call == 1 { 900 } else { 10 })).await;
///     Ok::<_, Infallible>(call)
/// }));
/// let start = tokio::time::Instant::now();
/// assert_eq!(service.oneshot("ferris").await?, 2);
/// assert_eq!(start.elapsed(), Duration::from_millis(60));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct HedgeLayer<R, C = Http> {
    policy: HedgePolicy,
    repeat: R,
    classify: C,
}

impl<R> HedgeLayer<R> {
    /// A layer for any request; a closure `Fn(&Req) -> Option<Req>` makes the second one, or none.
    pub fn new(policy: HedgePolicy, repeat: R) -> Self {
        Self {
            policy,
            repeat,
            classify: Http::default(),
        }
    }
}

impl HedgeLayer<Idempotent> {
    /// A layer for HTTP, which hedges [`Idempotent`] requests. It drops into `axum::Router::layer`, but belongs into clients.
    ///
    /// ```
    /// use std::{convert::Infallible, time::Duration};
    /// use axum::body::Body;
    /// use http::{Request, Response};
    /// use msf_resilience::hedge::{HedgeLayer, HedgePolicy};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hedge = HedgePolicy::builder("search").after(Duration::from_millis(50)).build()?;
    /// let client = service_fn(|_: Request<Body>| async {
    ///     Ok::<_, Infallible>(Response::new(Body::empty()))
    /// });
    /// let client = HedgeLayer::answering(hedge).layer(client);
    /// assert_eq!(client.oneshot(Request::new(Body::empty())).await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn answering(policy: HedgePolicy) -> Self {
        Self::new(policy, Idempotent::default())
    }
}

impl<C> HedgeLayer<Idempotent, C> {
    /// Lets additional attempts know the hosts of earlier ones, so that a client can avoid them.
    ///
    /// It marks first attempts too, with an allocation each, unless a retry outside has done so.
    pub const fn track_hosts(mut self) -> Self {
        self.repeat.tracks_hosts = true;
        self
    }
}

impl<R, C> HedgeLayer<R, C> {
    /// Judges outcomes by another rule: a [`Classify`](msf_core::classify::Classify) or a closure.
    pub fn classify<D>(self, classify: D) -> HedgeLayer<R, D> {
        HedgeLayer {
            policy: self.policy,
            repeat: self.repeat,
            classify,
        }
    }
}

impl<S, R: Clone, C: Clone> Layer<S> for HedgeLayer<R, C> {
    type Service = HedgeService<S, R, C>;

    fn layer(&self, inner: S) -> Self::Service {
        HedgeService {
            inner,
            policy: self.policy.clone(),
            repeat: self.repeat.clone(),
            classify: self.classify.clone(),
        }
    }
}

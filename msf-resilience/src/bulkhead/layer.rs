//! The layer.

use std::marker::PhantomData;

use tower_layer::Layer;

use super::{
    handle::Bulkhead,
    hold::{UntilBodyEnd, UntilResponse},
    service::BulkheadService,
};
use crate::answering::Answering;

/// Puts a bulkhead before a service; a call without a permit gives [`Error::Full`](super::Error::Full).
///
/// Every service it makes shares the permits of the one bulkhead. `W` is what a call does when no permit is free,
/// `H` how long it holds its permit.
///
/// ```
/// use std::{convert::Infallible, time::Duration};
/// use msf_resilience::bulkhead::{Bulkhead, BulkheadLayer, Error};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bulkhead = Bulkhead::builder("reports")
///     .max_concurrent(1)
///     .max_wait(Some(Duration::from_millis(50)))
///     .build()?;
/// let inner = service_fn(|n: u32| async move { Ok::<_, Infallible>(n + 1) });
///
/// let refusing = BulkheadLayer::new(bulkhead.clone()).layer(inner);
/// assert_eq!(refusing.clone().oneshot(1).await, Ok(2));
///
/// let waiting = BulkheadLayer::new(bulkhead.clone()).waiting().layer(inner);
/// let permit = bulkhead.try_acquire()?;
/// assert!(matches!(refusing.oneshot(1).await, Err(Error::Full(_)))); // at once
/// assert!(matches!(waiting.oneshot(1).await, Err(Error::Full(_)))); // after 50 ms
/// # drop(permit);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct BulkheadLayer<W = Refuse, H = UntilResponse> {
    bulkhead: Bulkhead,
    mode: PhantomData<fn() -> (W, H)>,
}

/// A call without a permit is refused at once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Refuse;

/// A call without a permit waits for one, as long as the bulkhead says.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wait;

impl BulkheadLayer {
    /// A layer with a typed error that refuses when no permit is free, and holds a permit until the response is
    /// there.
    pub const fn new(bulkhead: Bulkhead) -> Self {
        Self::with(bulkhead)
    }

    /// A layer that answers a refused call with problem+json instead of an error.
    pub const fn answering(bulkhead: Bulkhead) -> Answering<Self> {
        Answering::new(Self::new(bulkhead))
    }
}

impl<W, H> BulkheadLayer<W, H> {
    const fn with(bulkhead: Bulkhead) -> Self {
        Self {
            bulkhead,
            mode: PhantomData,
        }
    }

    /// Waits for a permit, if the bulkhead has a [`max_wait`](super::BulkheadBuilder::max_wait).
    ///
    /// The request waits together with a service that is ready, so the service inside must be `Clone`.
    pub fn waiting(self) -> BulkheadLayer<Wait, H> {
        BulkheadLayer::with(self.bulkhead)
    }

    /// Holds a permit until the response's body has ended, failed or is dropped.
    pub fn until_body_end(self) -> BulkheadLayer<W, UntilBodyEnd> {
        BulkheadLayer::with(self.bulkhead)
    }
}

impl<W, H> Answering<BulkheadLayer<W, H>> {
    /// See [`BulkheadLayer::waiting`].
    pub fn waiting(self) -> Answering<BulkheadLayer<Wait, H>> {
        self.map(BulkheadLayer::waiting)
    }

    /// See [`BulkheadLayer::until_body_end`].
    pub fn until_body_end(self) -> Answering<BulkheadLayer<W, UntilBodyEnd>> {
        self.map(BulkheadLayer::until_body_end)
    }
}

impl<S, W, H> Layer<S> for BulkheadLayer<W, H> {
    type Service = BulkheadService<S, W, H>;

    fn layer(&self, inner: S) -> Self::Service {
        BulkheadService::new(inner, self.bulkhead.clone())
    }
}

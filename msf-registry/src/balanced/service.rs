//! The service that callers use.

use std::{
    fmt,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Extensions, HeaderMap, Request, Response};
use http_body::Body;
use msf_core::{
    classify::{Classify, Http},
    task::{self, Task},
};
use tower_service::Service;

use super::{
    body::ResponseBody,
    cache::{Cache, Slot},
    error::Error,
    future::ResponseFuture,
    make::MakeEndpoint,
    tried::Tried,
};
use crate::{
    balance::Sticky,
    service::{NoEndpoints, NoEndpointsReason, PickContext, Picked, ServiceHandle},
};

/// Sends each request to an instance of a service. See the [module documentation](super).
///
/// `M` makes the service of an instance, `C` says what counts as a failure.
pub struct Balanced<M: MakeEndpoint, C = Http> {
    chooser: Chooser<M>,
    classify: C,
    sticky: Option<Arc<Sticky>>,
    wait: Option<Duration>,
}

/// What it takes to choose an instance and its service.
struct Chooser<M: MakeEndpoint> {
    cache: Arc<Cache<M>>,
    /// Drops services whose instances have left, also while nobody calls.
    _sweep: Arc<Task<()>>,
}

/// An instance for one call.
pub(super) struct Chosen<S> {
    pub(super) picked: Picked,
    pub(super) slot: Arc<Slot<S>>,
    pub(super) service: Arc<S>,
}

impl<M> Balanced<M>
where
    M: MakeEndpoint + Send + Sync + 'static,
    M::Service: Send + Sync + 'static,
{
    /// Calls instances through the services that `make` makes; without an instance a call fails at once.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn new(handle: ServiceHandle, make: M) -> Self {
        let mut changes = handle.changes();
        let cache = Arc::new(Cache::new(handle, make));
        let swept = Arc::clone(&cache);
        let sweep = task::spawn_root("balanced", async move {
            while changes.changed().await.is_ok() {
                swept.refresh();
            }
        });
        Self {
            chooser: Chooser {
                cache,
                _sweep: Arc::new(sweep),
            },
            classify: Http::default(),
            sticky: None,
            wait: None,
        }
    }
}

impl<M: MakeEndpoint, C> Balanced<M, C> {
    /// Waits for an instance when there is none, at most this long; not at all unless set.
    ///
    /// Right for a process that starts before what it calls, or whose callee is sometimes scaled to none. Calls that
    /// wait are not limited in number: put a limit of concurrency above.
    #[must_use]
    pub const fn wait_for_endpoints(mut self, timeout: Duration) -> Self {
        self.wait = Some(timeout);
        self
    }

    /// Keeps calls together that have the same value in a header or cookie, under a hashing
    /// [`Balance`](crate::Balance).
    #[must_use]
    pub fn sticky(mut self, sticky: Sticky) -> Self {
        self.sticky = Some(Arc::new(sticky));
        self
    }

    /// Says what counts as a failure, for the balance and for ejection; [`Http`]'s rule unless set.
    #[must_use]
    pub fn classify<D>(self, classify: D) -> Balanced<M, D> {
        Balanced {
            chooser: self.chooser,
            classify,
            sticky: self.sticky,
            wait: self.wait,
        }
    }

    /// The instances.
    #[must_use]
    pub fn handle(&self) -> &ServiceHandle {
        &self.chooser.cache.handle
    }

    /// The number of services that are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.chooser.cache.len()
    }

    fn hash(&self, headers: &HeaderMap) -> Option<u64> {
        self.sticky.as_ref()?.hash(headers)
    }
}

impl<M, C, B, R> Service<Request<B>> for Balanced<M, C>
where
    M: MakeEndpoint + Send + Sync + 'static,
    M::Service: Service<Request<B>, Response = Response<R>> + Clone + Send + Sync + 'static,
    C: Classify<Response<R>, <M::Service as Service<Request<B>>>::Error> + Clone,
    R: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = Error<<M::Service as Service<Request<B>>>::Error>;
    type Future = ResponseFuture<M::Service, B, C>;

    /// Always: which service must be ready is known only when there is a request.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let hash = self.hash(request.headers());
        let chosen = self.chooser.choose(hash, request.extensions());
        let classify = self.classify.clone();
        match (chosen, self.wait) {
            (Ok(chosen), _) => ResponseFuture::chosen(chosen, request, classify),
            (Err(nobody), Some(wait)) if comes_later(&nobody) => {
                let tried = request.extensions().get::<Tried>().cloned();
                let chooser = self.chooser.clone();
                let chosen = Box::pin(chooser.wait(hash, tried, wait));
                ResponseFuture::waiting(chosen, request, classify)
            }
            (Err(nobody), _) => ResponseFuture::failed(nobody, classify),
        }
    }
}

impl<M: MakeEndpoint> Chooser<M> {
    fn choose(
        &self,
        hash: Option<u64>,
        extensions: &Extensions,
    ) -> Result<Chosen<M::Service>, NoEndpoints> {
        self.choose_untried(hash, extensions.get())
    }

    fn choose_untried(
        &self,
        hash: Option<u64>,
        tried: Option<&Tried>,
    ) -> Result<Chosen<M::Service>, NoEndpoints> {
        let context = PickContext::new();
        let context = hash.map_or(context, |hash| context.hash(hash));
        let handle = &self.cache.handle;
        let picked = match tried {
            None => handle.pick(&context)?,
            Some(tried) => tried.pick(handle, context)?,
        };
        let (slot, service) = self.cache.service(picked.instance());
        Ok(Chosen {
            picked,
            slot,
            service,
        })
    }

    async fn wait(
        self,
        hash: Option<u64>,
        tried: Option<Tried>,
        wait: Duration,
    ) -> Result<Chosen<M::Service>, NoEndpoints> {
        let mut waited = pin!(tokio::time::sleep(wait));
        let mut changes = self.cache.handle.changes();
        loop {
            changes.borrow_and_update();
            let nobody = match self.choose_untried(hash, tried.as_ref()) {
                Err(nobody) if comes_later(&nobody) => nobody,
                chosen => return chosen,
            };
            tokio::select! {
                // The sender lives in the handle, so only time ends this.
                Ok(()) = changes.changed() => {}
                () = &mut waited => return Err(nobody),
            }
        }
    }
}

/// Whether a change of the list can help.
fn comes_later(nobody: &NoEndpoints) -> bool {
    nobody.reason != NoEndpointsReason::AllExcluded
}

impl<M: MakeEndpoint, C: Clone> Clone for Balanced<M, C> {
    fn clone(&self) -> Self {
        Self {
            chooser: self.chooser.clone(),
            classify: self.classify.clone(),
            sticky: self.sticky.clone(),
            wait: self.wait,
        }
    }
}

impl<M: MakeEndpoint> Clone for Chooser<M> {
    fn clone(&self) -> Self {
        Self {
            cache: Arc::clone(&self.cache),
            _sweep: Arc::clone(&self._sweep),
        }
    }
}

impl<M: MakeEndpoint, C> fmt::Debug for Balanced<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balanced")
            .field("service", self.handle().name())
            .field("sticky", &self.sticky)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

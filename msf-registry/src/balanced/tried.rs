//! Where the earlier attempts of a call went.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Request;
use msf_core::name::InstanceId;

use crate::service::{NoEndpoints, NoEndpointsReason, PickContext, Picked, ServiceHandle};

/// In the extensions of a request: the instances that its attempts went to, which the next attempt avoids.
///
/// Put it there **above** the layer that makes attempts, such as a retry or a hedge, which copies the extensions for
/// each: all copies share one list. [`Balanced`](super::Balanced) adds to it and avoids what is on it, as long as
/// there is another instance: when all were tried, any may be tried again, since how often is the layer's business.
///
/// ```
/// use http::Request;
/// use msf_registry::balanced::Tried;
/// use tower::ServiceBuilder;
///
/// let request = Tried::follow(Request::get("/").body(())?);
/// let first = request.extensions().get::<Tried>().cloned();
/// assert!(first.is_some_and(|tried| tried.ids().is_empty()));
///
/// // As a layer:
/// let stack = ServiceBuilder::new().map_request(Tried::follow::<()>);
/// # let _ = stack.service(tower::service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(())));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tried(Arc<Mutex<Vec<InstanceId>>>);

impl Tried {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an empty list into a request, or leaves the one that is there.
    pub fn follow<B>(mut request: Request<B>) -> Request<B> {
        request.extensions_mut().get_or_insert_with(Self::new);
        request
    }

    /// The instances so far, at most [`IDS_MAX`](Self::IDS_MAX).
    #[must_use]
    pub fn ids(&self) -> Vec<InstanceId> {
        self.list().clone()
    }

    /// How many instances are remembered; of more, any may be tried again.
    pub const IDS_MAX: usize = 16;

    /// Picks one that was not tried and notes it, in one step: two hedged attempts must not both take it.
    pub(super) fn pick(
        &self,
        handle: &ServiceHandle,
        context: PickContext<'_>,
    ) -> Result<Picked, NoEndpoints> {
        let mut ids = self.list();
        let picked = match handle.pick(&context.tried(&ids)) {
            Err(nobody) if nobody.reason == NoEndpointsReason::AllExcluded => {
                handle.pick(&context)?
            }
            picked => picked?,
        };
        let id = &picked.instance().id;
        if ids.len() < Self::IDS_MAX && !ids.contains(id) {
            ids.push(id.clone());
        }
        Ok(picked)
    }

    fn list(&self) -> MutexGuard<'_, Vec<InstanceId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

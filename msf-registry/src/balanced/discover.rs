//! For tower's own balancers.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use msf_core::name::InstanceId;
use tokio::sync::watch;
use tower::discover::Change;

use super::make::{MakeEndpoint, is_served_alike};
use crate::{model::Instance, service::ServiceHandle};

/// The instances of a service as [`tower::discover::Discover`], for `tower::balance` and what else takes one.
///
/// It inserts what takes calls and removes what does not any more, by the id of the instance; an instance that has
/// moved, or says something else about itself that a service is made for, is inserted again, which replaces it. While none takes calls, those that were there stay: a balancer
/// without any would wait for ever.
///
/// tower's balancer counts and measures by itself, so what [`ServiceHandle::pick`] knows does not reach it;
/// [`Balanced`](super::Balanced) is quicker and says when there is nobody.
///
/// ```
/// use msf_core::name::{InstanceId, ServiceName};
/// use msf_registry::{Instance, Registry, backend::memory::MemoryRegistry, balanced::Discovered};
/// use std::{future::poll_fn, pin::pin};
/// use tower::discover::{Change, Discover};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new(MemoryRegistry::new());
/// let payment = ServiceName::new("payment")?;
/// let id = InstanceId::random(&payment);
/// let _here = registry.register(Instance::new(payment.clone(), id.clone(), "127.0.0.1:80".parse()?));
///
/// let mut discovered = pin!(Discovered::new(registry.service(&payment), |instance: &Instance| instance.addr()));
/// let change = poll_fn(|cx| discovered.as_mut().poll_discover(cx)).await;
/// assert!(matches!(change, Some(Ok(Change::Insert(inserted, addr))) if inserted == id && addr.port() == 80));
/// # Ok(())
/// # }
/// ```
pub struct Discovered<M> {
    handle: ServiceHandle,
    make: M,
    changed: Changed,
    listed: HashMap<InstanceId, Arc<Instance>>,
    due: VecDeque<Due>,
}

enum Due {
    Insert(Arc<Instance>),
    Remove(InstanceId),
}

type Changed = Pin<Box<dyn Future<Output = Option<watch::Receiver<()>>> + Send>>;

impl<M: MakeEndpoint> Discovered<M> {
    /// The instances of a service, each with the service that `make` makes.
    pub fn new(handle: ServiceHandle, make: M) -> Self {
        let mut changes = handle.changes();
        changes.mark_changed();
        Self {
            changed: Box::pin(next_change(changes)),
            handle,
            make,
            listed: HashMap::new(),
            due: VecDeque::new(),
        }
    }

    /// What has to be said for the list in use to be known.
    fn compare(&mut self) {
        let routed = self.handle.routed();
        if routed.is_empty() {
            return;
        }
        let now: HashMap<_, _> = routed.into_iter().map(|it| (it.id.clone(), it)).collect();
        let gone = self.listed.keys().filter(|id| !now.contains_key(*id));
        self.due.extend(gone.cloned().map(Due::Remove));
        for (id, instance) in &now {
            let before = self.listed.get(id);
            if before.is_none_or(|before| !is_served_alike(before, instance)) {
                self.due.push_back(Due::Insert(Arc::clone(instance)));
            }
        }
        self.listed = now;
    }
}

async fn next_change(mut changes: watch::Receiver<()>) -> Option<watch::Receiver<()>> {
    changes.changed().await.ok()?;
    Some(changes)
}

impl<M: MakeEndpoint + Unpin> Stream for Discovered<M> {
    type Item = Result<Change<InstanceId, M::Service>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(due) = self.due.pop_front() {
                let change = match due {
                    Due::Insert(instance) => {
                        Change::Insert(instance.id.clone(), self.make.make(&instance))
                    }
                    Due::Remove(id) => Change::Remove(id),
                };
                return Poll::Ready(Some(Ok(change)));
            }
            let Some(changes) = ready!(self.changed.as_mut().poll(cx)) else {
                return Poll::Ready(None);
            };
            self.changed = Box::pin(next_change(changes));
            self.compare();
        }
    }
}

impl<M> fmt::Debug for Discovered<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovered")
            .field("service", self.handle.name())
            .field("listed", &self.listed.len())
            .finish_non_exhaustive()
    }
}

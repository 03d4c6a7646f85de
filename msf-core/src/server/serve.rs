//! The server: listeners, a service, and an end.

use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use bytes::Bytes;
use http::{Request, Response};
use tokio::{select, sync::oneshot};
use tower_service::Service;

use super::{Body, Drain, DrainPlan, Limits, Listener, Phase, Served, accept, slots::Slots};
use crate::BoxError;

/// An HTTP/1.1 and HTTP/2 server around one service.
///
/// See the [module documentation](super) for an example.
#[derive(Clone, Debug, Default)]
pub struct Server {
    limits: Limits,
    drain: Drain,
    open: Arc<AtomicUsize>,
}

impl Server {
    /// A server with the default [`Limits`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the limits.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Lets the server follow a [`Drain`] that somebody else leads.
    #[must_use]
    pub fn with_drain(mut self, drain: Drain) -> Self {
        self.drain = drain;
        self
    }

    /// What leads the server to its end.
    #[must_use]
    pub const fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Connections that are open now, upgraded ones included, over all clones of this server.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Serves on the current runtime until the [`Drain`] has gone through its phases.
    ///
    /// The service is cloned for every request. An `axum::Router` is quicker after `.with_state(())`, even
    /// if it has no state: only then does it prepare its handlers once and for all.
    ///
    /// # Errors
    ///
    /// When the runtime cannot take the listener's socket.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the listener; open connections go on until the drain ends them.
    pub async fn serve<S, B>(&self, listener: Listener, service: S) -> io::Result<Served>
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let listener = listener.into_tokio()?;
        let drain = self.drain.signal();
        let slots = Slots::new(self.limits.connections_max, self.open.clone());
        accept::run(listener, service, self.limits, &slots, &drain).await;
        Ok(slots.until_empty(&drain).await)
    }

    /// Serves until `shutdown` is done, then drains by a plan.
    ///
    /// # Errors
    ///
    /// See [`Server::serve`].
    pub async fn serve_until<S, B>(
        &self,
        listener: Listener,
        service: S,
        shutdown: impl Future<Output = ()>,
        plan: DrainPlan,
    ) -> io::Result<Served>
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut serving = pin!(self.serve(listener, service));
        let end = async {
            shutdown.await;
            self.drain.run(plan).await;
        };
        select! {
            biased;
            served = &mut serving => return served,
            () = end => {}
        }
        serving.await
    }

    /// Serves with one thread per listener, each with a runtime of its own.
    ///
    /// A connection stays on the thread that accepted it, so no work moves between cores and nothing
    /// that the service keeps per thread is shared. `service` is called once on each thread. Bind the
    /// listeners with [`Listener::bind_shared`]. `connections_max` is divided among them.
    ///
    /// # Errors
    ///
    /// When a thread or its runtime cannot be started; those that have started are stopped.
    pub async fn serve_sharded<F, S, B>(
        &self,
        listeners: Vec<Listener>,
        service: F,
    ) -> io::Result<Served>
    where
        F: Fn() -> S + Clone + Send + 'static,
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let shards = u32::try_from(listeners.len().max(1)).unwrap_or(u32::MAX);
        let mut server = self.clone();
        server.limits.connections_max = self.limits.connections_max.div_ceil(shards);
        let mut ends = Vec::with_capacity(listeners.len());
        for (shard, listener) in listeners.into_iter().enumerate() {
            match server.clone().start_shard(shard, listener, service.clone()) {
                Ok(end) => ends.push(end),
                Err(error) => {
                    self.drain.advance(Phase::Cut);
                    return Err(error);
                }
            }
        }
        let mut served = Served::default();
        for end in ends {
            let shard = end
                .await
                .map_err(|_gone| io::Error::other("a shard of the server panicked"))??;
            served.cut += shard.cut;
        }
        Ok(served)
    }

    fn start_shard<F, S, B>(
        self,
        shard: usize,
        listener: Listener,
        service: F,
    ) -> io::Result<oneshot::Receiver<io::Result<Served>>>
    where
        F: Fn() -> S + Send + 'static,
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (ended, end) = oneshot::channel();
        thread::Builder::new()
            .name(format!("msf-shard-{shard}"))
            .spawn(move || {
                let served = runtime.block_on(self.serve(listener, service()));
                // Nobody listens when the caller gave up; the shard has ended all the same.
                let _unheard = ended.send(served);
            })?;
        Ok(end)
    }
}

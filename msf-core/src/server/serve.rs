//! The server: listeners, a service, and an end.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use tokio::{select, sync::mpsc, time};
use tower_service::Service;

use super::{
    Body, Drain, DrainPlan, Limits, Listener, Phase, Refused, Served, accept, addresses::Addresses,
    listener::Accepting, refused::Refusals, slots::Slots,
};
use crate::{
    BoxError,
    metrics::{Metrics, MetricsError},
    problem::Panicked,
    task,
};

/// An HTTP/1.1 and HTTP/2 server around one service.
///
/// See the [module documentation](super) for an example.
#[derive(Clone, Debug, Default)]
pub struct Server {
    limits: Limits,
    drain: Drain,
    open: Arc<AtomicUsize>,
    addresses: Addresses,
    refusals: Refusals,
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

    /// Counts refusals in `msf_server_refused_total{reason}`; see [`Refusal`](super::Refusal).
    ///
    /// # Errors
    ///
    /// When the metrics have another metric of that name.
    pub fn metrics(mut self, metrics: &Metrics) -> Result<Self, MetricsError> {
        self.refusals.count_in(metrics)?;
        Ok(self)
    }

    /// Is told of each refusal, on the thread of the connection or of the accept loop: it must not wait. Its panics are
    /// caught.
    #[must_use]
    pub fn on_refused(mut self, listener: impl Fn(&Refused) + Send + Sync + 'static) -> Self {
        self.refusals.tell(listener);
        self
    }

    /// Whose connections are not counted by address: proxies, behind which everybody is. It is asked for each new
    /// connection, by the [place](super::Listener::place) of the listener and the address.
    #[must_use]
    pub fn uncapped(
        mut self,
        is_proxy: impl Fn(usize, IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.addresses.exempt(is_proxy);
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
        Ok(self.accept(listener.into_tokio()?, service).await)
    }

    async fn accept<S, B>(&self, accepting: Accepting, service: S) -> Served
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Accepting {
            socket,
            place,
            limits,
            front,
        } = accepting;
        let limits = limits.unwrap_or(self.limits);
        let drain = self.drain.signal();
        let slots = Slots::new(limits.connections_max, self.open.clone());
        let guard = accept::Guard {
            addresses: &self.addresses,
            refusals: Arc::new(self.refusals.clone()),
            slots: &slots,
        };
        accept::run(socket, place, front, service, limits, guard, &drain).await;
        slots.until_empty(&drain).await
    }

    /// As [`serve`](Self::serve), on several listeners at once.
    ///
    /// Each of them has `connections_max` connections, so that a crowd at one of them shuts nobody out of another.
    ///
    /// # Errors
    ///
    /// See [`Server::serve`]; none of the listeners is then served.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the listeners; open connections go on until the drain ends them.
    pub async fn serve_all<S, B>(&self, listeners: Vec<Listener>, service: S) -> io::Result<Served>
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let accepting = listeners.into_iter().map(Listener::into_tokio);
        let accepting: Vec<Accepting> = accepting.collect::<io::Result<_>>()?;
        let mut accepting = accepting.into_iter();
        let first = accepting.next();
        let others: Vec<_> = accepting
            .map(|accepting| {
                let (server, service) = (self.clone(), service.clone());
                task::spawn("listener", async move {
                    server.accept(accepting, service).await
                })
            })
            .collect();
        let mut served = match first {
            Some(first) => self.accept(first, service).await,
            None => Served::default(),
        };
        for other in others {
            let ended = other.join().await;
            served.cut += ended
                .ok_or_else(|| io::Error::other("a listener panicked"))?
                .cut;
        }
        Ok(served)
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
    /// When a thread or its runtime cannot be started, or one of them panics; the others are then cut.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the threads, and what they serve is cut.
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
        let shards = listeners.into_iter().map(|listener| vec![listener]);
        self.serve_shards(shards.collect(), service).await
    }

    /// As [`serve_sharded`](Self::serve_sharded), where each thread has several listeners: one for each address.
    ///
    /// # Errors
    ///
    /// As [`serve_sharded`](Self::serve_sharded).
    ///
    /// # Cancel safety
    ///
    /// As [`serve_sharded`](Self::serve_sharded).
    pub async fn serve_shards<F, S, B>(
        &self,
        shards: Vec<Vec<Listener>>,
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
        let count = shards.len().max(1);
        let sharers = u32::try_from(count).unwrap_or(u32::MAX);
        let mut server = self.clone();
        server.limits.connections_max = self.limits.connections_max.div_ceil(sharers);
        let (ended, ends) = mpsc::channel(count);
        let started = shards
            .into_iter()
            .enumerate()
            .try_for_each(|(shard, listeners)| {
                let listeners = listeners
                    .into_iter()
                    .map(|listener| listener.shared_by(sharers));
                start_shard(
                    server.clone(),
                    shard,
                    listeners.collect(),
                    service.clone(),
                    ended.clone(),
                )
            });
        drop(ended);
        let served = match started {
            Ok(()) => self.until_ended(ends).await,
            Err(error) => Err(error),
        };
        if served.is_err() {
            self.drain.advance(Phase::Cut);
        }
        served
    }

    /// Waits for all shards, or for the first that fails.
    async fn until_ended(
        &self,
        mut ends: mpsc::Receiver<io::Result<Served>>,
    ) -> io::Result<Served> {
        let drain = self.drain.signal();
        let mut overdue = pin!(async {
            drain.reached(Phase::Cut).await;
            time::sleep(SHARD_CUT_WAIT).await;
        });
        let mut served = Served::default();
        loop {
            select! {
                biased;
                end = ends.recv() => match end {
                    Some(shard) => served.cut += shard?.cut,
                    None => return Ok(served),
                },
                // A handler blocks the thread, and its shard with it.
                () = &mut overdue => {
                    served.cut += self.connections();
                    return Ok(served);
                }
            }
        }
    }
}

fn start_shard<F, S, B>(
    server: Server,
    shard: usize,
    listeners: Vec<Listener>,
    service: F,
    ended: mpsc::Sender<io::Result<Served>>,
) -> io::Result<()>
where
    F: Fn() -> S + Send + 'static,
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let serve = move |ended: &mpsc::Sender<_>| {
        runtime.block_on(async {
            select! {
                biased;
                served = server.serve_all(listeners, service()) => served,
                // Nobody waits any more; the runtime ends with all that it serves.
                () = ended.closed() => Ok(Served::default()),
            }
        })
    };
    thread::Builder::new()
        .name(format!("msf-shard-{shard}"))
        .spawn(move || {
            // The service is made by the caller's code; whatever state a panic breaks ends with the shard.
            let served =
                catch_unwind(AssertUnwindSafe(|| serve(&ended))).unwrap_or_else(|payload| {
                    let panicked = Panicked::new(payload.as_ref());
                    Err(io::Error::other(format!(
                        "shard {shard} of the server {panicked}"
                    )))
                });
            // There is room for the end of every shard, unless the caller gave up.
            let _unheard = ended.try_send(served);
        })?;
    Ok(())
}

/// Longer than a shard takes to count what it had to cut.
const SHARD_CUT_WAIT: Duration = Duration::from_secs(1);

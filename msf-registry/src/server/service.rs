//! The tower service.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use msf_core::{config::Secret, server::Body};
use tokio::sync::Semaphore;
use tower_service::Service;

use super::{access::Access, answer};
use crate::{backend::memory::MemoryRegistry, health::Reach, token::InvalidToken};

/// Serves a [`MemoryRegistry`] to other processes; clones share it. See the
/// [module documentation](super).
#[derive(Clone, Debug)]
pub struct RegistryServer {
    pub(super) memory: MemoryRegistry,
    pub(super) watchers: Arc<Semaphore>,
    pub(super) watchers_max: usize,
    pub(super) access: Arc<Access>,
    pub(super) reach: Arc<Reach>,
    pub(super) keep_alive: Duration,
    pub(super) stream_max: Duration,
}

/// The answer of a [`RegistryServer`], which may wait for a change.
///
/// # Cancel safety
///
/// Dropping it while it waits gives the watcher's place back; a registration that was read is made or
/// not made, never in part.
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Response<Body>> + Send>>);

impl RegistryServer {
    /// Serves a registry. Its warm-up begins now, for 15 s unless the registry was built with another.
    #[must_use]
    pub fn new(memory: MemoryRegistry) -> Self {
        memory.serve(WARM_UP);
        Self {
            memory,
            watchers: Arc::new(Semaphore::new(WATCHERS_MAX)),
            watchers_max: WATCHERS_MAX,
            access: Arc::default(),
            reach: Arc::default(),
            keep_alive: KEEP_ALIVE,
            stream_max: STREAM_MAX,
        }
    }

    /// At most so many requests wait for a change at once; 10 000 unless set, one per process and
    /// service that it calls, each of which holds a connection and a few kilobytes.
    #[must_use]
    pub fn watchers_max(mut self, watchers: usize) -> Self {
        let watchers = watchers.min(Semaphore::MAX_PERMITS);
        self.watchers = Arc::new(Semaphore::new(watchers));
        self.watchers_max = watchers;
        self
    }

    /// Which addresses instances may name; those that [`Reach`] allows unless set: none that is link-local,
    /// a cloud's metadata service, a group or unspecified.
    #[must_use]
    pub fn reach(mut self, reach: Reach) -> Self {
        self.reach = Arc::new(reach);
        self
    }

    /// After how long without an event a stream of events carries a comment, at most a minute; 15 s unless set,
    /// below the 30 s to 60 s after which proxies cut a silent connection.
    #[must_use]
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.keep_alive = interval.clamp(KEEP_ALIVE_MIN, KEEP_ALIVE_MAX);
        self
    }

    /// How long a stream of events lasts at most, less up to a sixteenth; 10 min unless set. Its reader goes on
    /// where it was, with whichever server answers then.
    #[must_use]
    pub fn stream_max(mut self, life: Duration) -> Self {
        self.stream_max = life.min(STREAM_CEILING);
        self
    }

    /// How many requests and streams wait for a change now.
    pub(super) fn watchers(&self) -> usize {
        self.watchers_max - self.watchers.available_permits()
    }

    /// Takes only requests with this bearer token; everybody unless set. Each call adds another one, so
    /// that a token can be replaced without a moment at which half of the clients are shut out.
    ///
    /// ```
    /// use msf_registry::{backend::memory::MemoryRegistry, server::RegistryServer};
    ///
    /// let token = "0123456789abcdef0123456789abcdef".to_owned();
    /// let server = RegistryServer::new(MemoryRegistry::new()).token(token)?;
    /// # drop(server);
    /// # Ok::<(), msf_registry::InvalidToken>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] unless it is 16 to 512 visible ASCII characters.
    pub fn token(mut self, token: impl Into<Secret<String>>) -> Result<Self, InvalidToken> {
        Arc::make_mut(&mut self.access).client(token.into())?;
        Ok(self)
    }

    /// Lets whoever has this bearer token set the status of others' instances, and do everything else
    /// besides; nobody unless set. Each call adds another one.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] unless it is 16 to 512 visible ASCII characters.
    pub fn operator_token(
        mut self,
        token: impl Into<Secret<String>>,
    ) -> Result<Self, InvalidToken> {
        Arc::make_mut(&mut self.access).operator(token.into())?;
        Ok(self)
    }
}

impl Service<Request<Body>> for RegistryServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        self.memory.keep_pulse();
        ResponseFuture(Box::pin(answer::answer(self.clone(), request)))
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

const WARM_UP: Duration = Duration::from_secs(15);
const WATCHERS_MAX: usize = 10_000;
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_MIN: Duration = Duration::from_millis(10);
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(60);
const STREAM_MAX: Duration = Duration::from_secs(600);
const STREAM_CEILING: Duration = Duration::from_secs(86_400);

//! The token that is kept.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::HeaderValue;
use msf_core::{
    backoff::Backoff,
    clock::{self, WallClock},
    task::{self, Task},
};
use thiserror::Error;
use tokio::time::{self, Instant};

use super::{
    TokenClientBuilder, TokenRequestError, metrics::RequestMetrics, renewal::Renewal, request,
};
use crate::{
    bearer::{BearerError, BearerSource},
    flight::{Due, Landing},
    outbound::called::Endpoint,
};

/// A token of a client from an authorization server: kept, and fetched again in time. Cloning shares it.
///
/// See the [module documentation](super) for an example and for what is certain.
#[derive(Clone)]
pub struct TokenClient(Arc<Shared>);

pub(super) struct Shared {
    pub(super) ask: Ask,
    pub(super) name: Box<str>,
    pub(super) clock: WallClock,
    pub(super) metrics: RequestMetrics,
    pub(super) kept: ArcSwapOption<Kept>,
    flight: Mutex<Flight>,
    /// When the next one is due; never while one runs.
    pub(super) due: Due,
}

/// What is sent for a token.
pub(super) struct Ask {
    pub(super) endpoint: Endpoint,
    pub(super) body: Bytes,
}

/// A token, and when it ends by both clocks: the monotonic one does not run while a machine sleeps, and the wall clock
/// can be set back.
pub(super) struct Kept {
    pub(super) header: HeaderValue,
    pub(super) until: Instant,
    pub(super) until_s: u64,
}

pub(super) struct Flight {
    pub(super) renewal: Renewal,
    pub(super) landing: Option<Landing>,
    pub(super) last_error: Option<Arc<TokenRequestError>>,
}

/// There is no token, or none that has not ended.
#[derive(Clone, Debug, Error)]
#[error("there is no token from `{name}` to call with")]
pub struct TokenNotReady {
    name: Box<str>,
    #[source]
    last_error: Option<Arc<TokenRequestError>>,
}

impl TokenClient {
    /// Begins with the address of a token endpoint.
    pub fn builder(endpoint: &str) -> TokenClientBuilder {
        TokenClientBuilder::new(endpoint)
    }

    pub(super) fn assemble(
        ask: Ask,
        name: Box<str>,
        clock: WallClock,
        metrics: RequestMetrics,
    ) -> Self {
        let born = clock::now();
        let backoff = Backoff::exponential(BACKOFF_BASE, BACKOFF_MAX)
            .expect("the base is above zero and below the cap");
        Self(Arc::new(Shared {
            ask,
            name,
            clock,
            metrics,
            kept: ArcSwapOption::empty(),
            flight: Mutex::new(Flight {
                renewal: Renewal::new(backoff, born),
                landing: None,
                last_error: None,
            }),
            due: Due::new(born),
        }))
    }

    /// Whether there is a token that can be sent.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.usable().is_some()
    }

    /// Waits until there is a token, and asks for it whenever the back-off allows it.
    ///
    /// # Errors
    ///
    /// [`TokenNotReady`], with the last error as its source, when there is none `within` the time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves a request that runs to others.
    pub async fn await_ready(&self, within: Duration) -> Result<(), TokenNotReady> {
        let until_ready = async {
            while !self.is_ready() {
                self.once_more().await;
            }
        };
        time::timeout(within, until_ready)
            .await
            .map_err(|_| self.0.not_ready())
    }

    /// Keeps a fresh token without being asked, until the task is dropped.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn keep_fresh(&self) -> Task<()> {
        let tokens = self.clone();
        task::spawn("token_keep_fresh", async move {
            loop {
                tokens.once_more().await;
            }
        })
    }

    /// Waits for the request that runs, or for the time of the next one, or for the next one.
    async fn once_more(&self) {
        let is_ready = self.is_ready();
        let next = {
            let mut flight = self.0.flight();
            match flight.renewal.due_at(is_ready) {
                due_at if flight.landing.is_none() && clock::now() < due_at => Err(due_at),
                _ => Ok(request::start(&self.0, &mut flight)),
            }
        };
        match next {
            Ok(start) => start.launch().wait().await,
            Err(due_at) => time::sleep_until(due_at).await,
        }
    }
}

impl BearerSource for TokenClient {
    fn bearer(&self) -> Result<HeaderValue, BearerError> {
        let shared = &self.0;
        let (now, usable) = (clock::now(), shared.usable());
        if usable.is_none() || shared.due.is_now(now) {
            let mut flight = shared.flight();
            let due_at = flight.renewal.due_at(usable.is_some());
            if flight.landing.is_none() && now >= due_at {
                let start = request::start(shared, &mut flight);
                drop(flight);
                let _landing = start.launch();
            }
        }
        usable.ok_or_else(|| BearerError::new(shared.not_ready()))
    }
}

impl Shared {
    pub(super) fn flight(&self) -> MutexGuard<'_, Flight> {
        // What it protects is consistent between any two statements that could panic.
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) -> Option<HeaderValue> {
        let kept = self.kept.load();
        let kept = kept.as_ref()?;
        let is_usable = clock::now() < kept.until && self.clock.unix_seconds() < kept.until_s;
        is_usable.then(|| kept.header.clone())
    }

    fn not_ready(&self) -> TokenNotReady {
        TokenNotReady {
            name: self.name.clone(),
            last_error: self.flight().last_error.clone(),
        }
    }
}

/// Without the token and without the secret.
impl fmt::Debug for TokenClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenClient")
            .field("name", &self.0.name)
            .field("endpoint", &self.0.ask.endpoint.shown())
            .field("is_ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}

/// The first wait after a failure.
const BACKOFF_BASE: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

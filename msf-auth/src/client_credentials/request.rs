//! One request for a token, from its start to what becomes of it.

use std::{sync::Arc, time::Duration};

use msf_core::clock;
use tokio::{runtime::Handle, sync::watch, time::Instant};

use super::{
    TokenRequestError,
    answer::{self, Granted},
    client::{Ask, Flight, Kept, Shared},
    renewal,
};
use crate::flight::{Landing, Start};

/// Answers with a token have one or two KiB.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Starts a request that belongs to nobody, or gives the one that runs.
pub(super) fn start(shared: &Arc<Shared>, flight: &mut Flight) -> Start {
    if let Some(landing) = &flight.landing {
        return Start::none(landing.clone());
    }
    let (sender, landing) = Landing::new();
    if Handle::try_current().is_err() {
        // Nothing can run here: the landing is over, since its sender is dropped.
        tracing::error!(target: TARGET, "tokens are fetched inside a tokio runtime only");
        return Start::none(landing);
    }
    flight.landing = Some(landing.clone());
    shared.due.set(None);
    let running = Running {
        shared: shared.clone(),
        sender: Some(sender),
        asked_at: clock::now(),
        life: None,
    };
    Start::of(landing, "token_request", running.run())
}

/// A request under way. However it ends (also by a panic, or with its runtime), the next one can start and those who
/// wait are woken.
struct Running {
    shared: Arc<Shared>,
    sender: Option<watch::Sender<()>>,
    asked_at: Instant,
    life: Option<Duration>,
}

impl Running {
    async fn run(mut self) {
        let asked_at_s = self.shared.clock.unix_seconds();
        let outcome = self.shared.ask.send().await;
        match outcome {
            Ok(granted) => self.keep(granted, asked_at_s),
            Err(error) => self.shared.failed(error),
        }
    }

    fn keep(&mut self, granted: Granted, asked_at_s: u64) {
        let usable_for = renewal::usable_for(granted.life);
        self.life = Some(granted.life);
        self.shared.metrics.granted.inc();
        self.shared.flight().last_error = None;
        self.shared.kept.store(Some(Arc::new(Kept {
            header: granted.header,
            // From when it was asked for: it was made after that.
            until: self.asked_at + usable_for,
            // A second that has begun counts as one, or a life of a second would be none.
            until_s: asked_at_s.saturating_add(usable_for.as_secs() + 1),
        })));
    }
}

impl Ask {
    async fn send(&self) -> Result<Granted, TokenRequestError> {
        let answer = self
            .endpoint
            .post(self.body.clone(), ANSWER_BYTES_MAX)
            .await;
        let answer = answer.map_err(TokenRequestError::Exchange)?;
        answer::read(&answer)
    }
}

impl Shared {
    fn failed(&self, error: TokenRequestError) {
        match error {
            TokenRequestError::Refused { .. } => self.metrics.refused.inc(),
            _ => self.metrics.failed.inc(),
        }
        let (source, shown) = (&*self.name, &error as &(dyn std::error::Error + 'static));
        tracing::warn!(target: TARGET, source, error = shown, "no token was given, the last one stays");
        self.flight().last_error = Some(Arc::new(error));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let now = clock::now();
        let mut flight = self.shared.flight();
        match self.life {
            Some(life) => flight.renewal.succeeded(self.asked_at, life, now),
            None => flight.renewal.failed(now),
        }
        self.shared.due.set(Some(flight.renewal.due_at(true)));
        flight.landing = None;
        drop(flight);
        drop(self.sender.take());
    }
}

const TARGET: &str = "msf_auth::tokens";

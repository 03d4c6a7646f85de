//! Watches one service for all who call it.

use std::{sync::Arc, time::Duration};

use msf_core::{
    backoff::{Backoff, Delays},
    clock,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::track::Track;
use crate::{
    backend::ServiceRegistry,
    error::RegistryError,
    model::{Change, Snapshot},
    service::State,
};

/// Asks the registry for ever and publishes what it says.
pub(crate) struct WatchDriver {
    backend: Arc<dyn ServiceRegistry>,
    state: Arc<State>,
    track: Track,
    delays: Delays,
    is_away: bool,
}

impl WatchDriver {
    pub(crate) fn new(
        backend: Arc<dyn ServiceRegistry>,
        state: Arc<State>,
        empty_hold: Duration,
        backoff: Backoff,
    ) -> Self {
        Self {
            backend,
            state,
            track: Track::new(empty_hold),
            delays: backoff.delays(),
            is_away: false,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let asked = clock::now();
            let answer = tokio::select! {
                answer = ask(&*self.backend, &self.state, self.track.cursor()) => answer,
                // Dropping the question loses nothing: the next one continues from the same place.
                () = until(self.track.due_at()) => {
                    let released = self.track.release(clock::now());
                    self.publish(released);
                    continue;
                }
            };
            match answer {
                Ok(change) => {
                    self.back();
                    if let Change::Changed(snapshot) = change {
                        let next = self.track.take(snapshot, clock::now());
                        self.publish(next);
                    }
                    // A backend that answers at once and for ever must not keep a core busy.
                    sleep_until(asked + PACE).await;
                }
                Err(RegistryError::CursorLost) => {
                    self.track.lose_cursor();
                    sleep_until(asked + PACE).await;
                }
                Err(error) => {
                    self.away(&error);
                    self.pause().await;
                }
            }
        }
    }

    /// Waits before the next try, and lets a held list become due meanwhile.
    async fn pause(&mut self) {
        let wait = sleep(self.delays.next_delay());
        tokio::pin!(wait);
        loop {
            tokio::select! {
                () = &mut wait => return,
                () = until(self.track.due_at()) => {
                    let released = self.track.release(clock::now());
                    self.publish(released);
                }
            }
        }
    }

    fn publish(&self, snapshot: Option<Snapshot>) {
        if let Some(snapshot) = snapshot {
            tracing::debug!(
                service = %snapshot.service(),
                instances = snapshot.instances().len(),
                cursor = ?snapshot.cursor(),
                "instances changed"
            );
            self.state.publish(snapshot);
        }
    }

    fn back(&mut self) {
        self.delays.reset();
        self.state.confirm(clock::now());
        if std::mem::take(&mut self.is_away) {
            tracing::info!(service = %self.state.service(), "the registry is back");
        }
    }

    /// Says it once per outage.
    fn away(&mut self, error: &RegistryError) {
        if !std::mem::replace(&mut self.is_away, true) {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(
                service = %self.state.service(),
                %error,
                cause,
                instances = self.state.snapshot().instances().len(),
                "the registry is away; the last list stays in use"
            );
        }
    }
}

async fn ask(
    backend: &dyn ServiceRegistry,
    state: &State,
    cursor: Option<crate::model::Cursor>,
) -> Result<Change, RegistryError> {
    let service = state.service();
    match cursor {
        None => timeout(FETCH_MAX, backend.fetch(service))
            .await
            .map_err(|_elapsed| RegistryError::Timeout(FETCH_MAX))?
            .map(Change::Changed),
        Some(after) => timeout(WAIT_MAX, backend.next(service, after))
            .await
            .map_err(|_elapsed| RegistryError::Timeout(WAIT_MAX))?,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// At most so often per second is the registry asked about one service: a storm of changes is taken
/// in together.
const PACE: Duration = Duration::from_millis(20);
/// Backends have limits of their own, which are shorter; these hold for one that has none.
const FETCH_MAX: Duration = Duration::from_secs(30);
const WAIT_MAX: Duration = Duration::from_secs(120);

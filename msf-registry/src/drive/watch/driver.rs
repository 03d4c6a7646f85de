//! Asks the registry about one service for ever, and publishes what is to be believed of the answers.

use std::{pin::Pin, sync::Arc, time::Duration};

use msf_core::{
    backoff::{Backoff, Delays},
    clock,
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{merge::Merge, pace::Pace, track::Track};
use crate::{
    backend::{Capabilities, ServiceRegistry},
    cache::Persisted,
    drive::{caught, until},
    error::RegistryError,
    health::Reach,
    model::{Change, Cursor, Member, Snapshot},
    service::{Freshness, State},
};

/// Asks the registry for ever and publishes what it says.
pub(crate) struct WatchDriver {
    backend: Arc<dyn ServiceRegistry>,
    capabilities: Capabilities,
    rules: WatchRules,
    reach: Reach,
    /// How many were left out of the last list, because they are out of reach.
    left_out: usize,
    state: Arc<State>,
    track: Track,
    merge: Merge,
    pace: Pace,
    delays: Delays,
    sweep_at: Option<Instant>,
    is_away: bool,
}

/// What a watch needs to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchRules {
    pub(crate) empty_hold: Duration,
    pub(crate) merge_window: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) call_timeout: Duration,
    pub(crate) watch_timeout: Duration,
}

/// A wait and a question after it.
type Question = Pin<Box<dyn Future<Output = Result<Change, RegistryError>> + Send>>;

impl WatchDriver {
    pub(crate) fn new(
        backend: Arc<dyn ServiceRegistry>,
        state: Arc<State>,
        rules: WatchRules,
        reach: Reach,
    ) -> Self {
        Self {
            capabilities: backend.capabilities(),
            backend,
            reach,
            left_out: 0,
            state,
            track: Track::new(rules.empty_hold),
            merge: Merge::new(rules.merge_window),
            pace: Pace::new(rules.merge_window.max(EVERY_MIN), BURST, clock::now()),
            delays: rules.backoff.delays(),
            sweep_at: None,
            is_away: false,
            rules,
        }
    }

    /// `persisted` is what an earlier process knew, as soon as it is read.
    pub(crate) async fn run(mut self, persisted: impl Future<Output = Option<Persisted>>) {
        let mut persisted = std::pin::pin!(persisted);
        let mut is_read = false;
        let mut question = self.question(clock::now());
        loop {
            // The question stays under way while others are served: dropping it would cost the registry another one.
            tokio::select! {
                answer = &mut question => {
                    let again_at = self.take(answer, clock::now());
                    question = self.question(again_at);
                }
                read = &mut persisted, if !is_read => {
                    is_read = true;
                    if let Some(read) = read {
                        self.preload(read);
                    }
                }
                () = until(self.due_at()) => self.release(clock::now()),
                () = self.state.suspected() => self.sweep(clock::now()),
            }
        }
    }

    fn question(&self, at: Instant) -> Question {
        let (backend, state) = (Arc::clone(&self.backend), Arc::clone(&self.state));
        // Whoever was away is asked for the list, which is answered at once: a question for changes may be answered
        // much later, and until then nobody knows that it is back.
        let cursor = self.track.cursor().filter(|_| !self.is_away);
        let rules = self.rules;
        Box::pin(async move {
            sleep_until(at).await;
            caught(ask(&*backend, &state, cursor, rules)).await
        })
    }

    /// Takes an answer in; when the next question may follow.
    fn take(&mut self, answer: Result<Change, RegistryError>, now: Instant) -> Instant {
        let paced = self.pace.take(now);
        match answer.and_then(|change| of_service(change, &self.state)) {
            Ok(change) => {
                self.back(now);
                if let Change::Changed(snapshot) = change {
                    let snapshot = self.within_reach(snapshot);
                    if let Some(next) = self.track.take(snapshot, now) {
                        self.offer(next, now);
                    }
                }
                if self.capabilities.watch {
                    paced
                } else {
                    paced.max(now + jittered(self.capabilities.poll_interval))
                }
            }
            // Who asks for the list has no position to lose.
            Err(RegistryError::CursorLost) if self.track.cursor().is_some() && !self.is_away => {
                tracing::debug!(service = %self.state.service(), "the position is lost; fetching all");
                self.track.lose_cursor();
                paced
            }
            Err(error) => {
                self.away(&error);
                paced.max(now + self.delays.next_delay())
            }
        }
    }

    /// Whoever may write into a zone, a file or a key is not thereby allowed to have us call what only we can reach.
    fn within_reach(&mut self, snapshot: Snapshot) -> Snapshot {
        let listed = snapshot.instances();
        let reach = &self.reach;
        let is_within = |member: &&Member| {
            let mut endpoints = member.instance.endpoints();
            endpoints.all(|endpoint| reach.contains(endpoint.addr.ip()))
        };
        let left_out = listed.len() - listed.iter().filter(is_within).count();
        let is_news = left_out > std::mem::replace(&mut self.left_out, left_out);
        if is_news {
            tracing::warn!(
                service = %snapshot.service(),
                instances = left_out,
                "instances at addresses that may not be called are left out; allow them with `RegistryBuilder::reach`"
            );
        }
        if left_out == 0 {
            return snapshot;
        }
        let within: Vec<Member> = listed.iter().filter(is_within).cloned().collect();
        let (cursor, authority) = (snapshot.cursor(), snapshot.authority());
        Snapshot::new(snapshot.service().clone(), cursor, authority, within)
    }

    fn preload(&mut self, persisted: Persisted) {
        let snapshot = self.within_reach(persisted.snapshot);
        let Some(snapshot) = self.track.preload(snapshot) else {
            return;
        };
        tracing::info!(
            service = %snapshot.service(),
            instances = snapshot.instances().len(),
            "the list of an earlier process is used until the registry vouches for its own"
        );
        if self.state.freshness() == Freshness::Unknown {
            self.state.set_freshness(Freshness::Persisted {
                written_at: persisted.written_at,
            });
        }
        self.offer(snapshot, clock::now());
    }

    /// When something is due that needs no answer.
    fn due_at(&self) -> Option<Instant> {
        let moments = [self.track.due_at(), self.merge.due_at(), self.sweep_at];
        moments.into_iter().flatten().min()
    }

    fn release(&mut self, now: Instant) {
        if let Some(next) = self.track.release(now) {
            tracing::warn!(
                service = %next.service(),
                instances = next.instances().len(),
                "the doubtful list of the registry is believed now"
            );
            self.offer(next, now);
        }
        if let Some(next) = self.merge.release(now) {
            self.publish(next, now);
        }
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(now);
        }
    }

    fn offer(&mut self, snapshot: Snapshot, now: Instant) {
        if let Some(snapshot) = self.merge.offer(snapshot, now) {
            self.publish(snapshot, now);
        }
    }

    fn publish(&mut self, snapshot: Snapshot, now: Instant) {
        tracing::debug!(
            service = %snapshot.service(),
            instances = snapshot.instances().len(),
            cursor = ?snapshot.cursor(),
            authority = ?snapshot.authority(),
            "instances changed"
        );
        self.state.aside(|state| state.publish(snapshot));
        self.sweep(now);
    }

    fn sweep(&mut self, now: Instant) {
        // A sweep that asks for another one at once must not keep a core busy.
        let next = self.state.aside(|state| state.sweep(now));
        self.sweep_at = next.map(|at| at.max(now + EVERY_MIN));
    }

    fn back(&mut self, now: Instant) {
        self.delays.reset();
        self.state.confirm(now);
        self.state.set_freshness(Freshness::Live);
        if std::mem::take(&mut self.is_away) {
            tracing::info!(service = %self.state.service(), "the registry is back");
        }
    }

    fn grow_stale(&self) {
        if let (Freshness::Live, Some(since)) = (self.state.freshness(), self.state.confirmed_at())
        {
            self.state.set_freshness(Freshness::Stale { since });
        }
    }

    /// Says it once per outage.
    fn away(&mut self, error: &RegistryError) {
        if std::mem::replace(&mut self.is_away, true) {
            return;
        }
        self.grow_stale();
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(
            service = %self.state.service(),
            %error,
            cause,
            instances = self.state.snapshot().instances().len(),
            freshness = self.state.freshness().as_str(),
            "the registry is away; the last list stays in use"
        );
    }
}

/// It ends with the last handle, or with its runtime: then others may hold the list, which nobody confirms any more.
impl Drop for WatchDriver {
    fn drop(&mut self) {
        self.grow_stale();
    }
}

async fn ask(
    backend: &dyn ServiceRegistry,
    state: &State,
    cursor: Option<Cursor>,
    rules: WatchRules,
) -> Result<Change, RegistryError> {
    let service = state.service();
    match cursor {
        None => timeout(rules.call_timeout, backend.fetch(service))
            .await
            .unwrap_or(Err(RegistryError::Timeout(rules.call_timeout)))
            .map(Change::Changed),
        Some(after) => timeout(rules.watch_timeout, backend.next(service, after))
            .await
            .unwrap_or(Err(RegistryError::Timeout(rules.watch_timeout))),
    }
}

/// A list of another service would send calls to where nobody understands them.
fn of_service(change: Change, state: &State) -> Result<Change, RegistryError> {
    match change {
        Change::Changed(snapshot) if snapshot.service() != state.service() => {
            let (asked, answered) = (state.service(), snapshot.service());
            let cause = format!("asked for {asked}, answered for {answered}");
            Err(RegistryError::Protocol(cause.into()))
        }
        change => Ok(change),
    }
}

/// Processes that were started together must not ask together.
fn jittered(wait: Duration) -> Duration {
    wait.min(POLL_MAX).mul_f64(0.9 + 0.2 * fastrand::f64())
}

/// So many questions may follow each other at once; then one per merge window, because more changes than that are
/// not shown to callers anyway.
const BURST: u32 = 5;
const EVERY_MIN: Duration = Duration::from_millis(20);
const POLL_MAX: Duration = Duration::from_secs(86_400);

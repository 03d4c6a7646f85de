//! The list that verifiers look at.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use msf_core::{
    clock::{Epoch, WallClock},
    metrics::{Metrics, MetricsError},
};

use super::{
    Revocation, RevocationsBuilder, WhenBehind,
    metrics::{BEHIND, KINDS, MARKS, RevocationMetrics},
    table::{Mark, Moment, Table},
};
use crate::principal::Principal;

/// What was taken back and has not ended yet. Cloning shares it: give one to every verifier of a process.
///
/// See the [module documentation](super).
#[derive(Clone)]
pub struct Revocations(Arc<Shared>);

pub(super) struct Shared {
    /// Random, so that nobody can choose ids that collide.
    hasher: RandomState,
    tokens: Table,
    sessions: Table,
    subjects: Table,
    issuers: Table,
    all_until_s: AtomicU64,
    /// Moves with every revocation, after it is in its table.
    epoch: AtomicU64,
    /// Held while a table is written; readers do not look at it.
    writer: Mutex<()>,
    clock: WallClock,
    monotonic: Epoch,
    /// How long a token that is accepted now may live.
    life_s: AtomicU64,
    /// When the feed counts as silent; the end of time where there is none.
    silent_ns: AtomicU64,
    silence_max: Duration,
    when_behind: WhenBehind,
    metrics: RevocationMetrics,
}

/// How a [`Revocation`] was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Applied {
    /// As it is.
    Exact,
    /// There was no room, so that more was taken back than was asked for.
    Widened,
}

/// Before it is raised by a verifier: 24 hours and the most leeway.
const LIFE_S: u64 = 24 * 3_600;
/// No verifier has a longer leeway.
const LEEWAY_MAX_S: u64 = 300;
/// Where no feed is followed.
const NEVER: u64 = u64::MAX;

impl Revocations {
    /// An empty list with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::assemble(&Self::builder(), RevocationMetrics::noop())
    }

    /// A list with limits to be set.
    pub fn builder() -> RevocationsBuilder {
        RevocationsBuilder::new()
    }

    pub(super) fn assemble(builder: &RevocationsBuilder, metrics: RevocationMetrics) -> Self {
        let table = || Table::new(builder.marks_max);
        Self(Arc::new(Shared {
            hasher: RandomState::new(),
            tokens: table(),
            sessions: table(),
            subjects: table(),
            issuers: table(),
            all_until_s: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            writer: Mutex::new(()),
            clock: builder.clock,
            monotonic: Epoch::new(),
            life_s: AtomicU64::new(LIFE_S),
            silent_ns: AtomicU64::new(NEVER),
            silence_max: builder.silence_max,
            when_behind: builder.when_behind,
            metrics,
        }))
    }

    pub(super) fn register(&self, metrics: &Metrics) -> Result<(), MetricsError> {
        let behind = BEHIND.register(metrics)?.with([]);
        let marks = MARKS.register(metrics)?;
        let kinds: [_; 4] = std::array::from_fn(|kind| marks.with([KINDS[kind]]));
        metrics.on_scrape_of(&self.0, move |shared: &Shared| {
            behind.set(f64::from(u8::from(shared.is_behind())));
            for (table, gauge) in shared.tables().into_iter().zip(&kinds) {
                gauge.set(table.len() as f64);
            }
        });
        Ok(())
    }

    /// Takes tokens back, from this call on.
    pub fn apply(&self, revocation: &Revocation) -> Applied {
        let shared = &*self.0;
        // What it protects is consistent between any two statements.
        let _writer = shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = shared.record(revocation);
        // Whoever sees the new epoch sees the mark.
        shared.epoch.fetch_add(1, Ordering::Release);
        let is_widened = kind != wanted(revocation);
        shared.metrics.applied(wanted(revocation), is_widened);
        if is_widened {
            let (asked, taken) = (KINDS[wanted(revocation)], KINDS[kind]);
            tracing::warn!(target: "msf_auth::audit", asked, taken, "no room, so that more is revoked than was asked for");
            Applied::Widened
        } else {
            Applied::Exact
        }
    }

    /// Whether the token of this caller is taken back.
    #[must_use]
    pub fn is_revoked(&self, caller: &Principal) -> bool {
        self.0.is_revoked(caller)
    }

    /// Whether the feed is silent for longer than it may be. Without a feed it never is.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.0.is_behind()
    }

    /// Moves with every revocation.
    pub(crate) fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    pub(crate) fn when_behind(&self) -> WhenBehind {
        self.0.when_behind
    }

    /// Remembers what it hears from now on for as long as a verifier may accept it.
    pub(crate) fn cover(&self, life: Duration) {
        self.0.life_s.fetch_max(life.as_secs(), Ordering::Relaxed);
    }

    pub(super) fn silence_max(&self) -> Duration {
        self.0.silence_max
    }

    /// A feed is followed from now on, and was not heard yet.
    pub(super) fn follows(&self) {
        self.0.silent_ns.store(0, Ordering::Relaxed);
    }

    pub(super) fn heard(&self) {
        let silence_ns = u64::try_from(self.0.silence_max.as_nanos()).unwrap_or(NEVER);
        let silent_ns = self.0.monotonic.nanos().saturating_add(silence_ns);
        self.0.silent_ns.store(silent_ns, Ordering::Relaxed);
    }
}

impl Shared {
    fn tables(&self) -> [&Table; 4] {
        [&self.tokens, &self.sessions, &self.subjects, &self.issuers]
    }

    fn is_behind(&self) -> bool {
        let silent_ns = self.silent_ns.load(Ordering::Relaxed);
        silent_ns != NEVER && self.monotonic.coarse_nanos() >= silent_ns
    }

    fn is_revoked(&self, caller: &Principal) -> bool {
        let (_, issued_s, _) = caller.times_s();
        let issued_s = issued_s.unwrap_or(0);
        let issuer = caller.issuer();
        let until_s = [
            caller
                .token_id()
                .and_then(|id| self.tokens.find(|| self.key(issuer, id))),
            caller
                .session_id()
                .and_then(|id| self.sessions.find(|| self.key(issuer, id))),
            self.subjects.find(|| self.key(issuer, caller.subject())),
            self.issuers.find(|| self.key(issuer, "")),
            match self.all_until_s.load(Ordering::Acquire) {
                0 => None,
                until_s => Some(until_s),
            },
        ];
        until_s
            .into_iter()
            .flatten()
            .any(|until_s| issued_s <= until_s)
    }

    /// What was recorded, by its place among the kinds.
    fn record(&self, revocation: &Revocation) -> usize {
        let now = self.now();
        match revocation {
            Revocation::Token {
                issuer,
                token_id,
                subject,
                expires_at_s,
            } => {
                let life_s = expires_at_s.saturating_sub(now.wall_s);
                let key = self.key(issuer, token_id);
                if self.tokens.put(key, self.mark(ALWAYS, life_s, now), now) {
                    return 0;
                }
                self.widen(issuer, subject.as_deref(), now)
            }
            Revocation::Session {
                issuer,
                session_id,
                subject,
            } => {
                let key = self.key(issuer, session_id);
                if self.sessions.put(key, self.mark(ALWAYS, NEVER, now), now) {
                    return 1;
                }
                self.widen(issuer, subject.as_deref(), now)
            }
            Revocation::Subject {
                issuer,
                subject,
                issued_until_s,
            } => self.subject(issuer, subject, *issued_until_s, now),
            Revocation::Issuer {
                issuer,
                issued_until_s,
            } => self.issuer(issuer, *issued_until_s, now),
            Revocation::All { issued_until_s } => self.all(*issued_until_s, now),
        }
    }

    /// Forgetting would let a token in that was taken back; so its subject, or its issuer, begins anew.
    fn widen(&self, issuer: &str, subject: Option<&str>, now: Moment) -> usize {
        match subject {
            Some(subject) => self.subject(issuer, subject, now.wall_s, now),
            None => self.issuer(issuer, now.wall_s, now),
        }
    }

    fn subject(&self, issuer: &str, subject: &str, until_s: u64, now: Moment) -> usize {
        let mark = self.mark(until_s, NEVER, now);
        if self.subjects.put(self.key(issuer, subject), mark, now) {
            return 2;
        }
        self.issuer(issuer, until_s.max(now.wall_s), now)
    }

    fn issuer(&self, issuer: &str, until_s: u64, now: Moment) -> usize {
        let mark = self.mark(until_s, NEVER, now);
        if self.issuers.put(self.key(issuer, ""), mark, now) {
            return 3;
        }
        self.all(until_s.max(now.wall_s), now)
    }

    fn all(&self, until_s: u64, now: Moment) -> usize {
        let until_s = until_s.min(now.wall_s.saturating_add(LEEWAY_MAX_S));
        self.all_until_s.fetch_max(until_s, Ordering::Release);
        4
    }

    /// A mark that is needed for so long, and never for longer than a token may live.
    fn mark(&self, until_s: u64, life_s: u64, now: Moment) -> Mark {
        let life_max_s = self.life_s.load(Ordering::Relaxed);
        let needed_s = life_s.min(life_max_s).saturating_add(2 * LEEWAY_MAX_S);
        let issued_until_s = if until_s == ALWAYS {
            ALWAYS
        } else {
            // Further ahead, and nobody would ever get in again.
            until_s.min(now.wall_s.saturating_add(LEEWAY_MAX_S))
        };
        Mark {
            issued_until_s,
            forget: Moment {
                wall_s: now.wall_s.saturating_add(needed_s),
                monotonic_ns: now
                    .monotonic_ns
                    .saturating_add(needed_s.saturating_mul(1_000_000_000)),
            },
        }
    }

    fn now(&self) -> Moment {
        Moment {
            wall_s: self.clock.unix_seconds(),
            monotonic_ns: self.monotonic.nanos(),
        }
    }

    /// Each kind has a table of its own, so the kind is not in it.
    fn key(&self, issuer: &str, id: &str) -> u64 {
        self.hasher.hash_one((issuer, id))
    }
}

/// Whenever they were issued.
const ALWAYS: u64 = u64::MAX;

/// The place of its kind among [`KINDS`].
const fn wanted(revocation: &Revocation) -> usize {
    match revocation {
        Revocation::Token { .. } => 0,
        Revocation::Session { .. } => 1,
        Revocation::Subject { .. } => 2,
        Revocation::Issuer { .. } => 3,
        Revocation::All { .. } => 4,
    }
}

impl Default for Revocations {
    fn default() -> Self {
        Self::new()
    }
}

/// Without the ids.
impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths = self.0.tables().map(Table::len);
        f.debug_struct("Revocations")
            .field("lengths", &lengths)
            .field("is_behind", &self.is_behind())
            .finish_non_exhaustive()
    }
}

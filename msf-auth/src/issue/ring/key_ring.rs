//! The ring in use.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::{ArcSwap, Guard};
use msf_core::{
    clock::WallClock,
    metrics::Metrics,
    task::{self, Task},
};
use tokio::time;

use super::{
    KeyChange, KeyRingError, KeyState, KeyStatus, RotationPolicy, disk::Disk, metrics::RingMetrics,
    snapshot::Snapshot, state::Ring,
};
use crate::audit::{Audit, Event, Kind};

/// The keys of an issuer, on disk and in use. Cloning shares them.
///
/// See the [module documentation](crate::issue).
#[derive(Clone)]
pub struct KeyRing(Arc<Shared>);

struct Shared {
    disk: Disk,
    policy: RotationPolicy,
    clock: WallClock,
    snapshot: ArcSwap<Snapshot>,
    metrics: RingMetrics,
    audit: Audit,
}

/// Collects what a [`KeyRing`] has to know. Made by [`KeyRing::builder`].
#[derive(Clone)]
#[must_use]
pub struct KeyRingBuilder {
    dir: PathBuf,
    policy: RotationPolicy,
    clock: WallClock,
    metrics: Option<Metrics>,
    audit: Audit,
}

impl KeyRingBuilder {
    /// How long keys stay in each state.
    pub const fn policy(mut self, policy: RotationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Where the wall time comes from; for tests.
    pub const fn clock(mut self, clock: WallClock) -> Self {
        self.clock = clock;
        self
    }

    /// Counts in these metrics.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Where events go; default the log.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Opens the ring, as [`KeyRing::open`] does.
    ///
    /// # Errors
    ///
    /// As there, and for metrics that cannot be registered.
    pub fn open(self) -> Result<KeyRing, KeyRingError> {
        self.policy.check()?;
        let metrics = match &self.metrics {
            Some(metrics) => RingMetrics::new(metrics)?,
            None => RingMetrics::noop(),
        };
        let disk = Disk::new(self.dir);
        let (snapshot, changes) = disk.open(&self.policy, self.clock.unix_seconds())?;
        metrics.installed(&snapshot);
        let ring = KeyRing(Arc::new(Shared {
            disk,
            policy: self.policy,
            clock: self.clock,
            snapshot: ArcSwap::from_pointee(snapshot),
            metrics,
            audit: self.audit,
        }));
        ring.0.report(&changes);
        Ok(ring)
    }
}

impl KeyRing {
    /// The ring of a directory, with the default policy.
    ///
    /// A directory without one gets a key that signs at once and one that is staged. The key of an
    /// [issuer of one key](crate::TokenIssuer::open) becomes the first of the ring. What is due is done, or, when it
    /// cannot be written, left to [`keep_rotating`](Self::keep_rotating).
    ///
    /// It reads and writes files, so it belongs to the start of a process.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`] for a directory, manifest or key that is unreadable, broken or open to others. Nothing is
    /// replaced.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        Self::builder(dir).open()
    }

    /// Begins with the default policy.
    pub fn builder(dir: impl AsRef<Path>) -> KeyRingBuilder {
        KeyRingBuilder {
            dir: dir.as_ref().to_owned(),
            policy: RotationPolicy::default(),
            clock: WallClock::system(),
            metrics: None,
            audit: Audit::log(),
        }
    }

    /// The ring as it is, for a process that only signs.
    pub(in crate::issue) fn load(dir: &Path) -> Result<Self, KeyRingError> {
        let disk = Disk::new(dir.to_owned());
        let snapshot = disk.load_only()?;
        Ok(Self(Arc::new(Shared {
            disk,
            policy: RotationPolicy::default(),
            clock: WallClock::system(),
            snapshot: ArcSwap::from_pointee(snapshot),
            metrics: RingMetrics::noop(),
            audit: Audit::log(),
        })))
    }

    /// Takes over what other processes did, and does what is due.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`]; the keys in use stay.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the work is done nevertheless: a blocking thread cannot be stopped.
    pub async fn rotate(&self) -> Result<Vec<KeyChange>, KeyRingError> {
        self.run(|shared, now_s| {
            if let Some(snapshot) = shared.disk.reload(shared.generation())? {
                shared.install(snapshot);
            }
            let policy = &shared.policy;
            if !Disk::is_due(&shared.snapshot.load().ring, policy, now_s) {
                return Ok(Vec::new());
            }
            shared.change(now_s, |ring| Ok(ring.advance(policy, now_s)))
        })
        .await
    }

    /// Lets the staged key sign before it is due, if it was published for long enough; otherwise nothing happens.
    ///
    /// For a key that is not known to be stolen, after which somebody left for example. [`revoke`](Self::revoke) is
    /// for the rest.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`]; the keys in use stay.
    ///
    /// # Cancel safety
    ///
    /// As [`rotate`](Self::rotate).
    pub async fn rotate_early(&self) -> Result<Vec<KeyChange>, KeyRingError> {
        self.run(|shared, now_s| {
            let policy = &shared.policy;
            shared.change(now_s, |ring| {
                let mut changes = ring.advance(policy, now_s);
                changes.extend(ring.hand_over(policy, now_s));
                Ok(changes)
            })
        })
        .await
    }

    /// Takes a key that is known to others out of use at once, in whatever state it is.
    ///
    /// Its file is removed, and every token that it signed ends when verifiers fetch the key set again: at the
    /// latest after [`jwks_max_age`](RotationPolicy::jwks_max_age), or a minute if that is less, for those that heed it.
    /// One that cannot reach us goes on with what it has. When it was the one that signs, the staged key takes its place,
    /// which they have already, unless it was staged since they looked: after two revocations in a row they have to
    /// fetch it when they see it.
    ///
    /// # Errors
    ///
    /// [`KeyRingError::UnknownKey`] for an id that is not in the ring, and all others; the keys in use stay, so the
    /// call has to be made again.
    ///
    /// # Cancel safety
    ///
    /// As [`rotate`](Self::rotate).
    pub async fn revoke(&self, key_id: &str) -> Result<Vec<KeyChange>, KeyRingError> {
        let key_id: Box<str> = key_id.into();
        self.run(move |shared, now_s| {
            shared.change(now_s, |ring| {
                ring.revoke(&key_id, now_s)
                    .map_err(|_| KeyRingError::UnknownKey(key_id.clone()))
            })
        })
        .await
    }

    /// [Rotates](Self::rotate) without being asked, until the task is dropped. Every process that shares the directory
    /// has to do this.
    ///
    /// What fails is logged and counted, and tried again after [`reload`](RotationPolicy::reload).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn keep_rotating(&self) -> Task<()> {
        let ring = self.clone();
        task::spawn("key_ring", async move {
            loop {
                time::sleep(ring.0.policy.reload).await;
                if let Err(error) = ring.rotate().await {
                    let error: &dyn Error = &error;
                    tracing::error!(target: "msf_auth::issue", error, "the key ring was not rotated; the keys in use stay");
                }
            }
        })
    }

    /// Its keys, in the order in which they were made.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyStatus> {
        self.0.snapshot.load().status()
    }

    /// How long keys stay in each state.
    pub fn policy(&self) -> &RotationPolicy {
        &self.0.policy
    }

    pub(in crate::issue) fn clock(&self) -> WallClock {
        self.0.clock
    }

    pub(in crate::issue) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.0.snapshot.load()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, u64) -> Result<T, KeyRingError> + Send + 'static,
    ) -> Result<T, KeyRingError> {
        let shared = self.0.clone();
        let now_s = shared.clock.unix_seconds();
        let job = tokio::task::spawn_blocking(move || {
            let outcome = work(&shared, now_s);
            shared.metrics.settle(&outcome);
            outcome
        });
        job.await.unwrap_or(Err(KeyRingError::Stopped))
    }
}

impl Shared {
    fn generation(&self) -> u64 {
        self.snapshot.load().generation()
    }

    fn change(
        &self,
        now_s: u64,
        step: impl FnOnce(&mut Ring) -> Result<Vec<KeyChange>, KeyRingError>,
    ) -> Result<Vec<KeyChange>, KeyRingError> {
        let known = self.generation();
        let (snapshot, changes) = self.disk.change(known, &self.policy, now_s, step)?;
        self.install(snapshot);
        self.report(&changes);
        Ok(changes)
    }

    /// Two calls may end in another order than they began.
    fn install(&self, snapshot: Snapshot) {
        let snapshot = Arc::new(snapshot);
        self.snapshot.rcu(|current| {
            let newer = snapshot.generation() > current.generation();
            if newer { &snapshot } else { current }.clone()
        });
        self.metrics.installed(&self.snapshot.load());
    }

    fn report(&self, changes: &[KeyChange]) {
        for change in changes {
            self.metrics.changed(change);
            let kind = match (change.revoked, change.state) {
                (true, _) => Kind::KeyRevoked,
                (false, KeyState::Staged) => Kind::KeyStaged,
                (false, KeyState::Active) => Kind::KeyActivated,
                (false, KeyState::Retired) => Kind::KeyRetired,
                (false, KeyState::Gone) => Kind::KeyRemoved,
            };
            self.audit.record(&Event::new(kind).key_id(&change.key_id));
        }
    }
}

impl fmt::Debug for KeyRingBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRingBuilder")
            .field("dir", &self.dir)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("policy", &self.0.policy)
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}

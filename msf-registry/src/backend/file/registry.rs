//! The file behind the two traits.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use msf_core::{
    clock::{self, WallClock},
    name::ServiceName,
};
use tokio::{
    sync::{Mutex, Notify, OwnedMutexGuard},
    task,
    time::{Instant, sleep_until, timeout},
};

use super::{
    builder::FileRegistryBuilder,
    disk::{self, Lock, Stamp},
    document::{Document, Refused, Wrong},
    error::InvalidFile,
    view::{HOLD_MS, Views},
};
use crate::{
    backend::{Capabilities, Consistency, Discovery, Registrar},
    error::RegistryError,
    model::{Change, Cursor, Instance, Lease, Renewal, Snapshot},
};

/// A registry in a file; clones share it. See the [module documentation](super).
#[derive(Clone, Debug)]
pub struct FileRegistry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: FileRegistryBuilder,
    wall: WallClock,
    /// Held by the thread that works on the file, also when nobody waits for it any longer: a disk
    /// that hangs costs one thread.
    known: Arc<Mutex<Known>>,
    /// Rung when this process has changed the file.
    bell: Notify,
}

/// What the file said when it was read last.
#[derive(Debug)]
struct Known {
    read: Option<Stamp>,
    document: Document,
    views: Views,
    /// In wall time, as everything in the file.
    next_change: Option<u64>,
    looked_at: Option<Instant>,
    was_there: bool,
    foreign: usize,
}

impl FileRegistry {
    /// The registry in this file, which is made if it does not exist, with the usual limits.
    ///
    /// # Errors
    ///
    /// [`InvalidFile`] when there cannot be a file of this name.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, InvalidFile> {
        Self::builder(path).open()
    }

    /// A registry with limits of its own.
    pub fn builder(path: impl Into<PathBuf>) -> FileRegistryBuilder {
        FileRegistryBuilder::new(path.into())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.settings.path
    }

    pub(super) fn with(settings: FileRegistryBuilder) -> Result<Self, InvalidFile> {
        let path = &settings.path;
        let parent = path.parent().map(|parent| {
            if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            }
        });
        if path.is_dir() || !parent.is_some_and(Path::is_dir) {
            let path = path.clone();
            return Err(InvalidFile::Place { path });
        }
        if !settings.is_read_only && !path.exists() {
            let _lock = Lock::take(path, settings.timeout)?;
            // Another process may have made it, and used it, since.
            if !path.exists() {
                disk::replace(path, Document::default().render().as_bytes())?;
            }
        }
        Ok(Self {
            shared: Arc::new(Shared {
                settings,
                wall: WallClock::default(),
                known: Arc::new(Mutex::new(Known {
                    read: None,
                    document: Document::default(),
                    views: Views::new(fastrand::u64(..)),
                    next_change: None,
                    looked_at: None,
                    was_there: false,
                    foreign: 0,
                })),
                bell: Notify::new(),
            }),
        })
    }

    /// Works on the file in a thread of its own, one at a time. What is begun is ended, also when
    /// nobody waits for it any longer.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, &mut Known) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let limit = self.shared.settings.timeout;
        let shared = Arc::clone(&self.shared);
        let turn = Arc::clone(&self.shared.known).lock_owned();
        let all = async {
            let mut known: OwnedMutexGuard<Known> = turn.await;
            let done = task::spawn_blocking(move || work(&shared, &mut known)).await;
            done.unwrap_or_else(|panicked| Err(RegistryError::Protocol(panicked.into())))
        };
        // Twice: the turn of somebody who waits for the lock, and the work itself.
        let limit = limit.saturating_mul(2);
        timeout(limit, all)
            .await
            .unwrap_or(Err(RegistryError::Timeout(limit)))
    }

    /// Changes the file under its lock; a broken one is left for whoever mends it.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Document, u64) -> Result<(T, bool), RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        if self.shared.settings.is_read_only {
            return Err(RegistryError::ReadOnly {
                backend: "a file that is only read",
            });
        }
        self.work(move |shared, known| {
            let settings = &shared.settings;
            let _lock = Lock::take(&settings.path, settings.timeout)?;
            // Within the lock: a time from before it could be earlier than what is in the file.
            let now = shared.now();
            let mut document = match shared.read() {
                Ok((_, document)) => document,
                // A file that was lost had instances in it which have yet to register again.
                Err(InvalidFile::Missing { .. }) if known.was_there => {
                    Document::in_place_of_a_lost_one(now)
                }
                Err(InvalidFile::Missing { .. }) => Document::default(),
                Err(error) => return Err(error.into()),
            };
            document.sweep(now);
            let (outcome, is_changed) = change(&mut document, now)?;
            if is_changed {
                let text = document.render();
                if text.len() as u64 > settings.bytes_max {
                    return Err(RegistryError::Full {
                        limit: "the size of the file",
                    });
                }
                disk::replace(&settings.path, text.as_bytes())?;
                let stamp = Stamp::of(&settings.path).ok();
                known.take(stamp, document, now);
                shared.bell.notify_waiters();
            }
            Ok(outcome)
        })
        .await
    }

    /// The list of a service, and when to look again.
    async fn look(
        &self,
        service: ServiceName,
        may_be_old: bool,
    ) -> Result<(Snapshot, Instant), RegistryError> {
        self.work(move |shared, known| {
            let now = clock::now();
            let (poll, wall) = (shared.settings.poll, shared.now());
            // Whoever waits together looks together.
            let is_fresh = known
                .looked_at
                .is_some_and(|at| now.saturating_duration_since(at) < poll / 2)
                && known.next_change.is_none_or(|at| wall < at);
            if !(may_be_old && is_fresh) {
                known.refresh(shared, wall)?;
                known.looked_at = Some(now);
            }
            let due = known
                .next_change
                .map(|at| now + Duration::from_millis(at.saturating_sub(wall)));
            let again = now + poll.mul_f64(0.9 + 0.2 * fastrand::f64());
            let again = due.map_or(again, |due| due.min(again));
            Ok((known.views.snapshot(&service), again))
        })
        .await
    }
}

impl Shared {
    fn now(&self) -> u64 {
        let since = self.wall.now().duration_since(SystemTime::UNIX_EPOCH);
        u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
    }

    fn read(&self) -> Result<(Stamp, Document), InvalidFile> {
        let path = &self.settings.path;
        // Before the content: what is written in between is read again next time.
        let stamp = Stamp::of(path)?;
        let content = disk::read(path, self.settings.bytes_max)?;
        let document = parse(path, &content)?;
        Ok((stamp, document))
    }
}

impl Known {
    fn refresh(&mut self, shared: &Shared, now: u64) -> Result<(), InvalidFile> {
        let stamp = Stamp::of(&shared.settings.path)?;
        let is_same = self.read == Some(stamp) && stamp.is_settled(shared.wall.now());
        if !is_same {
            let (stamp, document) = shared.read()?;
            self.take(Some(stamp), document, now);
        } else if self.document.cap(now) || self.next_change.is_some_and(|at| at <= now) {
            self.show(now);
        }
        Ok(())
    }

    fn take(&mut self, stamp: Option<Stamp>, mut document: Document, now: u64) {
        document.cap(now);
        let foreign = document.foreign();
        if foreign > self.foreign {
            tracing::warn!(
                instances = foreign,
                "the file lists instances that this version does not understand; they are left out"
            );
        }
        (self.read, self.document, self.foreign) = (stamp, document, foreign);
        self.was_there = true;
        self.show(now);
    }

    fn show(&mut self, now: u64) {
        self.views.take(&self.document, now);
        self.next_change = self.document.next_change(HOLD_MS, now);
    }
}

#[async_trait]
impl Registrar for FileRegistry {
    async fn put(&self, instance: &Instance, ttl: Duration) -> Result<Lease, RegistryError> {
        instance.validate()?;
        let (min, max) = (self.shared.settings.ttl_min, self.shared.settings.ttl_max);
        if ttl < min || ttl > max {
            return Err(RegistryError::Ttl { ttl, min, max });
        }
        let (instance, token) = (instance.clone(), format!("{:016x}", fastrand::u64(..)));
        self.change(move |document, now| {
            document
                .put(&instance, token.clone(), ttl, now)
                .map_err(|refused| refusal(refused, &instance))?;
            let lease = Lease::new(instance.service, instance.id, token, ttl);
            Ok((lease, true))
        })
        .await
    }

    async fn renew(&self, lease: &Lease) -> Result<Renewal, RegistryError> {
        let renewed = self.renew_all(std::slice::from_ref(lease)).await?;
        Ok(renewed.into_iter().next().unwrap_or(Renewal::Gone))
    }

    async fn renew_all(&self, leases: &[Lease]) -> Result<Vec<Renewal>, RegistryError> {
        let leases = leases.to_vec();
        self.change(move |document, now| {
            let renewed: Vec<Renewal> = leases
                .iter()
                .map(|lease| {
                    document
                        .renew(lease.service(), lease.instance(), lease.token(), now)
                        .map_or(Renewal::Gone, |ttl| Renewal::Renewed { ttl })
                })
                .collect();
            let is_changed = renewed.iter().any(|one| *one != Renewal::Gone);
            Ok((renewed, is_changed))
        })
        .await
    }

    async fn remove(&self, lease: &Lease) -> Result<(), RegistryError> {
        let lease = lease.clone();
        self.change(move |document, _now| {
            let was_there = document.remove(lease.service(), lease.instance(), lease.token());
            Ok(((), was_there))
        })
        .await
    }
}

#[async_trait]
impl Discovery for FileRegistry {
    async fn fetch(&self, service: &ServiceName) -> Result<Snapshot, RegistryError> {
        let (snapshot, _) = self.look(service.clone(), false).await?;
        Ok(snapshot)
    }

    async fn next(&self, service: &ServiceName, after: Cursor) -> Result<Change, RegistryError> {
        let deadline = clock::now() + WAIT;
        loop {
            // Listening begins before the look, so that no ring falls between the two.
            let ring = self.shared.bell.notified();
            let (snapshot, again) = self.look(service.clone(), true).await?;
            if snapshot.cursor() != after {
                return Ok(Change::Changed(snapshot));
            }
            if clock::now() >= deadline {
                return Ok(Change::Unchanged);
            }
            tokio::select! {
                () = ring => {}
                () = sleep_until(again) => {}
            }
        }
    }

    async fn services(&self) -> Result<Vec<ServiceName>, RegistryError> {
        self.work(|shared, known| {
            known.refresh(shared, shared.now())?;
            Ok(known.views.services())
        })
        .await
    }

    fn capabilities(&self) -> Capabilities {
        let capabilities = Capabilities::new().consistency(Consistency::Strong);
        if self.shared.settings.is_read_only {
            capabilities.without_leases()
        } else {
            capabilities
        }
    }
}

fn parse(path: &Path, content: &[u8]) -> Result<Document, InvalidFile> {
    let path = || path.to_path_buf();
    let text = std::str::from_utf8(content).map_err(|error| {
        let ends = content[..error.valid_up_to()].iter();
        InvalidFile::Content {
            path: path(),
            line: 1 + ends.filter(|byte| **byte == b'\n').count(),
            reason: "the text is not UTF-8".into(),
        }
    })?;
    Document::parse(text).map_err(|wrong| match wrong {
        Wrong::Content { line, reason } => InvalidFile::Content {
            path: path(),
            line,
            reason,
        },
        Wrong::Duplicate { line, service, id } => InvalidFile::Duplicate {
            path: path(),
            line,
            service,
            id,
        },
    })
}

fn refusal(refused: Refused, instance: &Instance) -> RegistryError {
    match refused {
        Refused::ByHand => RegistryError::Refused {
            status: 409,
            detail: Some(format!(
                "somebody wrote {} of {} into the file by hand; take it out, or register under another id",
                instance.id, instance.service
            )),
        },
        Refused::Full => RegistryError::Full { limit: "instances" },
        Refused::Unwritable(reason) => RegistryError::Protocol(reason.into()),
    }
}

/// So that the age of the list is that of a file that is there.
const WAIT: Duration = Duration::from_secs(30);

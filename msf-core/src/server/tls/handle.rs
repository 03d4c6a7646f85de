//! [`Tls`].

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use tokio::time;

use super::{
    error::TlsError,
    load::{self, Texts},
    settings::TlsSettings,
    snapshot::Snapshot,
};
use crate::task::{self, Task};

/// The certificates that listeners serve, which can be changed while they do. Clones are the same.
///
/// See the [module documentation](super) for an example.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
}

struct Inner {
    current: ArcSwap<Snapshot>,
    /// Held over a whole reload, so that two do not overtake one another.
    settings: Mutex<TlsSettings>,
}

impl Tls {
    /// Reads the files and checks what is in them.
    ///
    /// It blocks for as long as small files take to be read.
    ///
    /// # Errors
    ///
    /// [`TlsError`], which names the file and the way out.
    pub fn load(settings: TlsSettings) -> Result<Self, TlsError> {
        let snapshot = load::snapshot(&settings, &Texts::read(&settings)?)?;
        Ok(Self {
            inner: Arc::new(Inner {
                current: ArcSwap::from_pointee(snapshot),
                settings: Mutex::new(settings),
            }),
        })
    }

    /// Reads the files again, and says whether they have changed. Connections that are open stay so.
    ///
    /// # Errors
    ///
    /// [`TlsError`]; what was served before is served further.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let settings = self.inner.settings.lock();
        let settings = settings.unwrap_or_else(PoisonError::into_inner);
        let texts = Texts::read(&settings)?;
        if texts.digest == self.current().digest {
            return Ok(false);
        }
        let snapshot = load::snapshot(&settings, &texts)?;
        self.inner.current.store(Arc::new(snapshot));
        Ok(true)
    }

    /// Serves what was loaded by other settings from now on, in all clones of this one. Where nothing differs nothing
    /// changes, and clients can go on resuming their sessions.
    pub fn replace(&self, next: &Self) {
        if Arc::ptr_eq(&self.inner, &next.inner) {
            return;
        }
        let (next_settings, next_snapshot) = {
            let settings = next.inner.settings.lock();
            let settings = settings.unwrap_or_else(PoisonError::into_inner);
            (settings.clone(), next.inner.current.load_full())
        };
        let settings = self.inner.settings.lock();
        let mut settings = settings.unwrap_or_else(PoisonError::into_inner);
        if *settings != next_settings || self.current().digest != next_snapshot.digest {
            self.inner.current.store(next_snapshot);
            *settings = next_settings;
        }
    }

    /// Reloads now and then until it is dropped, and logs what came of it: an error once, and not at every look. Every
    /// 10 s ([`WATCH_EVERY`](Self::WATCH_EVERY)) is early enough for certificates that are renewed days before their end.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn watch(&self, every: Duration) -> Task<()> {
        let tls = self.clone();
        task::spawn("certificates", async move {
            let mut complained = None;
            loop {
                time::sleep(every.max(WATCH_EVERY_MIN)).await;
                let mut outcome = tls.reload_aside().await;
                if outcome.is_err() {
                    // A chain and its key are two files, and one of them is the first to be written.
                    time::sleep(SETTLE).await;
                    outcome = tls.reload_aside().await;
                }
                match outcome {
                    Ok(is_changed) => {
                        if is_changed || complained.take().is_some() {
                            tracing::info!(is_changed, "certificates reloaded");
                        }
                        complained = None;
                    }
                    Err(error) => {
                        if complained.as_ref() != Some(&error) {
                            tracing::error!(
                                "certificates refused, the ones before stay in use: {error}"
                            );
                        }
                        complained = Some(error);
                    }
                }
            }
        })
    }

    /// How often files are looked at unless somebody says otherwise.
    pub const WATCH_EVERY: Duration = Duration::from_secs(10);

    /// Off the threads of the runtime: the files may be on a disk that hangs.
    async fn reload_aside(&self) -> Result<bool, String> {
        let tls = self.clone();
        let reload = tokio::task::spawn_blocking(move || tls.reload());
        match reload.await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn current(&self) -> Guard<Arc<Snapshot>> {
        self.inner.current.load()
    }
}

/// How many certificates there are, and nothing of them.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("certificates", &self.current().entries.len())
            .finish_non_exhaustive()
    }
}

const WATCH_EVERY_MIN: Duration = Duration::from_millis(10);
const SETTLE: Duration = Duration::from_millis(250);

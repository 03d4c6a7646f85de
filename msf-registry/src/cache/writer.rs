//! Writes the list of a service when it has changed.

use std::{sync::Arc, time::Duration};

use msf_core::clock;
use tokio::{
    task::spawn_blocking,
    time::{sleep, sleep_until},
};

use super::{
    Cache,
    file::{CacheError, encode},
};
use crate::{
    model::{Member, Snapshot},
    service::{Freshness, State},
};

impl Cache {
    /// Writes for as long as it runs. What changed in the last second before it is dropped may not be written.
    pub(crate) async fn keep(self, state: Arc<State>) {
        let mut changed = state.subscribe();
        // Something may have been published before.
        changed.mark_changed();
        let mut written: Option<Arc<Snapshot>> = None;
        let mut is_failing = false;
        let mut again_at = clock::now() + REFRESH;
        loop {
            let is_again = tokio::select! {
                gone = changed.changed() => match gone {
                    Ok(()) => false,
                    Err(_nobody) => return,
                },
                () = sleep_until(again_at) => true,
            };
            let snapshot = state.snapshot();
            let is_news = !written
                .as_ref()
                .is_some_and(|written| is_same(written, &snapshot));
            let is_worth_it = match state.freshness() {
                // Its time of writing says how old it is, so a list that is still true is written again.
                Freshness::Live => is_news || is_again,
                Freshness::Stale { .. } => is_news || (is_again && is_failing),
                // It comes from there.
                Freshness::Persisted { .. } | Freshness::Unknown => false,
            };
            if !is_worth_it {
                if is_again {
                    again_at = clock::now() + REFRESH;
                }
                continue;
            }
            match self.store(&snapshot).await {
                Ok(()) => {
                    again_at = clock::now() + REFRESH;
                    written = Some(snapshot);
                    if std::mem::take(&mut is_failing) {
                        tracing::info!(service = %state.service(), "lists are kept on disk again");
                    }
                }
                Err(error) => {
                    self.errors.write.inc();
                    again_at = clock::now() + RETRY;
                    if !std::mem::replace(&mut is_failing, true) {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::warn!(
                            service = %state.service(),
                            path = %self.disk.path(state.service()).display(),
                            %error,
                            cause,
                            "the list of this service cannot be kept on disk; going on without"
                        );
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn store(&self, snapshot: &Arc<Snapshot>) -> Result<(), CacheError> {
        let (disk, now) = (self.disk.clone(), self.clock.now());
        let snapshot = Arc::clone(snapshot);
        let write = move || disk.write(snapshot.service(), &encode(&snapshot, now)?);
        spawn_blocking(write)
            .await
            .unwrap_or(Err(CacheError::Interrupted))
    }
}

/// Whether both would give the same file, but for its time.
fn is_same(a: &Snapshot, b: &Snapshot) -> bool {
    let is_same = |(a, b): (&Member, &Member)| {
        a.operator_status == b.operator_status
            && (Arc::ptr_eq(&a.instance, &b.instance) || a.instance == b.instance)
    };
    a.instances().len() == b.instances().len()
        && a.instances().iter().zip(b.instances()).all(is_same)
}

/// One write per second and service, however often its list changes.
const PAUSE: Duration = Duration::from_secs(1);
/// How old the time in the file of a list that does not change may become.
const REFRESH: Duration = Duration::from_secs(600);
/// After a failure, unless the list changes before.
const RETRY: Duration = Duration::from_secs(30);

//! Forgetting what has no use any more.

use std::time::Duration;

use msf_core::task::{self, Task};
use tokio::time;

use super::{RefreshError, RefreshTokens, tokens::BATCH};

impl RefreshTokens {
    /// Removes families that have ended, and wipes what was kept for a grace that is over. Gives how many rows were
    /// touched. Several processes may do it at once.
    ///
    /// # Errors
    ///
    /// [`RefreshError::Store`] when the store did not do it; what was done stays done.
    pub async fn sweep(&self) -> Result<usize, RefreshError> {
        let mut touched = 0;
        for _ in 0..BATCHES_MAX {
            // A clock that was ahead for a moment ends sessions as long as this process runs, and must not remove them.
            let now_ms = self.clock.wall_ms();
            let due = async { Ok(self.store.due(now_ms, BATCH).await?) };
            let due = self.within(due).await?;
            let is_last = due.len() < BATCH;
            for family in due {
                let change = async {
                    if now_ms >= family.ends_ms() {
                        return Ok(self.store.remove(family.id(), family.version()).await?);
                    }
                    match family.wiped(now_ms) {
                        Some(wiped) => Ok(self.store.replace(wiped).await?),
                        None => Ok(false),
                    }
                };
                touched += usize::from(self.within(change).await?);
            }
            if is_last {
                break;
            }
        }
        Ok(touched)
    }

    /// Sweeps every minute, until the task is dropped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn keep_swept(&self) -> Task<()> {
        let tokens = self.clone();
        task::spawn_root("refresh-sweep", async move {
            loop {
                // Several processes on one store do not come at the same moment.
                let pause = EVERY.mul_f64(0.9 + 0.2 * fastrand::f64());
                time::sleep(pause).await;
                if let Err(error) = tokens.sweep().await {
                    tracing::warn!(
                        target: "msf_auth::refresh",
                        error = &error as &dyn std::error::Error,
                        "ended sessions stay in the store for now"
                    );
                }
            }
        })
    }
}

const EVERY: Duration = Duration::from_secs(60);
/// 64 000 rows at once; the rest has a minute's time.
const BATCHES_MAX: usize = 1_000;

//! Noticing that the process stood still.

use std::sync::Arc;

use msf_core::{clock, task};
use tokio::time::sleep;

use super::{registry::MemoryRegistry, state::PULSE};

impl MemoryRegistry {
    /// Notices from now on when this process stands still: suspended, starved or stopped. Its leases then
    /// live on for as long, since no renewal was read meanwhile.
    ///
    /// It runs until the registry is dropped, on the runtime that is current now; without one, nothing is
    /// noticed.
    pub(crate) fn keep_pulse(&self) {
        if self.shared.pulse.get().is_some() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        self.shared.pulse.get_or_init(|| {
            let shared = Arc::downgrade(&self.shared);
            task::spawn_root("registry-pulse", async move {
                while let Some(shared) = shared.upgrade() {
                    shared.state().pulse(clock::now());
                    drop(shared);
                    sleep(PULSE).await;
                }
            })
        });
    }
}

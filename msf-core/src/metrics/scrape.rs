//! What runs before a scrape.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

/// Closures that bring gauges up to date; one that returns `false` is forgotten.
#[derive(Default)]
pub(super) struct Hooks {
    hooks: Mutex<Vec<Hook>>,
}

#[derive(Clone)]
struct Hook {
    key: Option<String>,
    refresh: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Hooks {
    /// Adds a hook, in place of the one with the same key if there is a key.
    pub(super) fn add(
        &self,
        key: Option<String>,
        refresh: impl Fn() -> bool + Send + Sync + 'static,
    ) {
        let mut hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        if key.is_some() {
            hooks.retain(|hook| hook.key != key);
        }
        hooks.push(Hook {
            key,
            refresh: Arc::new(refresh),
        });
    }

    /// Runs every hook, outside the lock: a hook may register metrics and further hooks.
    pub(super) fn run(&self) {
        let hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = hooks.clone();
        drop(hooks);

        let done: Vec<_> = snapshot.into_iter().filter(|hook| !hook.run()).collect();
        if !done.is_empty() {
            let mut hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
            hooks.retain(|hook| !done.iter().any(|gone| hook.is(gone)));
        }
    }
}

impl Hook {
    /// Whether to keep it.
    fn run(&self) -> bool {
        // One broken gauge must not take the whole scrape down, nor the task that serves it.
        catch_unwind(AssertUnwindSafe(|| (self.refresh)())).unwrap_or_else(|_| {
            tracing::error!("a scrape hook panicked, its metrics are stale");
            true
        })
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.refresh, &other.refresh)
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

//! Keeps the exporter from talking about itself.
//!
//! The exporter's HTTP client is instrumented like everything else. With `level = "debug"` each
//! export would log lines about sockets, and spans of its transport would be exported, which
//! makes another export. Its work is done on threads of known names, so whatever they say is left
//! out, except for this module tree's own target.

use std::{cell::Cell, thread};

/// Whether the current thread does the exporter's work.
pub(super) fn on_exporter_thread() -> bool {
    // A thread that is being torn down has no slot any more, and nothing to say about exports.
    KNOWN
        .try_with(|known| {
            known.get().unwrap_or_else(|| {
                let quiet = thread::current()
                    .name()
                    .is_some_and(|name| EXPORTER_THREADS.contains(&name));
                known.set(Some(quiet));
                quiet
            })
        })
        .unwrap_or(false)
}

thread_local! {
    static KNOWN: Cell<Option<bool>> = const { Cell::new(None) };
}

/// The batch processor's thread, and the one on which the blocking HTTP client runs its
/// connections. A service's own blocking client has a thread of the second name as well: its
/// transport's debug lines are left out too.
const EXPORTER_THREADS: [&str; 2] = [
    "OpenTelemetry.Traces.BatchProcessor",
    "reqwest-internal-sync-runtime",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exporter_threads_are_quiet() {
        assert!(!on_exporter_thread());
        for name in EXPORTER_THREADS {
            let thread = thread::Builder::new().name(name.to_owned());
            assert!(thread.spawn(on_exporter_thread).unwrap().join().unwrap());
        }
    }
}

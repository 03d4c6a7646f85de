//! What tells a service to end.

use std::{
    io::{self, Read},
    thread,
};

use tokio::sync::mpsc;

/// Why a service ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The shop said so.
    Asked,
    /// Its server failed, or its work in the background.
    Failed,
    /// The shop is gone without a word.
    Orphaned,
    /// A signal to this process alone.
    Signal,
}

/// The word with which the shop ends a service. Standard input carries it, and its end without the word is
/// the death of the shop: that works for SIGKILL, too, and without process groups or signals.
pub(crate) const STOP: &[u8] = b"stop\n";

/// Watches for the end of this process.
#[derive(Debug)]
pub(super) struct Ending {
    input: mpsc::Receiver<End>,
    terminate: Option<Terminate>,
}

impl Ending {
    /// Begins to read standard input.
    pub(super) fn watch() -> Self {
        let (sender, input) = mpsc::channel(1);
        // A thread and not tokio's stdin: its read would keep the runtime from ending.
        let spawned = thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || {
                let mut words = Vec::new();
                let _unreadable_is_closed = io::stdin().take(INPUT_MAX).read_to_end(&mut words);
                let asked = words == STOP;
                let end = if asked { End::Asked } else { End::Orphaned };
                let _nobody_waits = sender.blocking_send(end);
            });
        if let Err(error) = spawned {
            tracing::warn!(%error, "this service will not notice the death of its shop");
        }
        Self {
            input,
            terminate: None,
        }
    }

    /// Waits for the end; signals are noticed from the first call on. Cancel safe.
    pub(super) async fn next(&mut self) -> End {
        let terminate = self.terminate.get_or_insert_with(Terminate::listen);
        tokio::select! {
            biased;
            Some(end) = self.input.recv() => end,
            () = terminate.received() => End::Signal,
        }
    }
}

/// SIGTERM, where there are signals.
#[derive(Debug)]
struct Terminate {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Terminate {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let signal = signal(SignalKind::terminate())
            .inspect_err(|error| tracing::warn!(%error, "SIGTERM will end this service at once"))
            .ok();
        Self { signal }
    }

    #[cfg(unix)]
    async fn received(&mut self) {
        match &mut self.signal {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    #[cfg(not(unix))]
    async fn received(&mut self) {
        std::future::pending().await
    }
}

/// Nobody sends more than the one word.
const INPUT_MAX: u64 = 64;

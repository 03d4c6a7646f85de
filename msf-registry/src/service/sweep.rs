//! What the task of a service does from time to time.

use tokio::time::Instant;

use super::state::State;

impl State {
    /// Ejects and takes back instances by what their calls told. To be called when [`suspected`](Self::suspected)
    /// returns, after every [`publish`](Self::publish), and at the moment that it gives; `None` while there is
    /// nothing to watch.
    #[expect(
        clippy::unused_self,
        clippy::missing_const_for_fn,
        reason = "the seam comes first, what fills it next"
    )]
    pub(crate) fn sweep(&self, _now: Instant) -> Option<Instant> {
        None
    }

    /// Waits until a call told something that a sweep should look at. Dropping it loses nothing.
    pub(crate) async fn suspected(&self) {
        std::future::pending().await
    }
}

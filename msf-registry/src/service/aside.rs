//! Making a table beside a runtime's other tasks.

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
};

use super::state::State;
use crate::balance::Balance;

impl State {
    /// Does what may make a new table, in a task of our own: where that takes milliseconds, as a ring or Maglev's table
    /// does, the other tasks of a runtime with several threads go on meanwhile.
    pub(crate) fn aside<T>(&self, work: impl FnOnce(&Self) -> T) -> T {
        let takes_long = matches!(self.rules().balance, Balance::RingHash | Balance::Maglev);
        let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
        match flavor {
            Ok(RuntimeFlavor::MultiThread) if takes_long => block_in_place(|| work(self)),
            _ => work(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use msf_core::{name::ServiceName, task};

    use super::*;
    use crate::{balance::LoadBalancing, metrics::Picks};

    fn state() -> State {
        let payment = ServiceName::new("payment").unwrap();
        State::new(payment, LoadBalancing::new(Balance::Maglev), Picks::noop())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_only_thread_of_a_runtime_goes_on_meanwhile() {
        let state = state();
        let work = task::spawn("work", async move {
            let (tell, told) = mpsc::channel();
            state.aside(|_| {
                task::spawn("other", async move { tell.send(()).unwrap() }).detach();
                told.recv_timeout(Duration::from_secs(30)).is_ok()
            })
        });
        assert_eq!(work.join().await, Some(true));
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_does_it_itself() {
        assert_eq!(state().aside(|_| 7), 7);
    }
}

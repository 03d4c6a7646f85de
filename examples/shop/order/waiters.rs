//! Requests that wait for an order to come to its end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::ids::OrderId;

/// Who waits for which order, in this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters(Arc<Mutex<HashMap<OrderId, Vec<oneshot::Sender<()>>>>>);

/// One that waits; dropping it forgets it.
#[derive(Debug)]
pub(crate) struct Waiter {
    all: Waiters,
    order: OrderId,
    end: oneshot::Receiver<()>,
}

impl Waiters {
    /// Waits for an order from now on.
    pub(crate) fn wait_for(&self, order: OrderId) -> Waiter {
        let (sender, end) = oneshot::channel();
        self.lock().entry(order).or_default().push(sender);
        Waiter {
            all: self.clone(),
            order,
            end,
        }
    }

    /// Tells everybody who waits for an order that it has come to its end.
    pub(crate) fn wake(&self, order: OrderId) {
        for waiter in self.lock().remove(&order).unwrap_or_default() {
            let _gone = waiter.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrderId, Vec<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Returns when the order has come to its end. Cancel safe.
    pub(crate) async fn ended(&mut self) {
        let _closed_is_ended = (&mut self.end).await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.end.close();
        let mut all = self.all.lock();
        if let Some(waiting) = all.get_mut(&self.order) {
            waiting.retain(|waiter| !waiter.is_closed());
            if waiting.is_empty() {
                all.remove(&self.order);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_are_woken_and_nobody_is_kept() {
        let waiters = Waiters::default();
        let [one, two] = [1, 2].map(|id| OrderId::try_from(id).unwrap());
        let mut first = waiters.wait_for(one);
        let mut second = waiters.wait_for(one);
        let gone = waiters.wait_for(two);
        waiters.wake(one);
        first.ended().await;
        second.ended().await;
        drop((first, second, gone));
        assert!(waiters.lock().is_empty());
    }
}

//! What holds when a call is dropped before its end.

use std::{future::poll_fn, pin::pin, task::Poll};

use super::{family, next};
use crate::refresh::RefreshStore;

pub(super) async fn a_call_dropped_at_any_await_is_whole_or_absent<S: RefreshStore>(store: S) {
    for (id, polls) in (1..).zip(1..=POLLS) {
        let first = family(id, "7", "s", 1_000);
        dropped_after(polls, store.insert(first.clone())).await;
        // Whatever became of it, now it is there once.
        store.insert(first.clone()).await.unwrap();
        assert_eq!(store.fetch(first.id()).await.unwrap(), Some(first.clone()));

        let second = next(&first, 2_000);
        dropped_after(polls, store.replace(second.clone())).await;
        let other = next(&first, 3_000);
        let is_replaced = store.replace(other.clone()).await.unwrap();
        let left = store.fetch(first.id()).await.unwrap().unwrap();
        assert!(
            left == if is_replaced { other } else { second },
            "half a change after {polls} polls"
        );

        dropped_after(polls, store.remove(left.id(), left.version())).await;
        store.remove(left.id(), left.version()).await.unwrap();
        assert_eq!(store.fetch(left.id()).await.unwrap(), None);
        dropped_after(polls, store.fetch(left.id())).await;
        dropped_after(polls, store.due(u64::MAX, 10)).await;
    }
}

/// Polls a call so many times at most, then drops it at the await where it hangs.
async fn dropped_after<T>(polls: usize, call: impl Future<Output = T>) {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|cx| {
        left -= 1;
        match call.as_mut().poll(cx) {
            Poll::Pending if left > 0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

/// More than a call of any store here is polled until it ends.
const POLLS: usize = 6;

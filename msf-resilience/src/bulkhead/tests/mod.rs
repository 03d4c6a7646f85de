//! The bulkhead itself, without a layer around it.

mod line;
mod permits;

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use super::{Bulkhead, Permit};

fn bulkhead(limit: u32) -> Bulkhead {
    let builder = Bulkhead::builder("x").max_concurrent(limit);
    builder.build().unwrap()
}

fn waiting(limit: u32, max_queue: u32) -> Bulkhead {
    let builder = Bulkhead::builder("x")
        .max_concurrent(limit)
        .max_queue(max_queue);
    let builder = builder.max_wait(Some(Duration::from_millis(100)));
    builder.build().unwrap()
}

fn take(bulkhead: &Bulkhead) -> Permit {
    bulkhead.try_acquire().unwrap()
}

/// Polls a future once.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

//! Waiting for several futures in one task.

use std::{pin::Pin, task::Poll};

/// Drives all futures and gives their outputs in order.
///
/// Each is polled at every wake-up; with at most [`MAX_CHECKS`](super::MAX_CHECKS) that is cheap.
pub(super) async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Joined<F>> = futures
        .map(|future| Joined::Running(Box::pin(future)))
        .collect();
    std::future::poll_fn(|cx| {
        let mut all = true;
        for joined in &mut running {
            if let Joined::Running(future) = joined {
                match future.as_mut().poll(cx) {
                    Poll::Ready(output) => *joined = Joined::Done(output),
                    Poll::Pending => all = false,
                }
            }
        }
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let outputs = running.into_iter().filter_map(|joined| match joined {
        Joined::Done(output) => Some(output),
        Joined::Running(_) => None,
    });
    outputs.collect()
}

enum Joined<F: Future> {
    Running(Pin<Box<F>>),
    Done(F::Output),
}

//! Renewing many leases with a backend that renews one at a time.

use std::{
    future::{Future, poll_fn},
    task::Poll,
};

use crate::{
    error::RegistryError,
    model::{Lease, Renewal},
};

/// Renews each lease by itself, some at a time, up to the first one that fails.
pub(super) async fn each<'a, F>(
    leases: &'a [Lease],
    renew: impl Fn(&'a Lease) -> F,
) -> Result<Vec<Renewal>, RegistryError>
where
    F: Future<Output = Result<Renewal, RegistryError>> + Unpin,
{
    let mut renewals = Vec::with_capacity(leases.len());
    for some in leases.chunks(AT_ONCE) {
        for answer in all(some.iter().map(&renew).collect()).await {
            match answer {
                Ok(renewal) => renewals.push(renewal),
                // Those before it count; it and those after it are tried again.
                Err(_later) if !renewals.is_empty() => return Ok(renewals),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(renewals)
}

/// The outputs in the order of the futures.
pub(super) async fn all<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut is_done = true;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match std::pin::Pin::new(future).poll(cx) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => is_done = false,
                }
            }
        }
        if is_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

const AT_ONCE: usize = 16;

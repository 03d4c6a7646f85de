//! The list itself: one per process, of weak references.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{
    control::{Control, ControlError},
    policy::{Kind, Policy},
    snapshot::Snapshot,
};

static LIVE: Mutex<Vec<Weak<dyn Policy>>> = Mutex::new(Vec::new());

/// Lists a policy until its last handle is gone.
pub(crate) fn register<P: Policy>(policy: &Arc<P>) {
    let entry = Arc::downgrade(policy);
    let mut live = live();
    // Amortised: looked through only when the list would have to grow.
    if live.len() == live.capacity() {
        live.retain(|entry| entry.strong_count() > 0);
    }
    live.push(entry);
}

/// What every policy of this process is doing now, sorted by kind and name.
///
/// See the [module documentation](super) for an example.
#[must_use]
pub fn snapshots() -> Vec<Snapshot> {
    let mut snapshots: Vec<_> = all().iter().map(|policy| policy.snapshot()).collect();
    snapshots.sort_by(|a, b| (a.kind(), a.name()).cmp(&(b.kind(), b.name())));
    snapshots
}

/// Gives an order to every policy of this kind and name.
///
/// # Errors
///
/// [`ControlError`] when there is none, or at the first that does not take the order.
pub fn control(kind: Kind, name: &str, control: Control) -> Result<(), ControlError> {
    let policies = all();
    let mut found = policies.iter().filter(|policy| policy.is(kind, name));
    let Some(first) = found.next() else {
        return Err(ControlError::Unknown {
            kind,
            name: name.into(),
        });
    };
    first.control(control)?;
    found.try_for_each(|policy| policy.control(control))
}

/// The policies themselves, so that nothing of theirs runs under the lock of the list.
fn all() -> Vec<Arc<dyn Policy>> {
    live().iter().filter_map(Weak::upgrade).collect()
}

/// How many entries there are, with those whose policies are gone.
#[cfg(test)]
pub(super) fn entries() -> usize {
    live().len()
}

fn live() -> MutexGuard<'static, Vec<Weak<dyn Policy>>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What the parts cost that layers are made of.

use std::{
    hint::black_box,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use msf_core::{
    BoxError,
    clock::{self, Epoch},
};

use crate::table::{Base, Table};

/// Returns the row of a word that both threads write to.
pub(crate) fn rows(table: &mut Table) -> Result<Base, BoxError> {
    table.heading("floors");
    let word = Arc::new(AtomicU64::new(0));
    table.operation("add to one atomic", None, move || {
        word.fetch_add(1, Ordering::Relaxed);
    });
    let atomic = table.last();
    let word = Arc::new(AtomicU64::new(0));
    table.operation("load of one atomic", None, move || {
        black_box(word.load(Ordering::Acquire));
    });
    let counted = Arc::new(0_u64);
    table.operation("clone and drop of one Arc", None, move || {
        drop(black_box(Arc::clone(&counted)));
    });
    let lock = Arc::new(Mutex::new(0_u64));
    table.operation("one std::sync::Mutex", None, move || {
        if let Ok(mut count) = lock.lock() {
            *count += 1;
        }
    });
    table.operation("one Box", None, || {
        drop(black_box(Box::new(7_u64)));
    });
    table.operation("Instant::now", None, || {
        black_box(clock::now());
    });
    let epoch = Epoch::new();
    table.operation("Epoch::coarse_nanos", None, move || {
        black_box(epoch.coarse_nanos());
    });
    Ok(atomic)
}

//! Keeps services watched for a while after somebody asked about them without keeping a handle.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use msf_core::{clock, name::ServiceName, task};
use tokio::time::{Instant, sleep_until};

use crate::service::ServiceHandle;

/// Handles that nobody else may hold, each until it was not asked for in a while.
#[derive(Debug)]
pub(super) struct Linger {
    wait: Duration,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    handles: HashMap<ServiceName, (ServiceHandle, Instant)>,
    is_swept: bool,
}

impl Linger {
    pub(super) fn new(wait: Duration) -> Self {
        Self {
            wait,
            held: Arc::default(),
        }
    }

    /// Holds a handle from now on for the wait. Inside a tokio runtime.
    pub(super) fn hold(&self, handle: &ServiceHandle) {
        let until = clock::now() + self.wait;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.handles
            .insert(handle.name().clone(), (handle.clone(), until));
        if !std::mem::replace(&mut held.is_swept, true) {
            // It holds nothing that keeps the registry alive, and ends when nothing is held.
            task::spawn_root("registry-linger", sweep(Arc::downgrade(&self.held))).detach();
        }
    }
}

/// Lets go of handles when their time is over, until there is none.
async fn sweep(held: Weak<Mutex<Held>>) {
    loop {
        let next = {
            let Some(held) = held.upgrade() else {
                return;
            };
            let now = clock::now();
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            held.handles.retain(|_, (_, until)| *until > now);
            let Some(next) = held.handles.values().map(|(_, until)| *until).min() else {
                held.is_swept = false;
                return;
            };
            next
        };
        sleep_until(next).await;
    }
}

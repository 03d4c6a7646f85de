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
        let is_swept = std::mem::replace(&mut held.is_swept, true);
        drop(held);
        if !is_swept {
            // It holds nothing that keeps the registry alive, and ends when nothing is held.
            let sweep = Sweep(Arc::downgrade(&self.held)).run();
            task::spawn_root("registry-linger", sweep).detach();
        }
    }
}

/// Lets go of handles when their time is over. When it ends with its runtime, the next handle begins another.
struct Sweep(Weak<Mutex<Held>>);

impl Sweep {
    /// Until nothing is held.
    async fn run(mut self) {
        while let Some(next) = self.step() {
            sleep_until(next).await;
        }
    }

    /// Lets go of whom nobody asked for; when the next one is due.
    fn step(&mut self) -> Option<Instant> {
        let held = self.0.upgrade()?;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now();
        held.handles.retain(|_, (_, until)| *until > now);
        let next = held.handles.values().map(|(_, until)| *until).min();
        if next.is_none() {
            held.is_swept = false;
            // From here on another sweep may run, whose flag is not ours.
            self.0 = Weak::new();
        }
        next
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        if let Some(held) = self.0.upgrade() {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            held.is_swept = false;
        }
    }
}

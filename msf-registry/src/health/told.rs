//! A probe that answers as a test tells it.

use std::{
    collections::HashMap,
    future::pending,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use msf_core::clock;
use tokio::time::{Instant, sleep};

use super::{Probe, ProbeFailed};
use crate::model::Instance;

#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Passes,
    Fails,
    Hangs,
    Panics,
    Refuses,
    /// As a process without free sockets does.
    Impeded,
}

/// Answers by port; counts how many probes run at once.
#[derive(Clone, Default)]
pub(crate) struct Told {
    answers: Arc<Mutex<HashMap<u16, Answer>>>,
    pub(crate) running: Arc<AtomicUsize>,
    pub(crate) most: Arc<AtomicUsize>,
    pub(crate) asked: Arc<AtomicUsize>,
    /// When which port was asked.
    pub(crate) times: Arc<Mutex<Vec<(u16, Instant)>>>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Told {
    pub(crate) fn set(&self, port: u16, answer: Answer) {
        self.answers.lock().unwrap().insert(port, answer);
    }
}

#[async_trait]
impl Probe for Told {
    async fn probe(&self, instance: &Instance) -> Result<(), ProbeFailed> {
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        let _running = Running(Arc::clone(&self.running));
        self.most.fetch_max(running, Ordering::Relaxed);
        self.asked.fetch_add(1, Ordering::Relaxed);
        let port = instance.addr().port();
        self.times.lock().unwrap().push((port, clock::now()));
        let answer = self.answers.lock().unwrap().get(&port).copied();
        sleep(Duration::from_millis(10)).await;
        match answer.unwrap_or(Answer::Passes) {
            Answer::Passes => Ok(()),
            Answer::Fails => Err(ProbeFailed::new("as told")),
            Answer::Refuses => Err(ProbeFailed::refusal("as told")),
            Answer::Impeded => Err(ProbeFailed::new(io::Error::from_raw_os_error(EMFILE))),
            Answer::Panics => panic!("as told"),
            Answer::Hangs => pending().await,
        }
    }
}

const EMFILE: i32 = 24;

//! The whole detector over real cells, on a clock of its own.

mod ejections;
mod limits;
mod model;
mod rates;

use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use msf_core::{classify::Verdict, clock};
use proptest::prelude::*;
use tokio::time::Instant;

use super::{
    sweep::{Phase, Reason, Swept},
    *,
};

/// Instances, a detector that is driven as the watch driver does it, and what it did.
struct Cluster {
    hosts: Vec<Host>,
    detector: Detector,
    now: Instant,
    next: Option<Instant>,
    changes: Vec<(usize, Change)>,
}

struct Host {
    cell: Cell,
    successes: Successes,
    is_callable: bool,
}

const SECOND: Duration = Duration::from_secs(1);

/// Without jitter, so that times are exact.
fn exact() -> Outliers {
    Outliers::default().jitter(0.0)
}

impl Cluster {
    fn new(len: usize, settings: Outliers) -> Self {
        assert_eq!(settings.validate(), Ok(()));
        let detector = Detector::new(settings);
        let host = |_| Host {
            cell: Cell::new(detector.signal()),
            successes: Successes::default(),
            is_callable: true,
        };
        Self {
            hosts: (0..len).map(host).collect(),
            detector,
            now: clock::now(),
            next: None,
            changes: Vec::new(),
        }
    }

    fn sweep(&mut self) -> Swept {
        let watched: Vec<Watched<'_>> = self
            .hosts
            .iter()
            .map(|host| Watched {
                cell: &host.cell,
                successes: host.successes.seen(),
                is_callable: host.is_callable,
            })
            .collect();
        let swept = self.detector.sweep(&watched, self.now);
        self.next = swept.next;
        self.changes.extend(&swept.changes);
        swept
    }

    /// Sweeps as long as somebody asks for it.
    fn settle(&mut self) {
        for _ in 0..100 {
            let is_due = self.next.is_some_and(|next| next <= self.now);
            if !self.is_woken() && !is_due {
                return;
            }
            let _swept = self.sweep();
        }
        panic!("it sweeps for ever");
    }

    fn is_woken(&self) -> bool {
        let given = pin!(self.detector.signal().given());
        given
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while let Some(next) = self.next.filter(|next| *next <= end) {
            self.now = next;
            self.settle();
        }
        self.now = end;
    }

    fn call(&mut self, host: usize, verdicts: &[Verdict]) {
        for verdict in verdicts {
            self.hosts[host]
                .cell
                .record(*verdict, &self.hosts[host].successes, true);
        }
        self.settle();
    }

    fn fail(&mut self, host: usize) {
        self.call(host, &[Verdict::Failure; 5]);
    }

    fn phases(&self) -> Vec<Phase> {
        self.hosts.iter().map(|host| host.cell.phase()).collect()
    }

    /// Ends the ejection of an instance by a probe with this outcome.
    fn probe(&mut self, host: usize, verdict: Verdict) {
        assert!(self.hosts[host].cell.admits());
        self.settle();
        self.call(host, &[verdict]);
    }
}

//! The whole detector over real cells, on a clock of its own.

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

#[test]
fn five_failures_in_a_row_eject() {
    let mut cluster = Cluster::new(3, exact());
    cluster.call(0, &[Verdict::Failure; 4]);
    cluster.call(0, &[Verdict::Success]);
    cluster.call(0, &[Verdict::Failure; 4]);
    assert!(cluster.hosts[0].cell.is_open());
    // Neither for nor against it, and so no end of the row.
    cluster.call(0, &[Verdict::Ignore, Verdict::Failure]);
    assert_eq!(cluster.phases()[0], Phase::Ejected);
    assert!(!cluster.hosts[0].cell.admits());
    assert_eq!(cluster.changes, [(0, Change::Eject(Reason::Consecutive))]);
}

#[test]
fn an_ejection_ends_with_one_probe() {
    let mut cluster = Cluster::new(3, exact());
    cluster.fail(0);
    cluster.pass(Duration::from_millis(9_999));
    assert_eq!(cluster.phases()[0], Phase::Ejected);
    cluster.pass(Duration::from_millis(1));
    let cell = &cluster.hosts[0].cell;
    assert!(!cell.is_open() && cell.admits(), "nobody may find out");
    assert!(!cell.admits(), "a second one may find out at the same time");
    cluster.call(0, &[Verdict::Success]);
    assert!(cluster.hosts[0].cell.is_open());
    assert_eq!(
        cluster.changes[1..],
        [(0, Change::Probe), (0, Change::TakeBack)]
    );
}

#[test]
fn a_probe_that_tells_nothing_is_followed_by_another() {
    let mut cluster = Cluster::new(3, exact());
    cluster.fail(0);
    cluster.pass(10 * SECOND);
    cluster.probe(0, Verdict::Ignore);
    assert!(cluster.hosts[0].cell.admits(), "after one that was refused");
    cluster.settle();
    cluster.hosts[0].cell.release(true);
    assert!(
        cluster.hosts[0].cell.admits(),
        "after one that was given up"
    );
    cluster.pass(11 * SECOND);
    assert!(cluster.hosts[0].cell.admits(), "after one that never ends");
}

/// Each further ejection lasts longer by the first one's length, as Envoy's do: 30 s to 300 s there, 10 s to 300 s
/// here.
#[test]
fn ejections_last_longer_each_time_up_to_the_longest() {
    let envoys = exact().base(30 * SECOND);
    for (settings, base) in [(exact(), 10), (envoys, 30)] {
        let mut cluster = Cluster::new(2, settings);
        cluster.fail(0);
        for times in 1..40 {
            let length = Duration::from_secs(300.min(times * base));
            cluster.pass(length - Duration::from_millis(1));
            assert_eq!(cluster.phases()[0], Phase::Ejected, "{times}");
            cluster.pass(Duration::from_millis(1));
            cluster.probe(0, Verdict::Failure);
        }
        assert!(cluster.changes.contains(&(0, Change::Eject(Reason::Probe))));
    }
}

#[test]
fn jitter_only_makes_an_ejection_longer() {
    let mut cluster = Cluster::new(2, Outliers::default());
    for _ in 0..50 {
        cluster.fail(0);
        let until = cluster.hosts[0].cell.book().until.unwrap();
        let length = until - cluster.now;
        assert!((10 * SECOND..=12 * SECOND).contains(&length), "{length:?}");
        cluster.pass(12 * SECOND);
        cluster.probe(0, Verdict::Success);
        cluster.pass(11 * SECOND);
    }
}

#[test]
fn every_healthy_window_forgives_one_ejection() {
    let mut cluster = Cluster::new(2, exact());
    cluster.fail(0);
    for _ in 0..3 {
        cluster.pass(300 * SECOND);
        cluster.probe(0, Verdict::Failure);
    }
    cluster.pass(300 * SECOND);
    cluster.probe(0, Verdict::Success);
    let times = |cluster: &Cluster| cluster.hosts[0].cell.book().times();
    assert_eq!(times(&cluster), 4);
    cluster.pass(Duration::from_millis(9_999));
    assert_eq!(times(&cluster), 4);
    cluster.pass(SECOND);
    assert_eq!(times(&cluster), 3);
    cluster.pass(30 * SECOND);
    assert_eq!(
        (times(&cluster), cluster.next),
        (0, None),
        "it sweeps for nothing"
    );
}

#[test]
fn one_of_two_may_be_ejected_and_the_last_never() {
    // Percent, instances, how many may be ejected. With Envoy's 10 %, nine instances and fewer lose none there.
    let table = [
        (50, 1, 0),
        (50, 2, 1),
        (50, 3, 1),
        (50, 4, 2),
        (50, 5, 2),
        (10, 2, 1),
        (10, 9, 1),
        (10, 20, 2),
        (10, 100, 10),
        (100, 4, 3),
        (0, 100, 0),
    ];
    for (percent, len, expected) in table {
        let mut cluster = Cluster::new(len, exact().max_ejected(percent as f32 / 100.0));
        (0..len).for_each(|host| cluster.fail(host));
        let ejected = cluster
            .phases()
            .iter()
            .filter(|p| **p == Phase::Ejected)
            .count();
        assert_eq!(ejected, expected, "{percent} % of {len}");
    }
}

#[test]
fn whoever_is_half_open_counts_as_ejected() {
    let mut cluster = Cluster::new(2, exact());
    cluster.fail(0);
    cluster.pass(10 * SECOND);
    assert_eq!(cluster.phases()[0], Phase::HalfOpen);
    cluster.fail(1);
    assert!(cluster.hosts[1].cell.is_open(), "nobody would be left");
    // As soon as the first is back, the second goes.
    cluster.probe(0, Verdict::Success);
    assert_eq!(cluster.phases(), [Phase::Open, Phase::Ejected]);
}

#[test]
fn ill_instances_do_not_count_as_somebody_else_to_call() {
    let mut cluster = Cluster::new(4, exact());
    for host in 1..4 {
        cluster.hosts[host].is_callable = false;
    }
    cluster.fail(0);
    assert!(cluster.hosts[0].cell.is_open());
}

#[test]
fn whoever_is_left_alone_in_the_list_comes_back() {
    let mut cluster = Cluster::new(4, exact());
    cluster.fail(0);
    cluster.pass(SECOND);
    cluster.fail(1);
    cluster.hosts.drain(2..);
    let swept = cluster.sweep();
    // Of the two that are left, the one whose ejection ends first.
    assert_eq!(swept.changes, [(0, Change::TakeBack)]);
    cluster.hosts.remove(0);
    let _swept = cluster.sweep();
    assert_eq!(cluster.phases(), [Phase::Open]);
}

#[test]
fn a_passed_check_lets_a_call_find_out_at_once() {
    let mut cluster = Cluster::new(2, exact());
    cluster.hosts[0].cell.vouch();
    cluster.fail(0);
    assert_eq!(
        cluster.phases()[0],
        Phase::Ejected,
        "an old check speaks for it"
    );
    cluster.hosts[0].cell.vouch();
    cluster.settle();
    assert_eq!(cluster.phases()[0], Phase::HalfOpen);
    cluster.probe(0, Verdict::Failure);
    assert_eq!(cluster.phases()[0], Phase::Ejected);
    cluster.pass(19 * SECOND);
    assert_eq!(cluster.phases()[0], Phase::Ejected);
}

/// Of 40 calls to each, this many percent of the calls to each host succeed.
fn at_rates(settings: Outliers, percents: &[usize]) -> Vec<(usize, Change)> {
    let mut cluster = Cluster::new(percents.len(), settings);
    // What wakes the first sweep, so that successes have an age.
    cluster.call(0, &[Verdict::Failure, Verdict::Success]);
    for n in 0..40 {
        for (host, percent) in percents.iter().enumerate() {
            let before = n * percent / 100;
            let is_success = (n + 1) * percent / 100 > before;
            cluster.call(
                host,
                &[if is_success {
                    Verdict::Success
                } else {
                    Verdict::Failure
                }],
            );
        }
        cluster.pass(Duration::from_millis(100));
    }
    cluster.pass(SECOND);
    cluster.changes
}

#[test]
fn a_success_rate_far_below_the_peers_ejects() {
    let settings = exact().consecutive(0);
    let ejected = [(1, Change::Eject(Reason::SuccessRate))];
    assert_eq!(at_rates(settings, &[100, 70, 100, 100]), ejected);
    assert_eq!(at_rates(settings, &[100, 85, 100, 100]), []);
    // All have the same trouble: it is not the instances.
    assert_eq!(at_rates(settings, &[50, 50, 50, 50]), []);
    assert_eq!(at_rates(settings, &[100, 70]), ejected);
    assert_eq!(at_rates(settings, &[70]), []);
    assert_eq!(at_rates(settings.calls_min(100), &[100, 70, 100, 100]), []);
    assert_eq!(at_rates(settings.success_rate(0.0), &[100, 10, 100]), []);
    let both: Vec<usize> = at_rates(settings, &[100, 30, 100, 60])
        .iter()
        .map(|(host, _)| *host)
        .collect();
    assert_eq!(both, [1, 3]);
}

#[test]
fn without_failures_nothing_is_swept() {
    let mut cluster = Cluster::new(3, exact());
    (0..3).for_each(|host| cluster.call(host, &[Verdict::Success; 100]));
    assert_eq!((cluster.next, cluster.is_woken()), (None, false));
    cluster.call(0, &[Verdict::Failure, Verdict::Success]);
    assert_eq!(cluster.next, Some(cluster.now + SECOND));
    cluster.pass(11 * SECOND);
    assert_eq!(cluster.next, None, "the failure is forgotten");
    cluster.call(0, &[Verdict::Failure]);
    assert!(cluster.next.is_some(), "and the next one is noticed");
}

#[test]
fn successes_of_unknown_age_do_not_hide_failures() {
    let mut cluster = Cluster::new(2, exact().consecutive(0));
    for host in 0..2 {
        cluster.call(host, &[Verdict::Success; 100_000]);
    }
    cluster.call(0, &[Verdict::Failure; 20]);
    cluster.call(1, &[Verdict::Success; 20]);
    cluster.pass(2 * SECOND);
    assert_eq!(cluster.changes, [(0, Change::Eject(Reason::SuccessRate))]);
}

#[test]
fn a_count_that_falls_does_not_hide_failures() {
    let mut cluster = Cluster::new(2, exact().consecutive(0));
    for host in 0..2 {
        cluster.hosts[host].successes = Successes::from(1_000_000);
    }
    cluster.call(0, &[Verdict::Failure]);
    cluster.pass(Duration::from_millis(10));
    // What a thread does that was stopped in the middle of counting.
    cluster.hosts[0].successes = Successes::from(999_900);
    cluster.call(0, &[Verdict::Failure; 20]);
    cluster.call(1, &[Verdict::Success; 30]);
    cluster.pass(2 * SECOND);
    assert_eq!(cluster.changes, [(0, Change::Eject(Reason::SuccessRate))]);
}

#[test]
fn a_row_of_failures_of_long_ago_is_no_reason() {
    let mut cluster = Cluster::new(2, exact());
    cluster.fail(0);
    cluster.fail(1);
    cluster.pass(30 * SECOND);
    assert_eq!(cluster.phases(), [Phase::HalfOpen, Phase::Open]);
    cluster.probe(0, Verdict::Success);
    assert_eq!(cluster.phases(), [Phase::Open, Phase::Open]);
    // It goes on where it stopped.
    cluster.call(1, &[Verdict::Failure]);
    assert_eq!(cluster.phases(), [Phase::Open, Phase::Ejected]);
}

#[test]
fn a_list_that_names_an_instance_twice_does_no_harm() {
    let mut cluster = Cluster::new(1, exact());
    cluster.call(0, &[Verdict::Failure; 5]);
    let host = &cluster.hosts[0];
    let watched = Watched {
        cell: &host.cell,
        successes: 0,
        is_callable: true,
    };
    let _swept = cluster.detector.sweep(&[watched, watched], cluster.now);
}

#[derive(Clone, Debug)]
enum Step {
    Call(usize, Verdict, u8),
    Pass(u64),
    Callable(usize, bool),
    Vouch(usize),
    Leave(usize),
    Join,
}

fn any_step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        4 => Just(Verdict::Failure),
        3 => Just(Verdict::Success),
        1 => Just(Verdict::Ignore),
    ];
    prop_oneof![
        12 => (0_usize..8, verdict, 1_u8..9).prop_map(|(host, verdict, n)| Step::Call(host, verdict, n)),
        6 => (0_u64..20_000).prop_map(Step::Pass),
        1 => (0_usize..8, any::<bool>()).prop_map(|(host, is)| Step::Callable(host, is)),
        1 => (0_usize..8).prop_map(Step::Vouch),
        1 => (0_usize..8).prop_map(Step::Leave),
        1 => Just(Step::Join),
    ]
}

proptest! {
    /// Whatever happens: while anybody could be called, somebody is; never more than half are out; and when all is
    /// well again, all come back.
    #[test]
    fn somebody_is_always_left_and_all_come_back(
        len in 1_usize..8,
        steps in proptest::collection::vec(any_step(), 1..80),
    ) {
        let mut cluster = Cluster::new(len, Outliers::default());
        for step in steps {
            let len = cluster.hosts.len();
            match step {
                Step::Call(host, verdict, n) => {
                    for _ in 0..n {
                        if cluster.hosts[host % len].cell.admits() {
                            cluster.call(host % len, &[verdict]);
                        }
                    }
                }
                Step::Pass(ms) => cluster.pass(Duration::from_millis(ms)),
                Step::Callable(host, is) => {
                    cluster.hosts[host % len].is_callable = is;
                    let _swept = cluster.sweep();
                }
                Step::Vouch(host) => cluster.hosts[host % len].cell.vouch(),
                Step::Leave(host) if len > 1 => {
                    cluster.hosts.remove(host % len);
                    let _swept = cluster.sweep();
                }
                Step::Leave(_) => {}
                Step::Join => {
                    let cell = Cell::new(cluster.detector.signal());
                    cluster.hosts.push(Host { cell, successes: Successes::default(), is_callable: true });
                    let _swept = cluster.sweep();
                }
            }
            cluster.settle();
            let callable = || cluster.hosts.iter().filter(|host| host.is_callable);
            let open = callable().filter(|host| host.cell.is_open()).count();
            let out = callable().count() - open;
            prop_assert!(callable().count() == 0 || open > 0, "nobody is left");
            prop_assert!(out <= exact().may_be_ejected(callable().count()), "{out} of {}", callable().count());
        }
        for host in &mut cluster.hosts {
            host.is_callable = true;
        }
        let _swept = cluster.sweep();
        for _ in 0..40 {
            cluster.pass(10 * SECOND);
            for host in 0..cluster.hosts.len() {
                if cluster.hosts[host].cell.admits() {
                    cluster.call(host, &[Verdict::Success]);
                }
            }
        }
        let is_open = cluster.phases().into_iter().all(|phase| phase == Phase::Open);
        prop_assert!(is_open, "{:?}", cluster.phases());
        cluster.pass(1_000 * SECOND);
        prop_assert_eq!(cluster.next, None, "it sweeps for ever");
    }
}

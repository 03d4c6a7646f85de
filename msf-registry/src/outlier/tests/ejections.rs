//! Failures in a row: who is ejected, for how long, and how it comes back.

use super::*;

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

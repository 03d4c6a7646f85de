//! Who stays although it fails: somebody must be left.

use super::*;

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

//! Success rates beside those of the peers, and when anybody looks at them.

use super::*;

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

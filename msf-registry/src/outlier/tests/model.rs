//! What holds whatever happens.

use super::*;

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

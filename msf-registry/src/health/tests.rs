//! The checker with a probe that answers as told, under a paused clock.

use std::{sync::atomic::Ordering, time::Duration};

use msf_core::{
    clock,
    metrics::Metrics,
    name::{InstanceId, ServiceName},
    testing::LogCapture,
};
use tokio::time::sleep;

use super::{
    HealthChecker, Probe, ProbeFailed, Reach,
    told::{Answer, Told},
};
use crate::{
    backend::memory::MemoryRegistry,
    model::{Health, Instance},
};

const INTERVAL: Duration = Duration::from_secs(2);
const TTL: Duration = Duration::from_secs(600);

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

fn instance(port: u16) -> Instance {
    let id = InstanceId::new(format!("p-{port:05}")).unwrap();
    Instance::new(payment(), id, ([127, 0, 0, 1], port).into())
        .health_check("/readyz".parse().expect("it is a check"))
}

fn health(memory: &MemoryRegistry) -> Vec<Health> {
    let snapshot = memory.snapshot(&payment());
    snapshot
        .instances()
        .iter()
        .map(|member| member.health)
        .collect()
}

fn checker(told: &Told) -> HealthChecker {
    HealthChecker::new()
        .interval(INTERVAL)
        .edge_interval(INTERVAL)
        .timeout(INTERVAL / 2)
        .rise(2)
        .fall(2)
        .probe(told.clone())
}

#[tokio::test(start_paused = true)]
async fn the_first_pass_makes_healthy_and_two_failures_unhealthy() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    let _checks = checker(&told).start(&memory).unwrap();
    memory.register_now(&instance(1), TTL).unwrap();
    sleep(INTERVAL).await;
    assert_eq!(health(&memory), [Health::Healthy]);
    for answer in [Answer::Fails, Answer::Hangs] {
        told.set(1, answer);
        sleep(INTERVAL / 2).await;
        assert_eq!(
            health(&memory),
            [Health::Healthy],
            "one failure is no verdict"
        );
        sleep(INTERVAL * 3).await;
        assert_eq!(health(&memory), [Health::Unhealthy]);
        told.set(1, Answer::Passes);
        sleep(INTERVAL * 4).await;
        assert_eq!(health(&memory), [Health::Healthy]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_failure_now_and_then_is_no_verdict() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    let _checks = checker(&told).start(&memory).unwrap();
    memory.register_now(&instance(1), TTL).unwrap();
    sleep(INTERVAL).await;
    for _ in 0..20 {
        let asked = told.asked.load(Ordering::Relaxed);
        told.set(1, Answer::Fails);
        while told.asked.load(Ordering::Relaxed) == asked {
            sleep(Duration::from_millis(5)).await;
        }
        told.set(1, Answer::Passes);
        sleep(INTERVAL * 2).await;
        assert_eq!(health(&memory), [Health::Healthy]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_health_path_nobody_is_asked() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    let _checks = checker(&told).start(&memory).unwrap();
    let mut unchecked = instance(1);
    unchecked.health_check = None;
    memory.register_now(&unchecked, TTL).unwrap();
    sleep(INTERVAL * 5).await;
    assert_eq!(health(&memory), [Health::Unknown]);
    assert_eq!(told.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn checks_are_as_many_at_once_as_told_and_reach_everybody() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    for port in 1..=100 {
        memory.register_now(&instance(port), TTL).unwrap();
    }
    let _checks = checker(&told).concurrency(8).start(&memory).unwrap();
    sleep(INTERVAL).await;
    assert_eq!(health(&memory), [Health::Healthy; 100]);
    assert!(told.most.load(Ordering::Relaxed) <= 8);
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_address_is_never_asked() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    let _checks = checker(&told)
        .reach(Reach::default().only("127.0.0.1/32".parse().unwrap()))
        .start(&memory)
        .unwrap();
    let elsewhere = "http://127.0.0.2:80/".parse().unwrap();
    let moved = instance(2).moved_to(([10, 0, 0, 1], 2).into());
    // A command gets the address of the instance, whatever its check names.
    let decoy = "tcp://127.0.0.1:80".parse().unwrap();
    let hidden = instance(3)
        .moved_to(([10, 0, 0, 1], 3).into())
        .health_check(decoy);
    for instance in [instance(1).health_check(elsewhere), moved, hidden] {
        memory.register_now(&instance, TTL).unwrap();
    }
    sleep(INTERVAL * 4).await;
    assert_eq!(health(&memory), [Health::Unhealthy; 3]);
    assert_eq!(told.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_ends_checks_that_are_under_way() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    told.set(1, Answer::Hangs);
    memory.register_now(&instance(1), TTL).unwrap();
    let checks = checker(&told).timeout(TTL).start(&memory).unwrap();
    sleep(INTERVAL).await;
    assert_eq!(told.running.load(Ordering::Relaxed), 1);
    drop(checks);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(told.running.load(Ordering::Relaxed), 0);
    assert_eq!(health(&memory), [Health::Unknown]);
}

#[tokio::test(start_paused = true)]
async fn results_are_counted() {
    let (memory, told, metrics) = (MemoryRegistry::new(), Told::default(), Metrics::new());
    told.set(2, Answer::Fails);
    memory.register_now(&instance(1), TTL).unwrap();
    memory.register_now(&instance(2), TTL).unwrap();
    let _checks = checker(&told).metrics(&metrics).start(&memory).unwrap();
    sleep(INTERVAL / 2).await;
    let text = metrics.render();
    for result in ["passed", "failed"] {
        let series = format!(
            r#"msf_health_checks_total{{kind="custom",result="{result}",service="payment"}} 1"#
        );
        assert!(text.contains(&series), "{text}");
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_by_name() {
    type Change = fn(HealthChecker) -> HealthChecker;
    let day = Duration::from_secs(86_401);
    let refused: [(&str, Change); 14] = [
        ("interval", |c| c.interval(Duration::ZERO)),
        ("interval", |c| c.interval(Duration::MAX)),
        ("edge_interval", |c| c.edge_interval(Duration::ZERO)),
        ("idle_interval", |c| c.idle_interval(Duration::MAX)),
        ("timeout", |c| c.timeout(Duration::ZERO)),
        ("timeout", |c| c.timeout(Duration::MAX)),
        ("concurrency", |c| c.concurrency(0)),
        ("concurrency", |c| c.concurrency(usize::MAX)),
        ("rise", |c| c.rise(0)),
        ("fall", |c| c.fall(0)),
        ("fall", |c| c.fall(u32::MAX)),
        ("jitter", |c| c.jitter(-0.1)),
        ("jitter", |c| c.jitter(f64::NAN)),
        ("jitter", |c| c.jitter(0.6)),
    ];
    for (field, change) in refused {
        let error = change(HealthChecker::new())
            .start(&MemoryRegistry::new())
            .unwrap_err();
        assert!(error.to_string().starts_with(field), "{field}: {error}");
    }
    let rare = HealthChecker::new().interval(day - Duration::from_secs(1));
    assert!(rare.start(&MemoryRegistry::new()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_panics_has_failed_and_is_asked_again() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    told.set(1, Answer::Panics);
    memory.register_now(&instance(1), TTL).unwrap();
    let _checks = checker(&told).start(&memory).unwrap();
    sleep(INTERVAL * 4).await;
    assert_eq!(health(&memory), [Health::Unhealthy]);
    told.set(1, Answer::Passes);
    sleep(INTERVAL * 4).await;
    assert_eq!(health(&memory), [Health::Healthy]);
}

/// The worst case of the defaults: right after a check, it stops to answer.
#[tokio::test(start_paused = true)]
async fn by_default_a_dead_instance_is_found_in_twenty_seconds() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    memory.register_now(&instance(1), TTL).unwrap();
    let _checks = HealthChecker::new()
        .probe(told.clone())
        .start(&memory)
        .unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(health(&memory), [Health::Healthy]);
    let asked = told.asked.load(Ordering::Relaxed);
    while told.asked.load(Ordering::Relaxed) == asked {
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(50)).await;
    told.set(1, Answer::Hangs);
    let dead_at = clock::now();
    while health(&memory) == [Health::Healthy] {
        sleep(Duration::from_millis(5)).await;
    }
    // An interval and two edges, each 15 % longer at most, and three timeouts.
    assert!(clock::now() - dead_at < Duration::from_millis(11_500 + 2_300 + 6_100));
    assert!(clock::now() - dead_at > Duration::from_secs(14));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_at_once_unless_told_otherwise() {
    for (fail_fast, expected) in [(true, Health::Unhealthy), (false, Health::Healthy)] {
        let (memory, told) = (MemoryRegistry::new(), Told::default());
        memory.register_now(&instance(1), TTL).unwrap();
        let _checks = checker(&told).fail_fast(fail_fast).start(&memory).unwrap();
        sleep(INTERVAL).await;
        assert_eq!(health(&memory), [Health::Healthy]);
        let asked = told.asked.load(Ordering::Relaxed);
        told.set(1, Answer::Refuses);
        while told.asked.load(Ordering::Relaxed) == asked {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(100)).await;
        assert_eq!(health(&memory), [expected], "{fail_fast}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_hangs_delays_nobody_who_answers() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    for port in 1..=200 {
        memory.register_now(&instance(port), TTL).unwrap();
    }
    let _checks = checker(&told)
        .timeout(INTERVAL)
        .concurrency(16)
        .start(&memory)
        .unwrap();
    sleep(INTERVAL * 2).await;
    assert_eq!(health(&memory), [Health::Healthy; 200]);
    for port in 11..=200 {
        told.set(port, Answer::Hangs);
    }
    // All that hang use up their places once before it is known of them.
    sleep(INTERVAL * 20).await;
    told.times.lock().unwrap().clear();
    sleep(INTERVAL * 20).await;
    let times = told.times.lock().unwrap().clone();
    for port in 1..=10 {
        let asked: Vec<_> = times.iter().filter(|(p, _)| *p == port).collect();
        assert!(asked.len() >= 16, "{port}: {}", asked.len());
        let slowest = asked.windows(2).map(|pair| pair[1].1 - pair[0].1).max();
        assert!(slowest.unwrap() < INTERVAL * 5 / 4, "{port}: {slowest:?}");
    }
    let dead = times.iter().filter(|(port, _)| *port > 10).count();
    assert!(dead >= 12 * 18, "the dead are asked all the same: {dead}");
}

#[tokio::test(start_paused = true)]
async fn registering_all_the_time_hides_nothing() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    told.set(1, Answer::Hangs);
    let _checks = checker(&told)
        .edge_interval(INTERVAL / 4)
        .start(&memory)
        .unwrap();
    // More often than a check takes.
    for _ in 0..40 {
        memory.register_now(&instance(1), TTL).unwrap();
        sleep(INTERVAL / 4).await;
    }
    assert_eq!(told.most.load(Ordering::Relaxed), 1, "one check at a time");
    assert_eq!(health(&memory), [Health::Unhealthy]);
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_no_check_is_given_one() {
    let (memory, told) = (MemoryRegistry::new(), Told::default());
    told.set(1, Answer::Fails);
    let mut unchecked = instance(1);
    unchecked.health_check = None;
    memory.register_now(&unchecked, TTL).unwrap();
    let checks = checker(&told).check("tcp:".parse().unwrap()).start(&memory);
    sleep(INTERVAL * 4).await;
    assert_eq!(health(&memory), [Health::Unhealthy]);
    drop(checks);

    let mine = Told::default();
    let orders = ServiceName::new("orders").unwrap();
    let _checks = checker(&told)
        .probe_of(payment(), mine.clone())
        .check_of(orders.clone(), "tcp:".parse().unwrap())
        .start(&memory)
        .unwrap();
    let other = Instance::new(
        orders.clone(),
        unchecked.id.clone(),
        ([127, 0, 0, 1], 1).into(),
    );
    memory.register_now(&other, TTL).unwrap();
    sleep(INTERVAL * 4).await;
    assert_eq!(health(&memory), [Health::Healthy], "its own probe says so");
    let seen = memory.snapshot(&orders).instances()[0].health;
    assert_eq!(seen, Health::Unhealthy);
}

#[tokio::test(start_paused = true)]
async fn a_checker_that_has_no_sockets_gives_nobody_up() {
    let (memory, told, metrics) = (MemoryRegistry::new(), Told::default(), Metrics::new());
    let logs = LogCapture::start();
    memory.register_now(&instance(1), TTL).unwrap();
    let other = InstanceId::new("p-00001").unwrap();
    let other = Instance::new(
        ServiceName::new("orders").unwrap(),
        other,
        instance(2).addr(),
    )
    .health_check("/readyz".parse().unwrap());
    memory.register_now(&other, TTL).unwrap();
    let _checks = checker(&told).metrics(&metrics).start(&memory).unwrap();
    sleep(INTERVAL).await;
    told.set(1, Answer::Impeded);
    sleep(INTERVAL * 20).await;
    assert_eq!(health(&memory), [Health::Healthy]);
    assert!(metrics.render().contains(r#"result="impeded""#));
    // Checks of others pass meanwhile.
    let errors = logs.events().into_iter();
    let errors = errors.filter(|event| event.message.contains("cannot be made"));
    assert_eq!(errors.count(), 1);
    told.set(1, Answer::Fails);
    sleep(INTERVAL * 4).await;
    assert_eq!(health(&memory), [Health::Unhealthy]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_kind_panics_ends_no_other_check() {
    struct Nameless;

    #[async_trait::async_trait]
    impl Probe for Nameless {
        async fn probe(&self, _: &Instance) -> Result<(), ProbeFailed> {
            Ok(())
        }

        fn kind(&self, instance: &Instance) -> &'static str {
            assert!(instance.addr().port() != 1, "it has no name for that");
            "named"
        }
    }

    let memory = MemoryRegistry::new();
    for port in [1, 2] {
        memory.register_now(&instance(port), TTL).unwrap();
    }
    let checker = HealthChecker::new().interval(INTERVAL).probe(Nameless);
    let _checks = checker.start(&memory).unwrap();
    sleep(INTERVAL * 5).await;
    assert_eq!(health(&memory), [Health::Unhealthy, Health::Healthy]);
}

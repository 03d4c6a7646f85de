//! Many registrations at once: what the registry sees of them.

use super::*;

const MANY: u16 = 1_000;
const LEASE: Duration = Duration::from_secs(15);
const SLOT: Duration = Duration::from_millis(100);

/// The most puts within one slot, since a moment.
fn busiest(backend: &Flaky, since: Instant) -> usize {
    let mut puts = backend.puts();
    puts.retain(|at| *at >= since);
    let within = |from: Instant| {
        puts.iter()
            .filter(|at| **at >= from && **at < from + SLOT)
            .count()
    };
    puts.iter().map(|at| within(*at)).max().unwrap_or(0)
}

/// Longer than every lease, and then everything is forgotten.
async fn outage(backend: &Flaky) -> Instant {
    sleep(LEASE).await;
    assert_eq!(listed(backend), usize::from(MANY));
    backend.set(Mode::Away);
    sleep(LEASE * 4).await;
    backend.lose_memory(LEASE);
    backend.set(Mode::Up);
    clock::now()
}

/// All are back within one time to live, and did not come together.
async fn come_back_spread(backend: &Flaky, forgotten_at: Instant) {
    sleep(LEASE).await;
    assert_eq!(listed(backend), usize::from(MANY));
    let busiest = busiest(backend, forgotten_at);
    assert!(busiest <= 80, "{busiest} of {MANY} within {SLOT:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_processes_come_back_spread() {
    let backend = Flaky::new();
    let one_each = |n| Registry::new(backend.clone()).register(instance(n));
    let _all: Vec<Registration> = (0..MANY).map(one_each).collect();
    let back = outage(&backend).await;
    come_back_spread(&backend, back).await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_registrations_of_one_process_come_back_spread() {
    let backend = Flaky::new();
    let registry = Registry::new(backend.clone());
    let all: Vec<Registration> = (0..MANY).map(|n| registry.register(instance(n))).collect();
    let back = outage(&backend).await;
    come_back_spread(&backend, back).await;
    drop(all);
    sleep(LEASE).await;
    assert_eq!(listed(&backend), 0);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_forgets_without_an_outage_is_not_stormed() {
    let backend = Flaky::new();
    let registry = Registry::new(backend.clone());
    let _all: Vec<Registration> = (0..MANY).map(|n| registry.register(instance(n))).collect();
    sleep(LEASE * 3).await;
    backend.lose_memory(LEASE);
    come_back_spread(&backend, clock::now()).await;
}

#[tokio::test(start_paused = true)]
async fn renewals_of_one_process_go_together() {
    let backend = Flaky::new();
    let registry = Registry::new(backend.clone());
    let _all: Vec<Registration> = (0..100).map(|n| registry.register(instance(n))).collect();
    sleep(LEASE).await;
    let moments = |backend: &Flaky| backend.renewals();
    let before = moments(&backend);
    sleep(LEASE * 4).await;
    let calls = moments(&backend) - before;
    assert!(
        (10..=60).contains(&calls),
        "{calls} calls renew 100 leases for four times to live"
    );
}

//! Peak EWMA in a simulated cluster: instances with latencies, calls that overlap, a clock of its own.

use std::{cmp::Reverse, collections::BinaryHeap};

use proptest::prelude::*;

use super::{Cost, Outcome, pair};

/// One simulated instance.
struct Server {
    cost: Cost,
    in_flight: u32,
    latency_ms: u32,
    fails: bool,
    calls: u32,
}

/// Sends `calls` calls, one each `every_ms`, and counts who got them.
fn simulate(servers: &mut [Server], calls: u32, every_ms: u32, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    // When, who, since when.
    let mut under_way: BinaryHeap<Reverse<(u32, usize, u32)>> = BinaryHeap::new();
    for n in 0..calls {
        let now = 1 + n * every_ms;
        while let Some(Reverse((end, place, start))) = under_way.peek().copied() {
            if end > now {
                break;
            }
            under_way.pop();
            let server = &mut servers[place];
            server.in_flight -= 1;
            let elapsed = (end - start) as f32 / 1_000.0;
            let outcome = if server.fails {
                Outcome::Failed(5.0)
            } else {
                Outcome::Answered(elapsed)
            };
            server.cost.observe(outcome, end);
        }
        let score = |place: usize| {
            let server: &Server = &servers[place];
            server.cost.score(server.in_flight, 1.0, now)
        };
        let (a, b) = pair(servers.len(), rng.u64(..));
        let place = if score(b) < score(a) { b } else { a };
        let server = &mut servers[place];
        server.calls += 1;
        server.in_flight += 1;
        let jitter = rng.u32(..=server.latency_ms / 5);
        under_way.push(Reverse((now + server.latency_ms + jitter, place, now)));
    }
}

fn servers(latencies_ms: &[u32]) -> Vec<Server> {
    let server = |latency_ms: &u32| Server {
        cost: Cost::unknown(),
        in_flight: 0,
        latency_ms: *latency_ms,
        fails: false,
        calls: 0,
    };
    latencies_ms.iter().map(server).collect()
}

#[test]
fn equal_instances_share_equally() {
    let mut servers = servers(&[10; 5]);
    simulate(&mut servers, 20_000, 1, 7);
    for server in &servers {
        assert!((3_000..5_000).contains(&server.calls), "{}", server.calls);
    }
}

#[test]
fn an_instance_that_fails_at_once_does_not_look_fast() {
    let mut servers = servers(&[20, 20, 20, 1]);
    servers[3].fails = true;
    simulate(&mut servers, 20_000, 2, 7);
    assert!(servers[3].calls < 100, "{} of 20000", servers[3].calls);
}

#[test]
fn an_instance_that_joins_is_neither_starved_nor_flooded() {
    let mut servers = servers(&[10; 4]);
    simulate(&mut servers, 5_000, 1, 7);
    for server in &mut servers {
        server.calls = 0;
        server.in_flight = 0;
    }
    // Its first answer takes as long as ten of the others'.
    servers[0].cost = Cost::unknown();
    servers[0].latency_ms = 100;
    simulate(&mut servers, 100, 1, 8);
    assert!((1..=5).contains(&servers[0].calls), "{}", servers[0].calls);
}

#[test]
fn an_instance_that_recovers_gets_its_share_back() {
    let mut servers = servers(&[10; 3]);
    servers[0].fails = true;
    simulate(&mut servers, 2_000, 5, 7);
    let while_failing = servers[0].calls;
    servers[0].fails = false;
    for server in &mut servers {
        server.in_flight = 0;
        server.cost = server.cost.copied();
    }
    servers[0].calls = 0;
    // Two minutes, in which the penalty fades.
    simulate(&mut servers, 24_000, 5, 9);
    assert!(while_failing < 20, "{while_failing}");
    assert!(servers[0].calls > 1_000, "{}", servers[0].calls);
}

proptest! {
    /// However many there are and whichever it is: an instance that is fifty times slower gets a
    /// small part of its even share.
    #[test]
    fn a_slow_instance_gets_few_calls(count in 3_usize..12, slow in 0_usize..12, seed: u64) {
        let slow = slow % count;
        let mut latencies = vec![10; count];
        latencies[slow] = 500;
        let mut servers = servers(&latencies);
        let calls = 10_000;
        simulate(&mut servers, calls, 2, seed);
        let share = f64::from(servers[slow].calls) / f64::from(calls) * count as f64;
        prop_assert!(share < 0.2, "{share} of an even share");
    }
}

//! msf's picks beside those of `pingora-load-balancing`, in one run:
//! `cargo run --release --manifest-path benches/peers/Cargo.toml --bin pick-beside-pingora` (needs cmake).
//!
//! A pick of msf is taken, recorded as a success and dropped; one of pingora is a clone of the backend, which is dropped.
//! "two" is the same while a second thread does it too. Medians of rounds taken in turns.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use msf_benches::rounds::median;
use msf_core::{
    BoxError,
    classify::Classification,
    name::{InstanceId, ServiceName},
    testing::allocations,
};
use msf_registry::{
    Balance, Instance, PickContext, Registrar, Registry, backend::memory::MemoryRegistry,
};
use pingora_load_balancing::{
    LoadBalancer,
    selection::{
        BackendIter, BackendSelection,
        algorithms::{Random, RoundRobin},
        consistent::KetamaHashing,
        weighted::Weighted,
    },
};

type Pick = Box<dyn Fn(u64) + Sync>;

fn main() -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let mut rows = Vec::new();
    for instances in [3, 100, 10_000] {
        for (name, balance) in [
            ("msf random", Balance::Random),
            ("msf round_robin", Balance::RoundRobin),
            ("msf peak_ewma", Balance::PeakEwma),
            ("msf ring_hash", Balance::RingHash),
            ("msf maglev", Balance::Maglev),
        ] {
            let pick = runtime.block_on(msf(balance, instances))?;
            rows.push(Row::new(name, instances, pick));
        }
        rows.push(Row::new("pingora random", instances, pingora::<Weighted<Random>>(instances)?));
        let turns = pingora::<Weighted<RoundRobin>>(instances)?;
        rows.push(Row::new("pingora round_robin", instances, turns));
        rows.push(Row::new("pingora ketama", instances, pingora::<KetamaHashing>(instances)?));
    }
    for _ in 0..ROUNDS {
        rows.iter_mut().for_each(Row::round);
    }
    println!("{:<22}{:>12}{:>10}{:>10}{:>14}", "", "instances", "ns", "two ns", "allocations");
    for mut row in rows {
        let count = allocations(|| (row.pick)(7)).count;
        let (one, two) = (median(&mut row.one), median(&mut row.two));
        println!("{:<22}{:>12}{one:>10.1}{two:>10.1}{count:>14}", row.name, row.instances);
    }
    Ok(())
}

struct Row {
    name: &'static str,
    instances: u16,
    pick: Pick,
    one: Vec<f64>,
    two: Vec<f64>,
}

impl Row {
    fn new(name: &'static str, instances: u16, pick: Pick) -> Self {
        for key in 0..u64::from(instances) * 8 {
            pick(key);
        }
        Self { name, instances, pick, one: Vec::new(), two: Vec::new() }
    }

    fn round(&mut self) {
        self.one.push(per_operation(&self.pick));
        let began = AtomicU32::new(0);
        let timed = || {
            began.fetch_add(1, Ordering::SeqCst);
            while began.load(Ordering::SeqCst) < 2 {
                std::hint::spin_loop();
            }
            per_operation(&self.pick)
        };
        let two = thread::scope(|scope| {
            let other = scope.spawn(timed);
            let own = timed();
            other.join().map_or(own, |other| (own + other) / 2.0)
        });
        self.two.push(two);
    }
}

async fn msf(balance: Balance, instances: u16) -> Result<Pick, BoxError> {
    let service = ServiceName::new("payment")?;
    let memory = MemoryRegistry::new();
    for n in 0..instances {
        let id = InstanceId::new(format!("p-{n}"))?;
        let instance = Instance::new(service.clone(), id, ([127, 0, 0, 1], 1 + n).into());
        memory.put(&instance, Duration::from_secs(600)).await?;
    }
    let registry = Registry::builder(memory).balance(balance).build()?;
    let handle = registry.service(&service);
    handle.ready(Duration::from_secs(10)).await?;
    Ok(Box::new(move |key| {
        let _registry = &registry;
        if let Ok(mut picked) = black_box(&handle).pick(&PickContext::new().hash(key)) {
            picked.record(&Classification::SUCCESS);
        }
    }))
}

fn pingora<S>(instances: u16) -> Result<Pick, BoxError>
where
    S: BackendSelection + Send + Sync + 'static,
    S::Iter: BackendIter,
{
    let addrs = (0..instances).map(|n| format!("127.0.0.1:{}", 1 + n));
    let balancer = LoadBalancer::<S>::try_from_iter(addrs)?;
    Ok(Box::new(move |key| drop(black_box(balancer.select(&key.to_ne_bytes(), 256)))))
}

/// Another key for each, and the same loop around all.
fn per_operation(pick: &Pick) -> f64 {
    let (start, mut key) = (Instant::now(), 0_u64);
    for _ in 0..OPERATIONS {
        key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
        pick(key);
    }
    start.elapsed().as_nanos() as f64 / f64::from(OPERATIONS)
}

const ROUNDS: usize = 51;
const OPERATIONS: u32 = 5_000;

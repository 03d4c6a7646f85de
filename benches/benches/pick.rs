//! What choosing an instance costs: `cargo bench -p msf-benches --bench pick`.
//!
//! `pick` is [`ServiceHandle::pick`] alone. `call` is what a call does in all: pick, record a success, drop. The
//! row "clock" is one reading of the clock, of which a P2C pick makes one and a recorded call two; the columns
//! "at" are the same for a caller that has read the clock anyway. Medians of rounds taken in turns.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{hint::black_box, time::Duration};

use msf_benches::rounds::median;
use msf_core::{
    BoxError,
    classify::Classification,
    clock,
    name::{InstanceId, ServiceName},
    testing::allocations,
};
use msf_registry::{
    Balance, Instance, PickContext, Picked, Registrar, Registry, ServiceHandle,
    backend::memory::MemoryRegistry,
};
use tokio::{runtime::Runtime, time::Instant};

fn main() -> Result<(), BoxError> {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let rounds = if is_quick { 11 } else { 101 };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;

    let mut rows = Vec::new();
    for (name, balance) in [
        ("round robin", Balance::RoundRobin),
        ("peak EWMA P2C", Balance::PeakEwma),
    ] {
        for instances in [3, 100, 10_000] {
            let (registry, endpoints) = runtime.block_on(endpoints(balance, instances))?;
            rows.push(Row::new(name, instances, registry, endpoints));
        }
    }
    let mut clock_ns = Vec::new();
    for _ in 0..rounds {
        clock_ns.push(per_operation(|| _ = black_box(clock::now())));
        for row in &mut rows {
            row.round();
        }
    }

    println!(
        "{:<16}{:>12}{:>10}{:>10}{:>10}{:>10}{:>14}",
        "", "instances", "pick ns", "at ns", "call ns", "at ns", "allocations"
    );
    println!("{:<16}{:>12}{:>10.1}", "clock", "", median(&mut clock_ns));
    for mut row in rows {
        let count = allocations(|| row.call()).count;
        let (pick, pick_at) = (median(&mut row.pick_ns), median(&mut row.pick_at_ns));
        let (call, call_at) = (median(&mut row.call_ns), median(&mut row.call_at_ns));
        println!(
            "{:<16}{:>12}{pick:>10.1}{pick_at:>10.1}{call:>10.1}{call_at:>10.1}{count:>14}",
            row.name, row.instances
        );
    }
    drop::<Runtime>(runtime);
    Ok(())
}

async fn endpoints(
    balance: Balance,
    instances: u16,
) -> Result<(Registry, ServiceHandle), BoxError> {
    let service = ServiceName::new("payment")?;
    let memory = MemoryRegistry::new();
    for n in 0..instances {
        let id = InstanceId::new(format!("p-{n}"))?;
        let instance = Instance::new(service.clone(), id, ([127, 0, 0, 1], 1 + n).into());
        memory.put(&instance, Duration::from_secs(600)).await?;
    }
    let registry = Registry::builder(memory).balance(balance).build()?;
    let endpoints = registry.service(&service);
    endpoints.ready(Duration::from_secs(10)).await?;
    Ok((registry, endpoints))
}

struct Row {
    name: &'static str,
    instances: u16,
    _registry: Registry,
    endpoints: ServiceHandle,
    held: Vec<Picked>,
    pick_ns: Vec<f64>,
    pick_at_ns: Vec<f64>,
    call_ns: Vec<f64>,
    call_at_ns: Vec<f64>,
}

impl Row {
    fn new(
        name: &'static str,
        instances: u16,
        registry: Registry,
        endpoints: ServiceHandle,
    ) -> Self {
        Self {
            name,
            instances,
            _registry: registry,
            endpoints,
            held: Vec::with_capacity(OPERATIONS as usize),
            pick_ns: Vec::new(),
            pick_at_ns: Vec::new(),
            call_ns: Vec::new(),
            call_at_ns: Vec::new(),
        }
    }

    fn round(&mut self) {
        let (endpoints, held) = (&self.endpoints, &mut self.held);
        self.pick_ns.push(per_operation(|| {
            held.extend(endpoints.pick(&PickContext::new()).ok())
        }));
        end(held);
        let now = clock::now();
        self.pick_at_ns.push(per_operation(|| {
            held.extend(endpoints.pick(&PickContext::new().at(now)).ok())
        }));
        end(held);
        let ns = per_operation(|| self.call());
        self.call_ns.push(ns);
        let ns = per_operation(|| self.call_at(now));
        self.call_at_ns.push(ns);
    }

    fn call(&self) {
        if let Ok(mut picked) = black_box(&self.endpoints).pick(&PickContext::new()) {
            picked.record(&Classification::SUCCESS);
        }
    }

    fn call_at(&self, now: Instant) {
        if let Ok(mut picked) = black_box(&self.endpoints).pick(&PickContext::new().at(now)) {
            picked.record_at(&Classification::SUCCESS, now);
        }
    }
}

fn end(held: &mut Vec<Picked>) {
    for mut picked in held.drain(..) {
        picked.record(&Classification::SUCCESS);
    }
}

fn per_operation(mut operation: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..OPERATIONS {
        operation();
    }
    start.elapsed().as_nanos() as f64 / f64::from(OPERATIONS)
}

const OPERATIONS: u32 = 2_000;

//! What choosing an instance costs: `cargo bench -p msf-benches --bench pick`.
//!
//! `pick` is [`ServiceHandle::pick`] alone. `call` is what a call does in all: pick, record a success, drop; `two` is a call
//! while a second thread does the same. The row "clock" is one reading of tokio's clock; a pick by latency reads the
//! processor's counter instead. tower's balancer is driven as it is meant to be: ready, call, and the answer awaited.
//! Medians of rounds taken in turns, each with its table in the caches that it fits into; of the second thread those of
//! windows that began together. `benches/peers` has pingora's balancer beside ours.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{
    future::{Ready, ready},
    hint::black_box,
    sync::atomic::{AtomicU32, Ordering},
    task::{Context, Poll},
    thread,
    time::Duration,
};

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
use tower::{
    Service, ServiceExt,
    balance::p2c::Balance as TowerBalance,
    buffer::Buffer,
    discover::ServiceList,
    load::{CompleteOnResponse, PeakEwma},
};

fn main() -> Result<(), BoxError> {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let rounds = if is_quick { 5 } else { 41 };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;

    let mut rows = Vec::new();
    for balance in [
        Balance::Random,
        Balance::RoundRobin,
        Balance::LeastRequest,
        Balance::PeakEwma,
        Balance::Maglev,
        Balance::RingHash,
        Balance::Rendezvous,
    ] {
        for instances in [3, 100, 10_000] {
            if balance == Balance::Rendezvous && instances > 100 {
                continue; // It looks at every instance.
            }
            let (registry, endpoints) = runtime.block_on(endpoints(balance, instances))?;
            rows.push(Row::new(balance.as_str(), instances, registry, endpoints));
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
        "{:<16}{:>12}{:>10}{:>10}{:>10}{:>14}",
        "", "instances", "pick ns", "call ns", "two ns", "allocations"
    );
    println!("{:<16}{:>12}{:>10.1}", "clock", "", median(&mut clock_ns));
    for mut row in rows {
        let count = allocations(|| row.call()).count;
        let pick = median(&mut row.pick_ns);
        let (call, two) = (median(&mut row.call_ns), median(&mut row.two_ns));
        println!(
            "{:<16}{:>12}{pick:>10.1}{call:>10.1}{two:>10.1}{count:>14}",
            row.name, row.instances
        );
    }
    for instances in [3, 100, 10_000] {
        let (mut ns, count) = runtime.block_on(tower(instances, rounds))?;
        let call = median(&mut ns);
        println!(
            "{:<16}{instances:>12}{:>10}{call:>10.1}{:>10}{count:>14}",
            "tower peak_ewma", "", ""
        );
        let (mut ns, count) = runtime.block_on(buffered(instances, rounds))?;
        let call = median(&mut ns);
        println!(
            "{:<16}{instances:>12}{:>10}{call:>10.1}{:>10}{count:>14}",
            "tower buffered", "", ""
        );
    }
    drop::<Runtime>(runtime);
    Ok(())
}

/// A service that answers at once, so that only the balancer is measured.
#[derive(Debug)]
struct Answers;

impl Service<()> for Answers {
    type Response = ();
    type Error = BoxError;
    type Future = Ready<Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(()))
    }
}

/// A call through tower's balancer, of rounds, and its allocations.
async fn tower(instances: u16, rounds: u32) -> Result<(Vec<f64>, u64), BoxError> {
    let mut balance = balancer(instances);
    let warm = u32::from(instances) * 4;
    let mut rounds_ns = Vec::new();
    for _ in 0..warm {
        balance.ready().await?.call(()).await?;
    }
    for _ in 0..rounds {
        let start = Instant::now();
        for _ in 0..OPERATIONS {
            balance.ready().await?.call(()).await?;
        }
        rounds_ns.push(start.elapsed().as_nanos() as f64 / f64::from(OPERATIONS));
    }
    let mut context = Context::from_waker(std::task::Waker::noop());
    let count = allocations(|| {
        if balance.poll_ready(&mut context).is_ready() {
            drop(balance.call(()));
        }
    });
    Ok((rounds_ns, count.count))
}

/// The same behind tower's `Buffer`, which is how clones of a service share its balancer.
async fn buffered(instances: u16, rounds: u32) -> Result<(Vec<f64>, u64), BoxError> {
    let mut buffer = Buffer::new(balancer(instances), 64);
    for _ in 0..u32::from(instances) * 4 {
        buffer.ready().await?.call(()).await?;
    }
    let mut rounds_ns = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        for _ in 0..OPERATIONS {
            buffer.ready().await?.call(()).await?;
        }
        rounds_ns.push(start.elapsed().as_nanos() as f64 / f64::from(OPERATIONS));
    }
    let mut context = Context::from_waker(std::task::Waker::noop());
    let count = allocations(|| {
        if buffer.poll_ready(&mut context).is_ready() {
            drop(buffer.call(()));
        }
    });
    Ok((rounds_ns, count.count))
}

type Balanced = TowerBalance<ServiceList<Vec<PeakEwma<Answers>>>, ()>;

fn balancer(instances: u16) -> Balanced {
    let answering = |_| {
        PeakEwma::new(
            Answers,
            Duration::from_millis(30),
            10e9,
            CompleteOnResponse::default(),
        )
    };
    let all: Vec<_> = (0..instances).map(answering).collect();
    TowerBalance::new(ServiceList::new(all))
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
    call_ns: Vec<f64>,
    two_ns: Vec<f64>,
    key: u64,
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
            call_ns: Vec::new(),
            two_ns: Vec::new(),
            key: 0,
        }
    }

    fn round(&mut self) {
        // What the other rows have left in the caches is theirs.
        per_operation(|| call(&self.endpoints, &mut self.key));
        let (endpoints, held, key) = (&self.endpoints, &mut self.held, &mut self.key);
        self.pick_ns.push(per_operation(|| {
            held.extend(endpoints.pick(&context(key)).ok());
        }));
        end(held);
        let ns = per_operation(|| call(&self.endpoints, &mut self.key));
        self.call_ns.push(ns);
        let began = AtomicU32::new(0);
        let timed = || {
            // A thread's first pick finds its number.
            let mut key = 0;
            call(&self.endpoints, &mut key);
            began.fetch_add(1, Ordering::SeqCst);
            while began.load(Ordering::SeqCst) < 2 {
                std::hint::spin_loop();
            }
            per_operation(|| call(&self.endpoints, &mut key))
        };
        let ns = thread::scope(|scope| {
            let other = scope.spawn(timed);
            let own = timed();
            other.join().map_or(own, |other| (own + other) / 2.0)
        });
        self.two_ns.push(ns);
    }

    fn call(&mut self) {
        call(&self.endpoints, &mut self.key);
    }
}

fn call(endpoints: &ServiceHandle, key: &mut u64) {
    if let Ok(mut picked) = black_box(endpoints).pick(&context(key)) {
        picked.record(&Classification::SUCCESS);
    }
}

/// Another key for each call: those who do not hash do not look at it.
const fn context(key: &mut u64) -> PickContext<'static> {
    *key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    PickContext::new().hash(*key)
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

const OPERATIONS: u32 = 10_000;

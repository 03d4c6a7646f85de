//! What a call by name costs beside the clients that people use: `cargo bench -p msf-benches --bench call`.
//!
//! Sixteen callers on one thread, each over its own idle connection, against a callee on another thread that
//! answers at once. CPU is that of the callers' thread, from the kernel; the wall clock says more about
//! the two threads waking each other. Rounds are taken in turns, and the median counts.

#![expect(clippy::print_stdout, reason = "it prints a table")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::{fs, future::Future, net::SocketAddr, thread};

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use msf_benches::rounds::median;
use msf_client::{Client, ServiceClient, transport::Connections};
use msf_core::{
    body::Body,
    metrics::Metrics,
    name::{InstanceId, ServiceName},
    task,
};
use msf_registry::{Instance, Registry, backend::memory::MemoryRegistry};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::oneshot,
    time::Instant,
};

fn main() {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, calls) = if is_quick { (3, 100) } else { (11, 500) };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(compare(callee(), rounds, calls));
}

async fn compare(addr: SocketAddr, rounds: u32, calls: u32) {
    let registry = Registry::new(MemoryRegistry::new());
    let name = ServiceName::new("callee").unwrap();
    let here = Instance::new(name.clone(), InstanceId::random(&name), addr);
    let registration = registry.register(here);
    registration.registered().await.unwrap();
    let plain = Client::builder(registry.clone()).build().unwrap();
    let plain = plain.service("callee").unwrap();
    let metrics = Metrics::new();
    let counted = Client::builder(registry).metrics(&metrics).build().unwrap();
    let counted = counted.service("callee").unwrap();
    let connections = Connections::default();
    let legacy = legacy::Client::builder(TokioExecutor::new()).build_http();
    let reqwest = reqwest::Client::new();

    let mut figures: Vec<Figures> = NAMES.iter().map(|_| Figures::default()).collect();
    for round in 0..=rounds {
        let measured = [
            measure(calls, || bare_hyper(addr, calls)).await,
            measure(calls, || by_address(connections.clone(), addr, calls)).await,
            measure(calls, || by_name(plain.clone(), calls)).await,
            measure(calls, || by_name(counted.clone(), calls)).await,
            measure(calls, || hyper_util_legacy(legacy.clone(), addr, calls)).await,
            measure(calls, || with_reqwest(reqwest.clone(), addr, calls)).await,
        ];
        // The first round opens the connections.
        if round > 0 {
            for (figures, measured) in figures.iter_mut().zip(measured) {
                figures.cpu_us.push(measured.0);
                figures.wall_us.push(measured.1);
            }
        }
    }

    println!("{:<42}{:>10}{:>10}{:>8}", "", "CPU µs", "wall µs", "ratio");
    let floor = median(&mut figures[0].cpu_us);
    for (name, figures) in NAMES.iter().zip(&mut figures) {
        let (cpu, wall) = (median(&mut figures.cpu_us), median(&mut figures.wall_us));
        println!("{name:<42}{cpu:>10.2}{wall:>10.2}{:>8.2}", cpu / floor);
    }
}

const NAMES: [&str; 6] = [
    "hyper, one connection in hand",
    "msf_client::transport, by address",
    "msf_client, by name",
    "msf_client, by name, with metrics",
    "hyper-util's legacy client",
    "reqwest",
];

const CALLERS: u32 = 16;

#[derive(Default)]
struct Figures {
    cpu_us: Vec<f64>,
    wall_us: Vec<f64>,
}

/// Runs the callers to their end; microseconds of CPU and of the wall clock per call.
async fn measure<F>(calls: u32, caller: impl Fn() -> F) -> (f64, f64)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (cpu, start) = (cpu_us(), Instant::now());
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| task::spawn("caller", caller()))
        .collect();
    for caller in callers {
        caller.join().await.unwrap();
    }
    let all = f64::from(CALLERS * calls);
    let wall = start.elapsed().as_secs_f64() * 1e6;
    ((cpu_us() - cpu) / all, wall / all)
}

/// What this thread has used so far.
fn cpu_us() -> f64 {
    let line = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let ns: f64 = line.split(' ').next().unwrap().parse().unwrap();
    ns / 1e3
}

async fn bare_hyper(addr: SocketAddr, calls: u32) {
    let stream = TcpStream::connect(addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    let _connection = task::spawn("connection", connection);
    for _ in 0..calls {
        let request = Request::get(PATH)
            .header("host", "callee")
            .body(Empty::<Bytes>::new())
            .unwrap();
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
}

async fn by_address(connections: Connections, addr: SocketAddr, calls: u32) {
    for _ in 0..calls {
        let request = Request::get(PATH)
            .header("host", "callee")
            .body(Body::empty())
            .unwrap();
        let response = connections.send(addr, request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
}

async fn by_name(service: ServiceClient, calls: u32) {
    for _ in 0..calls {
        let request = Request::get(PATH).body(Body::empty()).unwrap();
        let response = service.call(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
}

type Legacy = legacy::Client<legacy::connect::HttpConnector, Empty<Bytes>>;

async fn hyper_util_legacy(client: Legacy, addr: SocketAddr, calls: u32) {
    let uri: Uri = format!("http://{addr}{PATH}").parse().unwrap();
    for _ in 0..calls {
        let request = Request::get(uri.clone()).body(Empty::new()).unwrap();
        let response = client.request(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
}

async fn with_reqwest(client: reqwest::Client, addr: SocketAddr, calls: u32) {
    let url = format!("http://{addr}{PATH}");
    for _ in 0..calls {
        client
            .get(&url)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
    }
}

const PATH: &str = "/products/7";

/// A callee on a thread of its own, which takes whatever arrives at once for a request.
fn callee() -> SocketAddr {
    let (ready, addr) = oneshot::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                task::spawn("callee", answer(stream)).detach();
            }
        });
    });
    addr.blocking_recv().unwrap()
}

async fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut request = [0; 4096];
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                        date: Mon, 23 Nov 2026 00:00:00 GMT\r\ncontent-length: 33\r\n\r\n\
                        {\"name\":\"lamp\",\"unit_price\":2500}";

//! `hello` on msf beside the same route on bare axum:
//! `cargo run --release -p msf-benches --bin hello-compare`.
//!
//! Each server is a process of its own with one thread; the load comes from one thread of this process, over 64
//! connections that send their next request when the answer has come. The servers are measured in turns. CPU
//! time is the server's own, as the kernel accounts for it (`/proc/PID/schedstat`), so that the load generator
//! does not count; the ratio of CPU times is the figure to quote.
#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{
    env, fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::{Router, extract::Path, routing::get};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use msf_benches::rounds::median;
use msf_core::{
    BoxError,
    host::{HostConfig, ServiceHost},
    server::{Listener, Server},
    task,
    telemetry::{LogConfig, TelemetrySetup},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", kind, port] => serve(kind, port.parse()?).await,
        _ => compare(args.iter().any(|arg| arg == "--quick")).await,
    }
}

/// What is compared; the first is what the others are measured against.
const KINDS: [(&str, &str); 5] = [
    ("axum", "bare axum"),
    ("server", "msf_core::server alone"),
    ("layers", "ServiceHost, no telemetry"),
    ("quiet", "ServiceHost, log level warn"),
    ("lines", "ServiceHost, a JSON line per request"),
];

async fn serve(kind: &str, port: u16) -> Result<(), BoxError> {
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    if kind == "axum" {
        let routes = Router::new().route("/hello/{name}", get(hello));
        axum::serve(TcpListener::bind(addr).await?, routes).await?;
        return Ok(());
    }
    let routes = Router::new().route("/hello/{name}", get(hello));
    if kind == "server" {
        // `axum::serve` does the same: without it, a router prepares its handlers for every request anew.
        let routes = routes.with_state(());
        Server::new().serve(Listener::bind(addr)?, routes).await?;
        return Ok(());
    }
    let mut log = LogConfig::default();
    if kind == "quiet" {
        log.level = "warn".to_owned();
    }
    let telemetry = TelemetrySetup::new(&log).into_dispatch(std::io::stdout())?;
    if kind != "layers" {
        tracing::dispatcher::set_global_default(telemetry.0)?;
    }
    let mut config = HostConfig::default();
    config.server.bind = addr.to_string();
    let _running = ServiceHost::builder("hello")
        .config(config)
        .router(routes)
        .start()
        .await?;
    std::future::pending().await
}

async fn hello(Path(name): Path<String>) -> String {
    format!("hello {name}\n")
}

struct Measured {
    label: &'static str,
    child: Child,
    addr: SocketAddr,
    cpu_us: Vec<f64>,
    per_second: Vec<f64>,
}

async fn compare(is_quick: bool) -> Result<(), BoxError> {
    let (rounds, length) = if is_quick {
        (3, Duration::from_millis(200))
    } else {
        (9, Duration::from_secs(2))
    };
    let mut servers = Vec::new();
    for (kind, label) in KINDS {
        servers.push(Measured::start(kind, label).await?);
    }
    for _ in 0..rounds {
        for server in &mut servers {
            server.round(length).await?;
        }
    }
    let axum = median(&mut servers[0].cpu_us);
    println!(
        "{:<42}{:>12}{:>16}{:>8}",
        "", "requests/s", "CPU µs/request", "ratio"
    );
    for server in &mut servers {
        let cpu_us = median(&mut server.cpu_us);
        println!(
            "{:<42}{:>12.0}{:>16.2}{:>8.2}",
            server.label,
            median(&mut server.per_second),
            cpu_us,
            cpu_us / axum
        );
    }
    Ok(())
}

impl Measured {
    async fn start(kind: &str, label: &'static str) -> Result<Self, BoxError> {
        // Free a moment ago; a clash makes the child fail, which the wait below reports.
        let addr = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let child = Command::new(env::current_exe()?)
            .args(["serve", kind, &addr.port().to_string()])
            .stdout(Stdio::null())
            .spawn()?;
        let server = Self {
            label,
            child,
            addr,
            cpu_us: Vec::new(),
            per_second: Vec::new(),
        };
        timeout(Duration::from_secs(10), async {
            while TcpStream::connect(addr).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .map_err(|_elapsed| format!("{label} does not listen"))?;
        Ok(server)
    }

    async fn round(&mut self, length: Duration) -> Result<(), BoxError> {
        let before = self.cpu_ns()?;
        let start = Instant::now();
        let answers = load(self.addr, length).await?;
        let took = start.elapsed();
        let cpu_ns = self.cpu_ns()? - before;
        if answers == 0 {
            return Err(format!("{} answered nothing", self.label).into());
        }
        self.cpu_us.push(cpu_ns as f64 / 1_000.0 / answers as f64);
        self.per_second.push(answers as f64 / took.as_secs_f64());
        Ok(())
    }

    /// CPU time over all threads, since each has a line of its own.
    fn cpu_ns(&self) -> Result<u64, BoxError> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let on_cpu = text.split(' ').next().ok_or("an empty schedstat")?;
            sum += on_cpu.parse::<u64>()?;
        }
        Ok(sum)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // The child may have ended by itself, which `round` reports.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Keeps 64 connections busy for a while and counts the answers.
async fn load(addr: SocketAddr, length: Duration) -> Result<u64, BoxError> {
    let end = Instant::now() + length;
    let mut connections = JoinSet::new();
    for _ in 0..64 {
        connections.spawn(async move {
            let io = TokioIo::new(TcpStream::connect(addr).await?);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
            let _connection = task::spawn("connection", connection);
            let mut answers = 0_u64;
            while Instant::now() < end {
                let request = Request::get("/hello/you")
                    .header("host", "localhost")
                    .body(Empty::<Bytes>::new())?;
                let response = sender.send_request(request).await?;
                if response.status() != 200 {
                    return Err(format!("status {}", response.status()).into());
                }
                response.into_body().collect().await?;
                answers += 1;
            }
            Ok::<_, BoxError>(answers)
        });
    }
    let mut answers = 0;
    while let Some(connection) = connections.join_next().await {
        answers += connection??;
    }
    Ok(answers)
}

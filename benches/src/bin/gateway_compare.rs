//! The gateway beside other proxies, in front of the same service:
//! `cargo run --release -p msf-benches --bin gateway-compare`. Needs `wrk` on the PATH; nginx is measured if it
//! is there as well.
//!
//! The service and each proxy are processes of their own with one thread; the load is `wrk -t1 -c64`. The
//! proxies are measured in turns. CPU time is the proxy's own, as the kernel accounts for it
//! (`/proc/PID/task/*/schedstat`), so that neither the load nor the service counts.
#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{
    convert::Infallible,
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri, header, uri::PathAndQuery};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as LegacyClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use msf_benches::rounds::median;
use msf_client::Client;
use msf_core::{
    BoxError,
    name::{InstanceId, ServiceName},
    server::{Listener, Server},
    task,
};
use msf_gateway::{Gateway, Route};
use msf_registry::{Instance, Registry, backend::memory::MemoryRegistry};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", kind, port, service] => serve(kind, port.parse()?, service.parse()?).await,
        _ => compare(args.iter().any(|arg| arg == "--quick")).await,
    }
}

/// What is compared; the ratios are to the first.
const KINDS: [(&str, &str); 4] = [
    ("naive", "hyper + hyper-util's legacy client"),
    ("bare", "gateway, nobody observes"),
    ("gateway", "gateway, traced and counted"),
    ("nginx", "nginx, keepalive 64, no access log"),
];

async fn serve(kind: &str, port: u16, service: SocketAddr) -> Result<(), BoxError> {
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    match kind {
        "service" => answer(addr).await,
        "naive" => naive(addr, service).await,
        _ => gateway(kind, addr, service).await,
    }
}

/// The service: 128 bytes, at once.
async fn answer(addr: SocketAddr) -> Result<(), BoxError> {
    let listener = TcpListener::bind(addr).await?;
    let body = Bytes::from("x".repeat(128));
    loop {
        let (stream, _) = listener.accept().await?;
        let _low_latency = stream.set_nodelay(true);
        let body = body.clone();
        let service = hyper::service::service_fn(move |_request| {
            let response = Response::new(Full::new(body.clone()));
            async move { Ok::<_, Infallible>(response) }
        });
        let http = hyper::server::conn::http1::Builder::new();
        let served = http.serve_connection(TokioIo::new(stream), service);
        task::spawn("connection", served).detach();
    }
}

/// A proxy as one writes it in an afternoon: correct for simple requests, and none of the rest.
async fn naive(addr: SocketAddr, service: SocketAddr) -> Result<(), BoxError> {
    let listener = TcpListener::bind(addr).await?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: LegacyClient<_, Incoming> =
        LegacyClient::builder(TokioExecutor::new()).build(connector);
    loop {
        let (stream, _) = listener.accept().await?;
        let _low_latency = stream.set_nodelay(true);
        let client = client.clone();
        let forward = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let path = request.uri().path_and_query().cloned();
            let target = Uri::builder()
                .scheme("http")
                .authority(service.to_string())
                .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
                .build();
            let client = client.clone();
            async move {
                *request.uri_mut() = target?;
                request.headers_mut().remove(header::HOST);
                let response = client.request(request).await?;
                Ok::<_, BoxError>(response)
            }
        });
        let http = hyper::server::conn::http1::Builder::new();
        let served = http.serve_connection(TokioIo::new(stream), forward);
        task::spawn("connection", served).detach();
    }
}

async fn gateway(kind: &str, addr: SocketAddr, service: SocketAddr) -> Result<(), BoxError> {
    let registry = Registry::new(MemoryRegistry::new());
    let name = ServiceName::new("service")?;
    let id = InstanceId::random(&name);
    let registration = registry.register(Instance::new(name.clone(), id, service));
    registration.registered().await?;
    let gateway = Gateway::builder(Client::builder(registry.clone()).build()?)
        .route(Route::prefix("/api/orders").to("service").public())
        .build()?;
    registry
        .service(&name)
        .ready(Duration::from_secs(5))
        .await?;
    if kind == "bare" {
        let service = gateway.into_unobserved_service();
        Server::new().serve(Listener::bind(addr)?, service).await?;
        return Ok(());
    }
    let _running = gateway.server(addr).workers(1).start()?;
    std::future::pending().await
}

struct Measured {
    label: &'static str,
    process: Process,
    addr: SocketAddr,
    cpu_us: Vec<f64>,
    per_second: Vec<f64>,
}

/// A process that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which the next round reports.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

async fn compare(is_quick: bool) -> Result<(), BoxError> {
    let (rounds, seconds) = if is_quick { (3, 1) } else { (7, 3) };
    let service = start("service", ([127, 0, 0, 1], 1).into()).await?;
    let mut measured = vec![Measured::new("the service itself", service)];
    let service_addr = measured[0].addr;
    for (kind, label) in KINDS {
        let started = if kind == "nginx" {
            nginx(service_addr).await?
        } else {
            Some(start(kind, service_addr).await?)
        };
        measured.extend(started.map(|started| Measured::new(label, started)));
    }
    for _ in 0..rounds {
        for one in &mut measured {
            one.round(seconds)?;
        }
    }
    let base = median(&mut measured[1].cpu_us);
    println!(
        "{:<40}{:>12}{:>16}{:>20}{:>8}",
        "", "requests/s", "CPU µs/request", "CPU s/100k requests", "ratio"
    );
    for one in &mut measured {
        let cpu_us = median(&mut one.cpu_us);
        println!(
            "{:<40}{:>12.0}{:>16.2}{:>20.2}{:>8.2}",
            one.label,
            median(&mut one.per_second),
            cpu_us,
            cpu_us / 10.0,
            cpu_us / base
        );
    }
    Ok(())
}

async fn start(kind: &str, service: SocketAddr) -> Result<(Process, SocketAddr), BoxError> {
    // Free a moment ago; a clash makes the process fail, which the wait below reports.
    let addr = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let child = Command::new(env::current_exe()?)
        .args([
            "serve",
            kind,
            &addr.port().to_string(),
            &service.to_string(),
        ])
        .stdout(Stdio::null())
        .spawn()?;
    let process = Process(child);
    until_listening(kind, addr).await?;
    Ok((process, addr))
}

/// Starts nginx with one worker, if there is one.
async fn nginx(service: SocketAddr) -> Result<Option<(Process, SocketAddr)>, BoxError> {
    let addr = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let dir: PathBuf = env::temp_dir().join(format!("msf-nginx-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log stderr crit;
         events {{ worker_connections 1024; }}
         http {{
           access_log off; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b;
           fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
           keepalive_requests 1000000000;
           upstream service {{ server {service}; keepalive 64; keepalive_requests 1000000000; }}
           server {{ listen {addr}; location / {{
             proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection \"\";
             proxy_set_header X-Forwarded-For $remote_addr; }} }}
         }}",
        dir = dir.display()
    );
    let path = dir.join("nginx.conf");
    fs::write(&path, config)?;
    let Ok(child) = Command::new("nginx")
        .arg("-c")
        .arg(&path)
        .stdout(Stdio::null())
        .spawn()
    else {
        return Ok(None);
    };
    let process = Process(child);
    until_listening("nginx", addr).await?;
    Ok(Some((process, addr)))
}

async fn until_listening(kind: &str, addr: SocketAddr) -> Result<(), BoxError> {
    timeout(Duration::from_secs(10), async {
        while TcpStream::connect(addr).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .map_err(|_elapsed| format!("{kind} does not listen").into())
}

impl Measured {
    fn new(label: &'static str, (process, addr): (Process, SocketAddr)) -> Self {
        Self {
            label,
            process,
            addr,
            cpu_us: Vec::new(),
            per_second: Vec::new(),
        }
    }

    fn round(&mut self, seconds: u32) -> Result<(), BoxError> {
        // Connections are opened and buffers grown before it counts.
        load(self.addr, 1)?;
        let before = self.cpu_ns()?;
        let (requests, per_second) = load(self.addr, seconds)?;
        let cpu_ns = self.cpu_ns()? - before;
        self.cpu_us.push(cpu_ns as f64 / 1_000.0 / requests);
        self.per_second.push(per_second);
        Ok(())
    }

    /// CPU time over all threads, since each has a line of its own.
    fn cpu_ns(&self) -> Result<u64, BoxError> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.0.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let on_cpu = text.split(' ').next().ok_or("an empty schedstat")?;
            sum += on_cpu.parse::<u64>()?;
        }
        Ok(sum)
    }
}

/// Runs `wrk` and reads how many requests it made, and how many per second.
fn load(addr: SocketAddr, seconds: u32) -> Result<(f64, f64), BoxError> {
    let url = format!("http://{addr}/api/orders/7?x=1");
    let output = Command::new("wrk")
        .args(["-t1", "-c64", "-d", &seconds.to_string(), &url])
        .output()
        .map_err(|error| format!("wrk: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(text.into());
    }
    let number = |before: &str, after: &str| -> Option<f64> {
        let line = text
            .lines()
            .find(|line| line.contains(before) && line.contains(after))?;
        line.split_whitespace().find_map(|word| word.parse().ok())
    };
    let requests = number("requests in", "read").ok_or_else(|| text.clone())?;
    let per_second = number("Requests/sec:", "").ok_or_else(|| text.clone())?;
    Ok((requests, per_second))
}

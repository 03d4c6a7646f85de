//! An upstream process that is killed and comes back, under load.

use std::{
    collections::HashMap,
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use http::{Method, Request};
use http_body_util::BodyExt;
use msf_client::{Client, Error, ServiceClient, ServiceSettings};
use msf_core::{body::Body, name::ServiceName, task};
use msf_registry::{LoadBalancing, Registry, backend::fixed::StaticRegistry};
use msf_resilience::circuit_breaker::CircuitBreakerBuilder;
use tokio::time;

use crate::callee::eventually;

const ADDR: &str = "MSF_TEST_UPSTREAM_ADDR";

/// Another process of this program, which serves until it is killed.
#[test]
#[ignore = "started as a process by the test of outages"]
fn upstream_process() {
    let Ok(addr) = env::var(ADDR) else { return };
    let listener = TcpListener::bind(addr.parse::<SocketAddr>().unwrap()).unwrap();
    println!("\nready");
    for stream in listener.incoming() {
        thread::spawn(move || while serve(stream.as_ref().unwrap()).is_some() {});
    }
}

/// Tells of a request before it does anything about it: what was killed afterwards was received.
fn serve(mut stream: &TcpStream) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_lowercase();
    let field = |name: &str| -> Option<&str> {
        let line = head.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(": ")?.1)
    };
    let length = field("content-length").map_or(0, |it| it.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).ok()?;
    writeln!(io::stdout(), "got {}", field("x-id")?).ok()?;
    thread::sleep(Duration::from_millis(4));
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    stream.write_all(answer).ok()
}

/// How often each request was received, by all processes together.
type Received = Arc<Mutex<HashMap<String, usize>>>;

struct Upstream {
    child: Child,
}

impl Upstream {
    fn start(addr: SocketAddr, received: &Received) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "outage::upstream_process"])
            .args(["--ignored", "--nocapture"])
            .env(ADDR, addr.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_ready = lines.by_ref().any(|line| line.unwrap() == "ready");
        assert!(is_ready, "the process says that it listens");
        let received = received.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(id) = line.strip_prefix("got ") {
                    let mut received = received.lock().unwrap();
                    *received.entry(id.to_owned()).or_default() += 1;
                }
            }
        });
        Self { child }
    }

    /// As `kill -9`.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What became of a request.
struct Outcome {
    id: String,
    error: Option<Error>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Read,
    Keyed,
    Plain,
}

async fn ask(payment: &ServiceClient, kind: Kind, id: String) -> Outcome {
    let method = if kind == Kind::Read {
        Method::GET
    } else {
        Method::POST
    };
    let mut request = Request::builder().method(method).header("x-id", &id);
    if kind == Kind::Keyed {
        request = request.header("idempotency-key", &id);
    }
    let body = if kind == Kind::Read { "" } else { "a charge" };
    let request = request.body(Body::from(body)).unwrap();
    let error = match payment.call(request).await {
        Ok(response) => {
            assert_eq!(response.status(), 200);
            response.into_body().collect().await.err()
        }
        Err(error) => Some(error),
    };
    Outcome { id, error }
}

/// Asks until it is told to stop, one request after the other.
async fn caller(
    payment: ServiceClient,
    kind: Kind,
    number: usize,
    is_over: Arc<AtomicBool>,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let id = format!("{kind:?}-{number}-{}", outcomes.len()).to_lowercase();
        outcomes.push(ask(&payment, kind, id).await);
    }
    outcomes
}

fn free_addr() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_costs_only_what_nobody_may_repeat() {
    let received = Received::default();
    let (mortal, immortal) = (free_addr(), free_addr());
    let mut victim = Upstream::start(mortal, &received);
    let _survivor = Upstream::start(immortal, &received);

    // That the breaker stays out of it is the point: one instance of two dies and not the service.
    let never = |breaker: CircuitBreakerBuilder| breaker.min_calls(1_000);
    let settings = ServiceSettings::new().breaker(never).retry(|retry| retry);
    // Nor is the one that dies taken out of the list, which would spare it the next calls.
    let name = ServiceName::new("payment").unwrap();
    let listed = StaticRegistry::new().addrs(&name, [mortal, immortal]);
    let registry = Registry::builder(listed.unwrap())
        .load_balancing(LoadBalancing::default().without_outliers())
        .build();
    let client = Client::builder(registry.unwrap());
    let client = client.service("payment", settings).build().unwrap();
    let payment = client.service("payment").unwrap();

    let is_over = Arc::new(AtomicBool::new(false));
    let kinds = [Kind::Read, Kind::Keyed, Kind::Plain];
    let callers: Vec<_> = (0..12)
        .map(|number| {
            let kind = kinds[number % kinds.len()];
            let caller = caller(payment.clone(), kind, number, is_over.clone());
            (kind, task::spawn("caller", caller))
        })
        .collect();
    let kills = 3;
    for _ in 0..kills {
        time::sleep(Duration::from_millis(250)).await;
        victim.kill();
        time::sleep(Duration::from_millis(150)).await;
        victim = Upstream::start(mortal, &received);
    }
    time::sleep(Duration::from_millis(150)).await;
    is_over.store(true, Ordering::Relaxed);

    let mut made = HashMap::new();
    let mut broken = Vec::new();
    for (kind, caller) in callers {
        let outcomes = caller.join().await.unwrap();
        *made.entry(format!("{kind:?}")).or_insert(0) += outcomes.len();
        for Outcome { id, error } in outcomes {
            let Some(error) = error else {
                // What was answered was received; the pipe may be behind.
                eventually(|| received.lock().unwrap().contains_key(&id)).await;
                continue;
            };
            assert_eq!(kind, Kind::Plain, "{id} could have been repeated: {error}");
            // It was on its way when the process died, and may have been done.
            assert!(matches!(error, Error::Transport { .. }), "{id}: {error:?}");
            assert!(!error.is_unsent());
            broken.push(id);
        }
    }
    let received = received.lock().unwrap();
    for (id, times) in received.iter() {
        match id.split('-').next() {
            Some("plain") => assert_eq!(*times, 1, "{id} was repeated"),
            _ => assert!(*times <= 3, "{id} was received {times} times"),
        }
    }
    let repeated = received.values().filter(|times| **times > 1).count();
    println!("made {made:?}, received twice {repeated}, broken {broken:?}");
    // At most one request of each of the four callers was under way when the process died.
    assert!(broken.len() <= 4 * kills, "{broken:?}");
    assert!(made.values().all(|made| *made > 20), "{made:?}");
}

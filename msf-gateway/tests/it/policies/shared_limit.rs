//! Gateways that share a limit through a Redis, which is killed and comes back.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use http::Method;
use msf_core::metrics::Metrics;
use msf_gateway::{RunningGateway, config::GatewayConfig};
use tokio::time;

use super::request;
use crate::common::{PATIENCE, send, start};

/// A redis-server on a port of its own, killed when it is dropped.
struct Redis {
    port: u16,
    child: Option<Child>,
}

impl Redis {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut redis = Self { port, child: None };
        redis.restart();
        redis
    }

    /// Empty, on the same port.
    fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let arguments = [
            ["--port", &port],
            ["--bind", "127.0.0.1"],
            ["--save", ""],
            ["--appendonly", "no"],
            ["--logfile", ""],
            ["--dir", "/tmp"],
        ];
        let mut child = Command::new("redis-server")
            .args(arguments.concat())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is on the PATH");
        let log = BufReader::new(child.stdout.take().unwrap());
        self.child = Some(child);
        let mut lines = log.lines().map_while(Result::ok);
        let is_up = lines.any(|line| line.contains("Ready to accept connections"));
        assert!(is_up, "redis-server ended before it accepted connections");
        // Read to the end, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn gateway(&self, limit: &str) -> RunningGateway {
        let text = format!(
            r#"
            [redis]
            url = "redis://127.0.0.1:{}/0"
            timeout = "1s"
            prefix = "gateway:test"
            instances = 2
            [[routes]]
            id = "hello"
            match = {{ path = "/hello" }}
            respond = {{ body = "hello" }}
            shared_rate_limit = {{ {limit} }}
            "#,
            self.port
        );
        let config = GatewayConfig::load("g.toml", &text).unwrap_or_else(|e| panic!("{e}"));
        start(config.build(&Metrics::new()).unwrap())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn ask(gateway: &RunningGateway) -> u16 {
    let answer = send(gateway.addr(), request(Method::GET, "/hello", &[])).await;
    answer.status().as_u16()
}

/// Asks until the answer is this one.
async fn until(gateway: &RunningGateway, status: u16) {
    let asking = async {
        while ask(gateway).await != status {
            time::sleep(Duration::from_millis(50)).await;
        }
    };
    let came = time::timeout(PATIENCE, asking).await;
    came.unwrap_or_else(|_| panic!("never {status}"));
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn two_gateways_share_one_limit() {
    let redis = Redis::start();
    let limit = "requests = 4, per = \"1h\"";
    let (one, two) = (redis.gateway(limit), redis.gateway(limit));
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(ask(&one).await);
        seen.push(ask(&two).await);
    }
    assert_eq!(seen, [200, 200, 200, 200, 429, 429]);
    // Who comes later counts with them, and clients are told what is left.
    let three = redis.gateway(limit);
    let answer = send(three.addr(), request(Method::GET, "/hello", &[])).await;
    assert_eq!(answer.status(), 429);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert!(
        answer.header("ratelimit").unwrap().contains("hello"),
        "{answer:?}"
    );
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn without_redis_each_gateway_counts_its_share_until_it_is_back() {
    let mut redis = Redis::start();
    let limit = "requests = 4, per = \"1h\"";
    let (one, two) = (redis.gateway(limit), redis.gateway(limit));
    assert_eq!((ask(&one).await, ask(&two).await), (200, 200));
    redis.kill();
    // Half of it for each of the two.
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push((ask(&one).await, ask(&two).await));
    }
    assert_eq!(seen, [(200, 200), (200, 200), (429, 429)]);
    // A new Redis knows of nothing: it is the one that counts again, for both of them.
    redis.restart();
    until(&one, 200).await;
    until(&two, 200).await;
}

#[tokio::test]
#[ignore = "needs redis-server on PATH"]
async fn without_redis_a_strict_limit_refuses_and_a_lenient_one_lets_pass() {
    let mut redis = Redis::start();
    let strict =
        redis.gateway("requests = 100, per = \"1h\", name = \"codes\", on_failure = \"refuse\"");
    let lenient =
        redis.gateway("requests = 1, per = \"1h\", name = \"some\", on_failure = \"allow\"");
    assert_eq!((ask(&strict).await, ask(&lenient).await), (200, 200));
    redis.kill();
    assert_eq!((ask(&strict).await, ask(&strict).await), (503, 503));
    assert_eq!((ask(&lenient).await, ask(&lenient).await), (200, 200));
    redis.restart();
    until(&strict, 200).await;
    until(&lenient, 429).await;
}

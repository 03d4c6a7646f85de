//! `examples/layers`: what its first comment says to do with curl, done.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::process::{Answer, PATIENCE, command, get};

/// The example on a free port. Killed when it is dropped.
struct Layers {
    child: Child,
    addr: SocketAddr,
}

impl Layers {
    fn start() -> Self {
        let mut command = command("layers");
        let mut child = command.arg("0").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        let addr = line.trim().strip_prefix("listening on http://");
        let addr = addr.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        Self { child, addr }
    }

    fn get(&self, target: &str) -> Answer {
        get(self.addr, target, "")
    }

    /// What the list of policies says of one.
    fn policy(&self, kind: &str) -> Value {
        let policies = self.get("/policies").json();
        let mut policies = policies.as_array().unwrap().iter();
        let found = policies.find(|policy| policy["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}")).clone()
    }
}

impl Drop for Layers {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn the_breaker_trips_and_recovers() {
    let layers = Layers::start();
    assert_eq!(layers.policy("circuit_breaker")["state"], "closed");
    for _ in 0..4 {
        assert_eq!(layers.get("/report?broken").status, 500);
    }
    let refused = layers.get("/report");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.json()["code"], "breaker_open");
    assert_eq!(layers.policy("circuit_breaker")["state"], "open");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3).contains(&wait), "{wait}");

    thread::sleep(Duration::from_secs(wait));
    for _ in 0..2 {
        assert_eq!(layers.get("/report").body, "all is well\n");
    }
    assert_eq!(layers.policy("circuit_breaker")["state"], "closed");
}

#[test]
fn the_bulkhead_takes_two_at_a_time() {
    let layers = Layers::start();
    let mut statuses: Vec<_> = thread::scope(|scope| {
        let calls: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| layers.get("/slow")))
            .collect();
        let answers = calls.into_iter().map(|call| call.join().unwrap());
        answers.map(|answer| answer.status).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503]);
    assert_eq!(layers.get("/slow").body, "done\n");
}

#[test]
fn the_limit_ends_a_burst_and_the_list_is_not_limited() {
    let layers = Layers::start();
    let started = tokio::time::Instant::now();
    let limited = loop {
        let answer = layers.get("/report");
        if answer.status != 200 {
            break answer;
        }
        assert!(started.elapsed() < PATIENCE, "no end of the burst");
    };
    assert_eq!(limited.status, 429);
    assert_eq!(limited.header("retry-after"), Some("1"));
    assert_eq!(limited.json()["code"], "rate_limited");
    assert_eq!(layers.get("/policies").status, 200);
}

//! What watching costs by each of the ways that the protocol has.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what it calls"
)]

use std::time::Duration;

use msf_core::{clock, task};
use msf_registry::{Registrar, Status};
use reqwest::Client;
use serde_json::Value;

use crate::setup::{Running, eventually, instance, payment, start};

const WATCHERS: usize = 100;
const INSTANCES: u16 = 200;
const CHANGES: usize = 50;

#[derive(Clone, Copy, Debug)]
enum Way {
    PollWhole,
    PollChanges,
    Events,
}

/// Run with `--ignored --nocapture cost`; prints CPU time and bytes per change and watcher.
#[tokio::test]
#[ignore = "measures and takes half a minute"]
async fn the_cost_of_each_way_to_watch() {
    for way in [Way::PollWhole, Way::PollChanges, Way::Events] {
        let server = start(0);
        let mut leases = Vec::new();
        for n in 0..INSTANCES {
            let hour = Duration::from_secs(600);
            leases.push(server.memory.put(&instance(n), hour).await.unwrap());
        }
        eventually("it is warm", async || server.memory.is_warm()).await;
        let seen = std::sync::Arc::new(std::sync::Mutex::new(vec![(0_u64, 0_usize); WATCHERS]));
        let mut tasks = Vec::new();
        for watcher in 0..WATCHERS {
            let (base, seen) = (format!("http://{}", server.addr), seen.clone());
            tasks.push(task::spawn("watcher", async move {
                let note = |revision: u64, bytes: usize| {
                    let mut seen = seen.lock().unwrap();
                    seen[watcher].0 = revision;
                    seen[watcher].1 += bytes;
                };
                watch(way, &base, note).await;
            }));
        }
        let revision = |server: &Running| {
            let memory = server.memory.clone();
            async move {
                use msf_registry::Discovery;
                memory.fetch(&payment()).await.unwrap().cursor().revision()
            }
        };
        let all_saw = async |server: &Running| {
            let now = revision(server).await;
            eventually("all saw it", async || {
                seen.lock().unwrap().iter().all(|(at, _)| *at >= now)
            })
            .await;
        };
        all_saw(&server).await;
        let before: usize = seen.lock().unwrap().iter().map(|(_, bytes)| bytes).sum();
        let (cpu, begun) = (cpu_ms(), clock::now());
        for n in 0..CHANGES {
            let status = if n % 2 == 0 {
                Status::Degraded
            } else {
                Status::Up
            };
            server.memory.set_status(&leases[7], status).unwrap();
            all_saw(&server).await;
        }
        let (cpu, took) = (cpu_ms() - cpu, clock::now() - begun);
        let after: usize = seen.lock().unwrap().iter().map(|(_, bytes)| bytes).sum();
        let told = (WATCHERS * CHANGES) as f64;
        println!(
            "{way:?}: {:.0} us of CPU and {:.0} bytes of body for each watcher and change; {took:?} in all",
            cpu as f64 * 1_000.0 / told,
            (after - before) as f64 / told,
        );
        drop(tasks);
        server.stop().await;
    }
}

async fn watch(way: Way, base: &str, note: impl Fn(u64, usize)) {
    let client = Client::builder().no_proxy().build().unwrap();
    let url = format!("{base}/v1/services/payment");
    let first = client
        .get(&url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let state: Value = serde_json::from_slice(&first).unwrap();
    let (epoch, mut revision) = (state["epoch"].as_str().unwrap().to_owned(), 0);
    if let Way::Events = way {
        let request = client.get(&url).header("accept", "text/event-stream");
        let mut answer = request.send().await.unwrap();
        let mut text = String::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                if let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) {
                    let data: Value = serde_json::from_str(data).unwrap();
                    note(data["revision"].as_u64().unwrap(), event.len());
                }
            }
        }
        return;
    }
    loop {
        let delta = if let Way::PollChanges = way {
            "&delta=1"
        } else {
            ""
        };
        let asked = format!("{url}?epoch={epoch}&after={revision}&wait_ms=20000{delta}");
        let Ok(answer) = client.get(asked).send().await else {
            return;
        };
        let Ok(body) = answer.bytes().await else {
            return;
        };
        let Ok(data) = serde_json::from_slice::<Value>(&body) else {
            continue;
        };
        revision = data["revision"].as_u64().unwrap();
        note(revision, body.len());
    }
}

/// User and system time of this process so far.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |n: usize| fields[n].parse::<u64>().expect("it is a number");
    (ticks(11) + ticks(12)) * 10
}

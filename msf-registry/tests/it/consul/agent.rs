//! A real Consul agent in development mode, on ports of its own: `consul` on PATH, or what `CONSUL_BIN` names.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use msf_core::clock;
use msf_registry::backend::consul::{ConsulRegistry, ConsulRegistryBuilder};
use serde_json::Value;

/// Killed when it is dropped. It keeps everything in memory.
pub(super) struct Agent {
    ports: [u16; 4],
    child: Option<Child>,
}

impl Agent {
    pub(super) async fn start() -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let listeners = [free(), free(), free(), free()];
        let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
        let ports = [0, 1, 2, 3].map(|n| port(&listeners[n]));
        drop(listeners);
        let mut agent = Self { ports, child: None };
        agent.up().await;
        agent
    }

    /// Starts it on the same ports, without memory.
    pub(super) async fn up(&mut self) {
        self.kill();
        let [http, server, serf_lan, serf_wan] = self.ports.map(|port| port.to_string());
        let program = std::env::var_os("CONSUL_BIN").unwrap_or_else(|| "consul".into());
        let child = Command::new(program)
            .args([
                "agent",
                "-dev",
                "-bind",
                "127.0.0.1",
                "-client",
                "127.0.0.1",
            ])
            .args(["-dns-port", "-1", "-grpc-port", "-1", "-log-level", "err"])
            .args(["-http-port", &http, "-server-port", &server])
            .args(["-serf-lan-port", &serf_lan, "-serf-wan-port", &serf_wan])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("consul is on the PATH");
        self.child = Some(child);
        let deadline = clock::now() + Duration::from_secs(30);
        // Its own service is listed when it leads and is in sync.
        while self
            .get("health/service/consul?passing")
            .await
            .is_none_or(|found| found == "[]")
        {
            assert!(clock::now() < deadline, "consul does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As `kill -9`.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it was killed");
        }
    }

    pub(super) fn builder(&self) -> ConsulRegistryBuilder {
        ConsulRegistry::builder(format!("http://127.0.0.1:{}", self.ports[0]))
            .wait(Duration::from_secs(2))
            .timeout(Duration::from_secs(1))
    }

    /// A client, and nothing registered.
    pub(super) async fn emptied(&self) -> ConsulRegistry {
        let held = self.get("agent/services").await.expect("it answers");
        let held: Value = serde_json::from_str(&held).expect("it is JSON");
        for id in held.as_object().expect("by their ids").keys() {
            self.put(&format!("agent/service/deregister/{id}"), "")
                .await;
        }
        self.builder().build().expect("the settings are good")
    }

    pub(super) async fn put(&self, path: &str, body: &str) {
        let url = format!("http://127.0.0.1:{}/v1/{path}", self.ports[0]);
        let request = reqwest::Client::new().put(url).body(body.to_owned());
        let answer = request.send().await.expect("it answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    async fn get(&self, path: &str) -> Option<String> {
        let url = format!("http://127.0.0.1:{}/v1/{path}", self.ports[0]);
        let answer = reqwest::get(url).await.ok()?.error_for_status().ok()?;
        answer.text().await.ok()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
    }
}

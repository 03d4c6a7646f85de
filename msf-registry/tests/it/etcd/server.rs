//! A real etcd on ports of its own, in a directory of its own.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use msf_core::clock;
use msf_registry::backend::etcd::{EtcdRegistry, EtcdRegistryBuilder};
use serde_json::{Value, json};

/// Killed when it is dropped, and its data with it.
pub(super) struct Etcd {
    port: u16,
    peer_port: u16,
    data: PathBuf,
    child: Option<Child>,
}

impl Etcd {
    pub(super) async fn start() -> Self {
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            listener.local_addr().expect("it is bound").port()
        };
        let (port, peer_port) = (free(), free());
        let name = format!("msf-etcd-{}-{port}", std::process::id());
        let mut etcd = Self {
            port,
            peer_port,
            data: std::env::temp_dir().join(name),
            child: None,
        };
        etcd.up().await;
        etcd
    }

    /// Starts it on the same ports, with the data that it has.
    pub(super) async fn up(&mut self) {
        self.kill();
        let client = self.url();
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let cluster = format!("default={peer}");
        let data = self.data.display().to_string();
        let arguments = [
            ["--data-dir", &data],
            ["--listen-client-urls", &client],
            ["--advertise-client-urls", &client],
            ["--listen-peer-urls", &peer],
            ["--initial-advertise-peer-urls", &peer],
            ["--initial-cluster", &cluster],
            // It grants no lease that is shorter than one and a half elections, in whole seconds.
            ["--heartbeat-interval", "50"],
            ["--election-timeout", "500"],
            ["--log-level", "error"],
        ];
        let child = Command::new("etcd")
            .args(arguments.concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd is on the PATH");
        self.child = Some(child);
        let deadline = clock::now() + Duration::from_secs(20);
        // A write, since it answers before it has a leader.
        while self
            .try_post("lease/grant", &json!({ "TTL": "1" }))
            .await
            .is_none()
        {
            assert!(clock::now() < deadline, "etcd does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// As `kill -9`.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it was killed");
        }
    }

    /// Deletes all that it knows; it must have been killed.
    pub(super) fn lose_memory(&self) {
        assert!(self.child.is_none(), "it would write it again");
        fs::remove_dir_all(&self.data).expect("it had data");
    }

    /// Neither answers nor closes anything until [`resume`](Self::resume).
    pub(super) fn hang(&self) {
        self.signal("STOP");
    }

    pub(super) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(status.expect("kill is on the PATH").success());
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn builder(&self) -> EtcdRegistryBuilder {
        EtcdRegistry::builder(self.url())
    }

    /// A client that vouches for its lists at once.
    pub(super) fn registry(&self, prefix: &str) -> EtcdRegistry {
        let builder = self.builder().prefix(prefix).warm_up(Duration::ZERO);
        builder.build().expect("the settings are good")
    }

    /// What the test itself asks of it.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.try_post(path, body).await;
        answer.unwrap_or_else(|| panic!("{path} {body} failed"))
    }

    async fn try_post(&self, path: &str, body: &Value) -> Option<Value> {
        let request = reqwest::Client::new()
            .post(format!("{}/v3/{path}", self.url()))
            .timeout(Duration::from_secs(5))
            .body(body.to_string());
        let answer = request.send().await.ok()?.error_for_status().ok()?;
        let text = answer.text().await.ok()?;
        serde_json::from_str(&text).ok()
    }

    /// How many leases keep an instance listed.
    pub(super) async fn leases_with_keys(&self) -> usize {
        let leases = self.post("lease/leases", &json!({})).await;
        let mut count = 0;
        for lease in leases["leases"].as_array().into_iter().flatten() {
            let question = json!({ "ID": lease["ID"], "keys": true });
            let about = self.post("lease/timetolive", &question).await;
            count += usize::from(
                about["keys"]
                    .as_array()
                    .is_some_and(|keys| !keys.is_empty()),
            );
        }
        count
    }

    pub(super) async fn revision(&self) -> u64 {
        let answer = self.post("kv/range", &json!({ "key": "YQ==" })).await;
        let revision = answer["header"]["revision"].as_str();
        revision
            .and_then(|text| text.parse().ok())
            .expect("it has one")
    }

    /// Forgets its history up to now.
    pub(super) async fn compact(&self) {
        let revision = self.revision().await;
        let compaction = json!({ "revision": revision.to_string(), "physical": true });
        self.post("kv/compaction", &compaction).await;
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
        drop(fs::remove_dir_all(&self.data));
    }
}

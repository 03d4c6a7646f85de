//! A real redis-server on a port of its own.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use super::super::{
    super::{quota::Quota, store::Demand},
    RedisStore, RedisStoreBuilder,
};

/// Killed when it is dropped, stopped or not.
pub(super) struct Server {
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts one that keeps nothing on disk, and returns when it accepts connections.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut server = Self { port, child: None };
        server.restart();
        server
    }

    /// Starts it again, empty, on the same port.
    pub(super) fn restart(&mut self) {
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
        // It says so when its socket is open; the rest of its log is read so that it never waits for us.
        let mut lines = log.lines().map_while(Result::ok);
        let is_up = lines.any(|line| line.contains("Ready to accept connections"));
        assert!(is_up, "redis-server ended before it accepted connections");
        std::thread::spawn(move || lines.for_each(drop));
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Neither answers nor closes anything until [`resume`](Self::resume).
    pub(super) fn hang(&self) {
        self.signal("STOP");
    }

    pub(super) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(status.unwrap().success());
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(super) fn store(&self) -> RedisStoreBuilder {
        RedisStore::builder(self.url())
    }

    /// A connection of the test's own.
    pub(super) async fn client(&self) -> ::redis::aio::MultiplexedConnection {
        let client = ::redis::Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A key that no other test uses.
pub(super) fn fresh(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{name}:{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(super) fn hourly(key: &str, requests: u32) -> [Demand<'_>; 1] {
    [Demand::new(key, Quota::per_hour(requests), 1)]
}

//! The load: `wrk`, and `h2load` for HTTP/2.

use std::{fs, net::SocketAddr, path::PathBuf};

use msf_core::BoxError;

use super::process::{LOAD_CORE, pinned};

/// One kind of load.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What it is called.
    pub name: &'static str,
    connections: usize,
    path: &'static str,
    post_bytes: usize,
    /// Whether `h2load` makes it.
    pub over_http2: bool,
}

/// Every kind.
pub const RUNS: &[Run] = &[
    Run::get("64 connections, 128 bytes", 64, "/api/orders/7?x=1"),
    Run::get("8 connections, 128 bytes", 8, "/api/orders/7?x=1"),
    Run::get("64 connections, 16 KiB", 64, "/api/orders/large"),
    Run {
        post_bytes: 4096,
        ..Run::get("64 connections, POST of 4 KiB", 64, "/api/orders")
    },
    Run {
        over_http2: true,
        ..Run::get("HTTP/2, 8 connections x 8 streams", 8, "/api/orders/7?x=1")
    },
];

/// What one round of load saw.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "only the harnesses of this crate make and read it"
)]
pub struct Seen {
    /// Answered requests.
    pub requests: f64,
    /// Answered requests per second.
    pub per_second: f64,
    /// In milliseconds.
    pub p50: f64,
    /// In milliseconds.
    pub p99: f64,
}

impl Run {
    /// Requests over so many connections, each after the answer to the one before.
    #[must_use]
    pub const fn get(name: &'static str, connections: usize, path: &'static str) -> Self {
        Self {
            name,
            connections,
            path,
            post_bytes: 0,
            over_http2: false,
        }
    }

    /// Puts load on a proxy for some seconds.
    ///
    /// # Errors
    ///
    /// When a request fails, or the program that makes it is not there.
    pub fn load(
        self,
        addr: SocketAddr,
        token: Option<&str>,
        seconds: u32,
    ) -> Result<Seen, BoxError> {
        let url = format!("http://{addr}{}", self.path);
        if self.over_http2 {
            h2load(&url, self.connections, token, seconds)
        } else {
            self.wrk(&url, token, seconds)
        }
    }

    fn wrk(self, url: &str, token: Option<&str>, seconds: u32) -> Result<Seen, BoxError> {
        let mut command = pinned(LOAD_CORE, "wrk");
        let connections = format!("-c{}", self.connections);
        command.args(["-t1", &connections, "-d", &seconds.to_string(), "--latency"]);
        let script = scratch("post.lua");
        if self.post_bytes > 0 {
            let lua = format!(
                "wrk.method = 'POST' wrk.body = string.rep('x', {})",
                self.post_bytes
            );
            fs::write(&script, lua)?;
            command.arg("-s").arg(&script);
        }
        if let Some(token) = token {
            command.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        let output = command
            .arg(url)
            .output()
            .map_err(|error| format!("wrk: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(text.into_owned().into());
        }
        let seen = wrk_report(&text);
        Ok(seen.ok_or_else(|| format!("wrk says: {text}"))?)
    }
}

fn wrk_report(text: &str) -> Option<Seen> {
    let after = |label: &str| {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(label))?;
        line.trim_start()
            .strip_prefix(label)?
            .split_whitespace()
            .next()
    };
    let line = text.lines().find(|line| line.contains("requests in"))?;
    Some(Seen {
        requests: line.split_whitespace().next()?.parse().ok()?,
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50: millis(after("50%")?)?,
        p99: millis(after("99%")?)?,
    })
}

/// `812.00us`, `1.23ms` or `1.02s` in milliseconds.
fn millis(text: &str) -> Option<f64> {
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Some(number.parse::<f64>().ok()? * factor);
        }
    }
    None
}

fn h2load(
    url: &str,
    connections: usize,
    token: Option<&str>,
    seconds: u32,
) -> Result<Seen, BoxError> {
    let log = scratch("h2load.log");
    // It appends.
    if log.exists() {
        fs::remove_file(&log)?;
    }
    let mut command = pinned(LOAD_CORE, "h2load");
    command
        .args(["-t1", &format!("-c{connections}"), "-m8"])
        .args(["--duration", &seconds.to_string()])
        .arg(format!("--log-file={}", log.display()));
    if let Some(token) = token {
        command.args(["-H", &format!("authorization: Bearer {token}")]);
    }
    let output = command
        .arg(url)
        .output()
        .map_err(|error| format!("h2load: {error}"))?;
    // Start, status and microseconds of each request.
    let lines = fs::read_to_string(&log)?;
    let mut took_us = Vec::new();
    for line in lines.lines() {
        let mut fields = line.split('\t').skip(1);
        if fields.next() != Some("200") {
            let text = String::from_utf8_lossy(&output.stdout);
            return Err(format!("a request failed: {line}\n{text}").into());
        }
        took_us.extend(fields.next().and_then(|us| us.parse::<u32>().ok()));
    }
    took_us.sort_unstable();
    let percentile = |percent: usize| {
        let at = took_us.len() * percent / 100;
        took_us.get(at).map(|us| f64::from(*us) / 1_000.0)
    };
    let requests = took_us.len() as f64;
    Ok(Seen {
        requests,
        per_second: requests / f64::from(seconds),
        p50: percentile(50).ok_or("h2load made no request")?,
        p99: percentile(99).ok_or("h2load made no request")?,
    })
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("msf-gateway-compare-{}-{name}", std::process::id()))
}

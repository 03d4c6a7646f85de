//! Configuration from the outside: precedence, every kind of problem word for word, and that no
//! secret gets out.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod command;
mod files;
mod layers;
mod problems;
mod properties;
mod resolve;
mod secrets;

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf, time::Duration};

use msf_core::config::{Config, Loader, Plain, Problems, Secret};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    server: Server,
    log: Log,
    tls: Option<Tls>,
    routes: Vec<Route>,
    weights: BTreeMap<String, u8>,
    ratio: f64,
    tags: Vec<String>,
    label: Option<String>,
    level: Option<u8>,
    verbose: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Server {
    bind: SocketAddr,
    workers: u16,
    #[serde(with = "msf_core::config::duration")]
    header_timeout: Duration,
    #[serde(with = "msf_core::config::size")]
    body_max: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            bind: ([127, 0, 0, 1], 8080).into(),
            workers: 2,
            header_timeout: Duration::from_secs(5),
            body_max: 1 << 20,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Log {
    #[default]
    Pretty,
    Json,
    File {
        path: String,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Tls {
    cert_file: String,
    key_file: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Route {
    path: String,
    #[serde(default)]
    weight: u8,
}

/// Loads what must be valid.
fn load(loader: &Loader) -> Settings {
    loader
        .load::<Plain<Settings>>()
        .unwrap()
        .into_loaded()
        .unwrap()
        .settings
}

/// The lines of the report between the first and the last.
fn problems<C: Config>(loader: &Loader) -> Vec<String> {
    let Err(error) = loader.load::<C>() else {
        panic!("it must not load")
    };
    assert_eq!(format!("{error:?}"), error.to_string());
    let text = error.to_string();
    assert!(
        text.starts_with("the configuration has ")
            && text.ends_with("\nrun with --help for every key")
    );
    let lines: Vec<_> = text
        .lines()
        .skip(1)
        .map(|line| line.trim().to_owned())
        .collect();
    lines[..lines.len() - 1].to_vec()
}

fn file(text: &str) -> Loader {
    Loader::new().file_text("a.toml", text)
}

/// A directory of this test's own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("msf-config-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct Pool {
    min: u32,
    max: u32,
    hosts: Vec<String>,
    nested: Server,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            min: 1,
            max: 8,
            hosts: vec!["a:1".into()],
            nested: Server::default(),
        }
    }
}

impl Config for Pool {
    type Resolved = Vec<SocketAddr>;

    fn resolve(self, problems: &mut Problems<'_>) -> Option<Self::Resolved> {
        if self.min > self.max {
            problems.report(
                "max",
                format_args!("must be at least min, which is {}", self.min),
            );
        }
        let mut nested = problems.nested("nested");
        if self.nested.workers == 0 {
            nested.report("workers", "must be at least 1");
        }
        let hosts = self.hosts.iter().enumerate();
        let hosts: Vec<_> = hosts
            .map(|(index, host)| problems.check(&format!("hosts[{index}]"), host.parse()))
            .collect();
        hosts.into_iter().collect()
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Secrets {
    token: Secret<String>,
    pin: Option<Secret<u32>>,
    keys: Vec<Secret<String>>,
    by_user: BTreeMap<String, Secret<String>>,
    store: Store,
    database: Option<Database>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Store {
    #[default]
    Memory,
    Redis {
        password: Secret<String>,
        keys: Vec<Secret<String>>,
        name: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Database {
    password: Secret<String>,
}

//! The shop: real processes, killed for real.

mod demo;
mod ends;
mod hostile;
mod kill;
mod starts;
mod walk;

use std::{
    collections::BTreeMap,
    fs, io,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::process::{Answer, PATIENCE, command, send};

/// A running shop. Killed when it is dropped; its services end with it.
struct Shop {
    child: Child,
    lines: Receiver<String>,
    ready: Value,
    /// What it printed before it was ready.
    welcome: Vec<String>,
}

impl Shop {
    /// Starts a shop on a free port and waits until it is ready.
    fn start(args: &[&str]) -> Self {
        Self::run(command("shop"), args)
    }

    fn run(mut program: Command, args: &[&str]) -> Self {
        let mut child = program
            .args(["--port", "0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut shop = Self {
            child,
            lines,
            ready: Value::Null,
            welcome: Vec::new(),
        };
        shop.ready = loop {
            let line = shop.line();
            if line.starts_with('{') {
                break serde_json::from_str(&line).unwrap();
            }
            shop.welcome.push(line);
        };
        assert_eq!(shop.ready["event"], "ready");
        shop
    }

    fn line(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        line.unwrap_or_else(|_| panic!("no more lines after {:#?}", self.welcome))
    }

    /// Waits for a line that holds `part`.
    fn says(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.line();
            if line.contains(part) {
                return line;
            }
            // A shop in trouble talks for ever.
            assert!(
                Instant::now() < deadline,
                "it says {line:?} and not {part:?}"
            );
        }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where the gateway is.
    fn gateway(&self) -> SocketAddr {
        self.url().trim_start_matches("http://").parse().unwrap()
    }

    fn url(&self) -> &str {
        self.ready["url"].as_str().unwrap()
    }

    fn data(&self) -> PathBuf {
        self.ready["data"].as_str().unwrap().into()
    }

    /// Where every service was at the start.
    fn addresses(&self) -> Vec<SocketAddr> {
        let services = self.ready["services"].as_array().unwrap();
        let addrs = services.iter().map(|service| service["addr"].as_str());
        addrs.map(|addr| addr.unwrap().parse().unwrap()).collect()
    }

    /// Where an instance was at the start.
    fn address(&self, instance: &str) -> SocketAddr {
        let services = self.ready["services"].as_array().unwrap();
        let mut services = services.iter();
        let found = services.find(|service| service["instance"] == instance);
        found.unwrap()["addr"].as_str().unwrap().parse().unwrap()
    }

    /// The processes of the services that run now: instance and process id.
    fn processes(&self) -> BTreeMap<String, u32> {
        children(self.pid())
    }

    fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn post(&self, path: &str, headers: &str, body: &Value) -> Answer {
        send(self.gateway(), "POST", path, headers, &body.to_string()).unwrap()
    }

    fn get(&self, path: &str, headers: &str) -> Answer {
        send(self.gateway(), "GET", path, headers, "").unwrap()
    }

    /// Signs in and returns the header that says so.
    fn login(&self, email: &str, password: &str) -> String {
        let login = json!({ "email": email, "password": password });
        let answer = self.post("/api/users/login", "", &login);
        assert_eq!(answer.status, 200, "{answer:?}");
        bearer(&answer)
    }

    fn ada(&self) -> String {
        self.login("ada@example.com", "lovelace-1815")
    }

    fn grace(&self) -> String {
        self.login("grace@example.com", "hopper-1906")
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The header that carries the token of an answer.
fn bearer(answer: &Answer) -> String {
    let answer = answer.json();
    format!(
        "authorization: Bearer {}\r\n",
        answer["token"].as_str().unwrap()
    )
}

/// The body of an order of some pieces of a product.
fn order(product: i64, quantity: u32, card: &str) -> Value {
    json!({
        "items": [{ "product_id": product, "quantity": quantity }],
        "payment": { "payment_method": "card", "card_token": card },
    })
}

/// `shop --audit`: whether the four databases agree, and what it says.
fn audit(data: &std::path::Path) -> (bool, String) {
    let output = command("shop").arg("--audit").arg(data).output().unwrap();
    let mut said = String::from_utf8(output.stdout).unwrap();
    said += &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), said)
}

fn signal(pid: u32, name: &str) {
    let kill = Command::new("kill").args([name, &pid.to_string()]).output();
    assert!(kill.unwrap().status.success(), "{name} {pid}");
}

/// The services that a process has started: instance and process id.
fn children(parent: u32) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        // Processes come and go while the list is read.
        if let Some(pid) = pid
            && let Ok(Some(instance)) = instance_of(pid, parent)
        {
            found.insert(instance, pid);
        }
    }
    found
}

/// The instance that a process is, if it is a living child of `parent`.
fn instance_of(pid: u32, parent: u32) -> io::Result<Option<String>> {
    // "pid (name) state ppid …"; a name may hold anything, so the last ')' counts.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let mut fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let state = fields.next();
    let ours = fields.next().and_then(|ppid| ppid.parse().ok()) == Some(parent);
    if !ours || state == Some("Z") {
        return Ok(None);
    }
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline"))?;
    let mut args = line.split('\0');
    Ok(args
        .find(|arg| *arg == "--instance")
        .and_then(|_| args.next())
        .map(str::to_owned))
}

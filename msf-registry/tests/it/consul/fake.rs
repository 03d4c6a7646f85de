//! A Consul of one node in this process, which answers as 1.8 does: written after what the real one was seen
//! to say. It can lose its memory and its leader.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use msf_core::{
    clock,
    server::{Body, DrainPlan, Listener, Server},
    task::{self, Task},
};
use msf_registry::backend::consul::{ConsulRegistry, ConsulRegistryBuilder};
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until},
};

/// Clones share it; it stops when the last one is dropped.
#[derive(Clone)]
pub(super) struct Fake {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _running: Arc<(oneshot::Sender<()>, Task<()>)>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    index: u64,
    services: BTreeMap<String, Held>,
    /// When the last instance of a service left.
    extinct: BTreeMap<String, u64>,
    token: Option<String>,
    has_no_leader: bool,
    questions: usize,
}

struct Held {
    registration: Value,
    created: u64,
    modified: u64,
    checks: BTreeMap<String, Check>,
}

struct Check {
    status: &'static str,
    ttl: Duration,
    lapses_at: Instant,
}

type Answer = (StatusCode, Option<u64>, String);

impl Fake {
    pub(super) fn start() -> Self {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
        let addr = listener.local_addr();
        let shared = Arc::new(Shared::default());
        shared.state().index = 10;
        let (stop, stopped) = oneshot::channel::<()>();
        let state = shared.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let state = state.clone();
            async move { Ok::<_, Infallible>(state.answer(request).await) }
        });
        let task = task::spawn("consul", async move {
            let end = async { drop(stopped.await) };
            let plan = DrainPlan::new(Duration::ZERO, Duration::ZERO);
            let served = Server::new()
                .serve_until(listener, service, end, plan)
                .await;
            served.expect("it served");
        });
        Self {
            addr,
            shared,
            _running: Arc::new((stop, task)),
        }
    }

    pub(super) fn builder(&self) -> ConsulRegistryBuilder {
        ConsulRegistry::builder(format!("http://{}", self.addr))
            .wait(Duration::from_secs(2))
            .timeout(Duration::from_secs(1))
    }

    pub(super) fn registry(&self) -> ConsulRegistry {
        self.builder().build().expect("the settings are good")
    }

    /// As after a restart of everything without its data. Who waits is cut off.
    pub(super) fn lose_memory(&self) {
        let mut state = self.shared.state();
        state.index = 5;
        state.services.clear();
        state.extinct.clear();
        drop(state);
        self.shared.changed.notify_waiters();
    }

    pub(super) fn lose_leader(&self, is_lost: bool) {
        self.shared.state().has_no_leader = is_lost;
        self.shared.changed.notify_waiters();
    }

    pub(super) fn demand_token(&self, token: &str) {
        self.shared.state().token = Some(token.to_owned());
    }

    /// How many questions for instances were asked so far.
    pub(super) fn questions(&self) -> usize {
        self.shared.state().questions
    }

    /// How many checks keep an instance listed.
    pub(super) fn passing(&self) -> usize {
        let state = self.shared.state();
        let checks = state
            .services
            .values()
            .flat_map(|held| held.checks.values());
        checks.filter(|check| check.status == "passing").count()
    }

    /// Registers as somebody else would.
    pub(super) fn register(&self, registration: Value) {
        let answer = self.shared.state().register(registration);
        assert_eq!(answer.0, StatusCode::OK);
        self.shared.changed.notify_waiters();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let token = parts.headers.get("x-consul-token");
        let token = token
            .and_then(|token| token.to_str().ok())
            .map(str::to_owned);
        let body = body.collect().await.expect("it is sent whole").to_bytes();
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or("").to_owned();
        let is_allowed = {
            let state = self.state();
            state.token.is_none() || state.token == token
        };
        let (status, index, text) = if !is_allowed {
            (StatusCode::FORBIDDEN, None, "Permission denied".to_owned())
        } else if let Some(name) = path.strip_prefix("/v1/health/service/") {
            self.wait_for(name, &query).await
        } else {
            let answer = self.state().other(&parts.method, &path, &body);
            self.changed.notify_waiters();
            answer
        };
        let mut answer = Response::new(Body::from(text));
        *answer.status_mut() = status;
        if let Some(index) = index {
            answer.headers_mut().insert("x-consul-index", index.into());
        }
        answer
    }

    async fn wait_for(&self, name: &str, query: &str) -> Answer {
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let after: u64 = value("index").map_or(0, |index| index.parse().expect("it is a number"));
        let wait = value("wait").and_then(|wait| wait.strip_suffix("ms")?.parse().ok());
        let deadline = clock::now() + Duration::from_millis(wait.unwrap_or(300_000));
        self.state().questions += 1;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = clock::now();
            let (look, next) = {
                let mut state = self.state();
                state.lapse(now);
                (state.look(name), state.next_lapse())
            };
            let is_due = now >= deadline || look.1.is_none_or(|index| index > after);
            if after == 0 || is_due {
                return look;
            }
            tokio::select! {
                () = changed => {}
                () = sleep_until(next.map_or(deadline, |next| next.min(deadline))) => {}
            }
        }
    }
}

impl State {
    fn lapse(&mut self, now: Instant) {
        for held in self.services.values_mut() {
            for check in held.checks.values_mut() {
                if check.status != "critical" && check.lapses_at <= now {
                    check.status = "critical";
                    self.index += 1;
                    held.modified = self.index;
                }
            }
        }
    }

    fn next_lapse(&self) -> Option<Instant> {
        let checks = self.services.values().flat_map(|held| held.checks.values());
        let alive = checks.filter(|check| check.status != "critical");
        alive.map(|check| check.lapses_at).min()
    }

    fn look(&self, name: &str) -> Answer {
        if self.has_no_leader {
            let text = "No cluster leader".to_owned();
            return (StatusCode::INTERNAL_SERVER_ERROR, None, text);
        }
        let of_service = |held: &&Held| held.registration["Name"] == name;
        let found: Vec<&Held> = self.services.values().filter(of_service).collect();
        let index = found.iter().map(|held| held.modified).max();
        let index = index
            .max(self.extinct.get(name).copied())
            .unwrap_or(self.index);
        let entries: Vec<Value> = found.into_iter().map(Held::entry).collect();
        (StatusCode::OK, Some(index), json!(entries).to_string())
    }

    fn other(&mut self, method: &Method, path: &str, body: &[u8]) -> Answer {
        self.lapse(clock::now());
        let ok = |text: String| (StatusCode::OK, None, text);
        if path == "/v1/catalog/services" {
            let names = self
                .services
                .values()
                .map(|held| &held.registration["Name"]);
            let mut names: BTreeMap<&str, [(); 0]> = names
                .filter_map(|name| Some((name.as_str()?, [])))
                .collect();
            names.insert("consul", []);
            return ok(json!(names).to_string());
        }
        if path == "/v1/agent/service/register" {
            assert_eq!(method, Method::PUT);
            return match serde_json::from_slice(body) {
                Ok(registration) => self.register(registration),
                Err(error) => (
                    StatusCode::BAD_REQUEST,
                    None,
                    format!("Request decode failed: {error}"),
                ),
            };
        }
        for verb in ["pass", "warn"] {
            if let Some(id) = path.strip_prefix(&format!("/v1/agent/check/{verb}/")) {
                return self.renew(id, if verb == "pass" { "passing" } else { "warning" });
            }
        }
        if let Some(id) = path.strip_prefix("/v1/agent/service/deregister/") {
            if let Some(held) = self.services.remove(id) {
                self.index += 1;
                let name = held.registration["Name"].as_str().expect("it has one");
                self.extinct.insert(name.to_owned(), self.index);
            }
            return ok(String::new());
        }
        if let Some(id) = path.strip_prefix("/v1/agent/service/") {
            return match self.services.get(id) {
                Some(held) => ok(held.registration.to_string()),
                None => (
                    StatusCode::NOT_FOUND,
                    None,
                    format!("unknown service ID: {id}"),
                ),
            };
        }
        (StatusCode::NOT_FOUND, None, String::new())
    }

    fn register(&mut self, registration: Value) -> Answer {
        let bad = |text: &str| (StatusCode::BAD_REQUEST, None, text.to_owned());
        let Some(name) = registration["Name"].as_str().map(str::to_owned) else {
            return bad("Missing service name");
        };
        let meta = registration["Meta"].as_object().into_iter().flatten();
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let is_bad = |(key, value): (&String, &Value)| {
            !key.bytes().all(is_plain)
                || key.is_empty()
                || key.len() > 128
                || value.as_str().is_none_or(|value| value.len() > 512)
        };
        if meta.clone().count() > 64 || meta.into_iter().any(is_bad) {
            return bad("Invalid Service Meta");
        }
        let checks = registration["Checks"].as_array().into_iter().flatten();
        let checks = checks.map(|check| {
            let ttl = check["TTL"].as_str().and_then(|ttl| ttl.strip_suffix("ms"));
            let ttl = Duration::from_millis(ttl.and_then(|ttl| ttl.parse().ok()).expect("ms"));
            Check {
                status: match check["Status"].as_str() {
                    Some("passing") => "passing",
                    Some("warning") => "warning",
                    _ => "critical",
                },
                ttl,
                lapses_at: clock::now() + ttl,
            }
        });
        let ids = registration["Checks"].as_array().into_iter().flatten();
        let ids = ids.map(|check| check["CheckID"].as_str().expect("ours has one").to_owned());
        let mut checks: BTreeMap<String, Check> = ids.zip(checks).collect();
        let id = registration["ID"].as_str().unwrap_or(&name).to_owned();
        assert_eq!(
            id,
            id.to_lowercase(),
            "it makes no difference between A and a"
        );
        self.index += 1;
        let created = self
            .services
            .get(&id)
            .map_or(self.index, |held| held.created);
        // Checks stay, and what they said before, unless it is asked to replace them.
        for (id, old) in self
            .services
            .remove(&id)
            .into_iter()
            .flat_map(|held| held.checks)
        {
            let status = old.status;
            checks.entry(id).or_insert(old).status = status;
        }
        let held = Held {
            registration,
            created,
            modified: self.index,
            checks,
        };
        self.services.insert(id, held);
        (StatusCode::OK, None, String::new())
    }

    fn renew(&mut self, id: &str, status: &'static str) -> Answer {
        for held in self.services.values_mut() {
            if let Some(check) = held.checks.get_mut(id) {
                check.lapses_at = clock::now() + check.ttl;
                if check.status != status {
                    check.status = status;
                    self.index += 1;
                    held.modified = self.index;
                }
                return (StatusCode::OK, None, String::new());
            }
        }
        let text = format!("CheckID {id:?} does not have associated TTL");
        (StatusCode::INTERNAL_SERVER_ERROR, None, text)
    }
}

impl Held {
    fn entry(&self) -> Value {
        let registration = &self.registration;
        let serf = json!({ "Node": "n1", "CheckID": "serfHealth", "Status": "passing" });
        let checks = self.checks.iter().map(|(id, check)| {
            json!({ "Node": "n1", "CheckID": id, "Status": check.status, "Type": "ttl" })
        });
        let checks: Vec<Value> = std::iter::once(serf).chain(checks).collect();
        json!({
            "Node": { "Node": "n1", "Address": "127.0.0.1", "Datacenter": "dc1" },
            "Service": {
                "ID": registration["ID"],
                "Service": registration["Name"],
                "Address": registration["Address"].as_str().unwrap_or(""),
                "Port": registration["Port"],
                "Meta": registration["Meta"],
                "Tags": registration["Tags"],
                "Weights": registration["Weights"],
                "CreateIndex": self.created,
                "ModifyIndex": self.modified,
            },
            "Checks": checks,
        })
    }
}

//! Another configuration while the gateway serves.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs, io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use msf_client::{
    Client,
    transport::{Connections, Protocol},
};
use msf_core::{
    body::Body,
    metrics::Metrics,
    name::{InstanceId, ServiceName},
    task,
    testing::{TestClient, TestResponse, TestServer},
};
use msf_gateway::{
    Cluster, Gateway, GatewayBuilder, Route,
    live::{ConfigProvider, ConfigText, FileProvider, LiveGateway, Reload},
};
use msf_registry::{Registry, backend::memory::MemoryRegistry};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::common::{PATIENCE, System, get, send, start};

async fn users(_request: Request<Body>) -> Response<Body> {
    Response::new(Body::from("users"))
}

async fn orders(_request: Request<Body>) -> Response<Body> {
    Response::new(Body::from("orders"))
}

fn builder(system: &System, to: &str) -> GatewayBuilder {
    let client = Client::builder(system.registry.clone()).build().unwrap();
    Gateway::builder(client).route(Route::prefix("/").to(to).public())
}

#[tokio::test]
async fn another_configuration_reaches_connections_that_are_open() {
    let system = System::new().with("user", users).await;
    let system = system.with("order", orders).await;
    let gateway = system.build(builder(&system, "user")).await;
    let client = TestClient::new(gateway.clone().into_service());
    let request = || {
        let request = Request::get("/").header("host", "a");
        request.body(Body::empty()).unwrap()
    };
    assert_eq!(client.send(request()).await.text(), "users");

    let revision = gateway.apply(builder(&system, "order")).unwrap();
    assert_eq!(revision.get(), 2);
    assert_eq!(client.send(request()).await.text(), "orders");
    assert_eq!(gateway.revision(), revision);
}

#[tokio::test]
async fn a_gateway_that_serves_stays_ready_and_takes_the_next_one() {
    let system = System::new().with("user", users).await;
    let system = system.with("order", orders).await;
    let running = start(system.build(builder(&system, "user")).await);
    assert_eq!(get(running.addr(), "/").await.text(), "users");

    let gateway = running.gateway();
    gateway.apply(builder(&system, "order")).unwrap();
    assert_eq!(get(running.addr(), "/").await.text(), "orders");
    assert_eq!(get(running.addr(), "/readyz").await.status(), 200);
}

#[tokio::test]
async fn what_is_wrong_is_not_applied() {
    let system = System::new().with("user", users).await;
    let running = start(system.build(builder(&system, "user")).await);
    let client = Client::builder(Registry::new(MemoryRegistry::new()));
    let wrong = Gateway::builder(client.build().unwrap());
    let errors = running.gateway().apply(wrong).unwrap_err();
    assert_eq!(errors.all().len(), 1, "{errors}");
    assert_eq!(running.gateway().revision().get(), 1);
    assert_eq!(get(running.addr(), "/").await.text(), "users");
}

/// A body of HTTP/2 need not say how long it is.
#[tokio::test]
async fn a_body_limit_of_code_holds_from_the_next_request_of_a_connection_of_http2() {
    let system = System::new().with("count", counted).await;
    let limited = |bytes: usize| {
        let client = Client::builder(system.registry.clone()).build().unwrap();
        let route = Route::prefix("/").to("count").public().body_limit(bytes);
        Gateway::builder(client).route(route)
    };
    let running = start(system.build(limited(1 << 10)).await);
    let connections = Connections::builder().protocol(Protocol::H2c).build();
    let send = |body: Body| {
        let request = Request::post("http://shop.example/").body(body).unwrap();
        let (connections, addr) = (connections.clone(), running.addr());
        async move {
            let answer = connections.send(addr, request).await.unwrap();
            TestResponse::read(answer).await
        }
    };
    let len = 3 << 19;
    let known = || Body::from(vec![b'x'; len]);
    let unknown = || Body::new(Halves(3));
    for (limit, is_taken) in [(1 << 10, false), (10 << 20, true), (1 << 20, false)] {
        running
            .gateway()
            .apply(limited(limit).verifier(system.verifier()))
            .unwrap();
        for (body, what) in [(known(), "known"), (unknown(), "unknown")] {
            let answer = send(body).await;
            if is_taken {
                assert_eq!(answer.text(), len.to_string(), "{what}");
            } else {
                assert_eq!(answer.status(), 413, "{what} with {limit}");
            }
        }
    }
    assert_eq!(connections.open(), 1, "all over one connection");
}

/// A body of so many half mebibytes, which does not say how many.
struct Halves(usize);

impl http_body::Body for Halves {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.checked_sub(1).map(|left| {
            self.0 = left;
            Ok(Frame::data(Bytes::from(vec![b'x'; 1 << 19])))
        });
        Poll::Ready(piece)
    }
}

/// Says how much it got.
async fn counted(request: Request<Body>) -> Response<Body> {
    match request.into_body().collect().await {
        Ok(body) => Response::new(Body::from(body.to_bytes().len().to_string())),
        Err(_broke_off) => Response::new(Body::from("broke off")),
    }
}

/// A file that tests change.
struct File {
    path: PathBuf,
}

impl File {
    fn new(text: &str) -> Self {
        let name = format!("msf-gateway-{}.toml", InstanceId::random(&service("file")));
        let file = Self {
            path: std::env::temp_dir().join(name),
        };
        file.write(text);
        file
    }

    /// As a deployment does it, in one step.
    fn write(&self, text: &str) {
        let beside = self.path.with_extension("tmp");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, &self.path).unwrap();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.path);
    }
}

fn service(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

/// Two upstreams, and a route to one of them.
fn text(upstreams: &[(&str, SocketAddr)], to: &str) -> String {
    let mut text = String::from("workers = 1\n[[listeners]]\nbind = \"127.0.0.1:0\"\n");
    for (name, addr) in upstreams {
        text += &format!("[clusters.{name}]\nendpoints = [\"http://{addr}\"]\n");
    }
    text + &format!("[[routes]]\nid = \"all\"\nmatch = {{ path = \"/**\" }}\nto = \"{to}\"\n")
}

async fn upstream(answer: &'static str) -> TestServer {
    TestServer::start(tower::service_fn(move |_request| async move {
        Ok::<_, Infallible>(Response::new(Body::from(answer)))
    }))
    .await
}

/// Sends requests over one connection until told to stop; returns what was answered, by text.
async fn ask_until(addr: SocketAddr, stop: Arc<AtomicBool>) -> BTreeMap<String, u64> {
    let mut answers = BTreeMap::new();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let mut buffer = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let request = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let answer = loop {
            if let Some(answer) = answer(&mut buffer) {
                break answer;
            }
            let mut piece = [0; 4_096];
            let len = time::timeout(PATIENCE, stream.read(&mut piece)).await;
            let len = len.unwrap().unwrap();
            assert_ne!(len, 0, "the connection was closed");
            buffer.extend_from_slice(&piece[..len]);
        };
        *answers.entry(answer).or_default() += 1;
    }
    answers
}

/// Takes one answer out of the buffer: its status and its body.
fn answer(buffer: &mut Vec<u8>) -> Option<String> {
    let text = String::from_utf8_lossy(buffer).into_owned();
    let head = text.find("\r\n\r\n")? + 4;
    let lower = text[..head].to_ascii_lowercase();
    let len = lower.split("content-length: ").nth(1)?;
    let len: usize = len.split("\r\n").next()?.parse().unwrap();
    if text.len() < head + len {
        return None;
    }
    buffer.drain(..head + len);
    Some(format!("{} {}", &text[9..12], &text[head..head + len]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_fail_no_request_and_close_no_connection() {
    let (one, two) = (upstream("one").await, upstream("two").await);
    let upstreams = [("one", one.addr()), ("two", two.addr())];
    let file = File::new(&text(&upstreams, "one"));
    let live = LiveGateway::start(FileProvider::new(&file.path))
        .await
        .unwrap();
    let running = live.server().unwrap().start().unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| task::spawn("client", ask_until(running.addr(), Arc::clone(&stop))))
        .collect();
    for round in 0..40 {
        let to = if round % 2 == 0 { "two" } else { "one" };
        file.write(&text(&upstreams, to));
        assert!(matches!(live.reload().await, Reload::Applied(_)));
        file.write("this is no configuration");
        assert!(matches!(live.reload().await, Reload::Rejected(_)));
    }
    stop.store(true, Ordering::Relaxed);
    let mut all = BTreeMap::new();
    for client in clients {
        for (answer, count) in client.join().await.unwrap() {
            *all.entry(answer).or_insert(0) += count;
        }
    }
    let kinds: Vec<_> = all.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["200 one", "200 two"], "{all:?}");
    println!(
        "{} requests over 8 connections, 80 reloads: {all:?}",
        all.values().sum::<u64>()
    );
    assert_eq!(live.status().revision.get(), 41);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_broken_file_keeps_the_last_valid_one_and_shows_why() {
    let one = upstream("one").await;
    let good = text(&[("one", one.addr())], "one");
    let file = File::new(&good);
    let metrics = Metrics::new();
    let live = LiveGateway::start_with(FileProvider::new(&file.path), &metrics)
        .await
        .unwrap();
    let running = live.server().unwrap().start().unwrap();
    assert_eq!(get(running.addr(), "/").await.text(), "one");

    file.write(&good.replace("to = \"one\"", "to = \"two\""));
    assert!(matches!(live.poll().await, Reload::Rejected(_)));
    // Told once, and not with every look at the same file.
    assert!(matches!(live.poll().await, Reload::Unchanged));
    assert_eq!(get(running.addr(), "/").await.text(), "one");
    let status = live.status();
    let problem = status.last_error.unwrap().problems()[0].clone();
    assert_eq!(problem.path, "routes[0].to");
    assert_eq!(problem.place, Some(format!("{}:9", file.path.display())));
    let told = metrics.render();
    assert!(
        told.contains("msf_gateway_config_last_reload_success 0"),
        "{told}"
    );
    assert!(
        told.contains("msf_gateway_config_reloads_total{result=\"rejected\"} 1"),
        "{told}"
    );
    assert!(told.contains("msf_gateway_config_revision 1"), "{told}");

    // A file that is gone is no reason to stop either.
    fs::remove_file(&file.path).unwrap();
    assert!(matches!(live.poll().await, Reload::Rejected(_)));
    assert_eq!(get(running.addr(), "/").await.text(), "one");

    file.write(&good);
    assert!(matches!(live.poll().await, Reload::Applied(_)));
    assert!(live.status().last_error.is_none());
    let told = metrics.render();
    assert!(
        told.contains("msf_gateway_config_last_reload_success 1"),
        "{told}"
    );
    assert!(told.contains("msf_gateway_config_revision 2"), "{told}");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_watched_file_is_applied_by_itself() {
    let (one, two) = (upstream("one").await, upstream("two").await);
    let upstreams = [("one", one.addr()), ("two", two.addr())];
    let file = File::new(&text(&upstreams, "one"));
    let live = LiveGateway::start(FileProvider::new(&file.path))
        .await
        .unwrap();
    let running = live.server().unwrap().start().unwrap();
    let watch = live.watch(Duration::from_millis(20));
    file.write(&text(&upstreams, "two"));
    let changed = async {
        while get(running.addr(), "/").await.text() != "two" {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    time::timeout(PATIENCE, changed).await.unwrap();
    assert_eq!(live.status().revision.get(), 2);
    drop(watch);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn what_needs_a_restart_is_told_and_the_rest_applied() {
    let one = upstream("one").await;
    let good = text(&[("one", one.addr())], "one");
    let file = File::new(&good);
    let live = LiveGateway::start(FileProvider::new(&file.path))
        .await
        .unwrap();
    let changed = good
        .replace("workers = 1", "workers = 3")
        .replace(":0\"", ":1\"");
    file.write(&(changed.clone() + "timeout = \"1s\"\n"));
    assert!(matches!(live.reload().await, Reload::Applied(_)));
    assert_eq!(
        live.status().needs_restart,
        ["workers", "listeners[0].bind"]
    );
    assert!(live.config().routes[0].timeout.is_some());
    let document = live.document();
    assert_eq!(document["needs_restart"][0], "workers");
    assert_eq!(document["config"]["workers"], 3);

    file.write(&(changed + "[registry]\nfile = \"/tmp/services.json\"\n"));
    let Reload::Rejected(errors) = live.reload().await else {
        panic!("another registry was applied");
    };
    assert_eq!(errors.problems()[0].path, "registry");
}

/// The server does not know of routes: a limit that another configuration raises holds at once.
#[tokio::test]
async fn a_body_limit_that_is_raised_is_raised() {
    let one = upstream("one").await;
    let small = text(&[("one", one.addr())], "one");
    let file = File::new(&(small.clone() + "body_limit = \"1KiB\"\n"));
    let live = LiveGateway::start(FileProvider::new(&file.path))
        .await
        .unwrap();
    let running = live.server().unwrap().start().unwrap();
    let post = || {
        let body = Body::from(vec![b'x'; 100 << 10]);
        Request::post("/").body(body).unwrap()
    };
    assert_eq!(send(running.addr(), post()).await.status(), 413);
    file.write(&(small + "body_limit = \"10MiB\"\n"));
    assert!(matches!(live.reload().await, Reload::Applied(_)));
    assert_eq!(send(running.addr(), post()).await.text(), "one");
}

/// Behind a trusted proxy everybody has one address, whoever is trusted by then.
#[tokio::test]
async fn a_proxy_that_is_trusted_from_now_on_has_no_cap() {
    let one = upstream("one").await;
    let capped = text(&[("one", one.addr())], "one").replace(
        "[clusters",
        "[listeners.limits]\nconnections_per_address_max = 1\n[clusters",
    );
    let file = File::new(&capped);
    let live = LiveGateway::start(FileProvider::new(&file.path))
        .await
        .unwrap();
    let running = live.server().unwrap().start().unwrap();
    let held = async || {
        let mut stream = TcpStream::connect(running.addr()).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let _refused = stream.write_all(request).await;
        let mut head = [0; 12];
        let is_served = stream.read_exact(&mut head).await.is_ok();
        (stream, is_served)
    };
    let (_first, is_served) = held().await;
    assert!(is_served);
    assert!(!held().await.1);
    file.write(&capped.replace(
        "[listeners.limits]",
        "trusted_proxies = \"127.0.0.0/8\"\n[listeners.limits]",
    ));
    assert!(matches!(live.reload().await, Reload::Applied(_)));
    let (_second, is_served) = held().await;
    assert!(is_served);
    assert!(held().await.1);
}

#[tokio::test]
async fn a_reload_forgives_nobody() {
    let limited = |requests: u32, more: &str| {
        format!(
            "[[routes]]\nid = \"a\"\nmatch = {{ path = \"/a\" }}\nrespond = {{ body = \"a\" }}\n\
             rate_limit = {{ requests = {requests}, per = \"1h\" }}\n{more}"
        )
    };
    let file = File::new(&limited(2, ""));
    let live = LiveGateway::start(FileProvider::new(&file.path))
        .await
        .unwrap();
    let running = start(live.gateway().clone());
    let ask = || get(running.addr(), "/a");
    assert_eq!(ask().await.status(), 200);
    assert_eq!(ask().await.status(), 200);
    file.write(&limited(2, "body_limit = 5\n"));
    assert!(matches!(live.reload().await, Reload::Applied(_)));
    assert_eq!(ask().await.status(), 429);
    // Another limit is another count.
    file.write(&limited(3, ""));
    assert!(matches!(live.reload().await, Reload::Applied(_)));
    assert_eq!(ask().await.status(), 200);
}

/// Routes without an id have the same path and not the same limit.
#[tokio::test]
async fn a_reload_mixes_up_no_limits() {
    let text = |more: &str| {
        let route = |method: &str, requests: u32| {
            format!(
                "[[routes]]\nmatch = {{ path = \"/a\", methods = \"{method}\" }}\nrespond = {{}}\n\
                 rate_limit = {{ requests = {requests}, per = \"1h\" }}\n"
            )
        };
        route("POST", 2) + more + &route("GET", 100)
    };
    let file = File::new(&text(""));
    let live = LiveGateway::start(FileProvider::new(&file.path))
        .await
        .unwrap();
    let running = start(live.gateway().clone());
    let post = async || {
        let request = Request::post("/a").body(Body::empty()).unwrap();
        send(running.addr(), request).await.status()
    };
    assert_eq!(post().await, 200);
    assert_eq!(post().await, 200);
    file.write(&text("body_limit = 5\n"));
    assert!(matches!(live.reload().await, Reload::Applied(_)));
    assert_eq!(get(running.addr(), "/a").await.status(), 200);
    assert_eq!(post().await, 429);
}

/// What a cluster said about a service ends with the cluster.
#[tokio::test]
async fn a_service_that_has_no_cluster_any_more_has_no_settings_either() {
    let system = System::new()
        .with("user", |_request| async {
            time::sleep(Duration::from_millis(200)).await;
            Response::new(Body::from("slow"))
        })
        .await;
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let route = || Route::prefix("/").to("user").public();
    let builder = Gateway::builder(client.clone());
    let impatient = Cluster::discovered("user").timeout(Duration::from_millis(50));
    let gateway = system
        .build(builder.cluster(impatient).route(route()))
        .await;
    let running = start(gateway.clone());
    assert_eq!(get(running.addr(), "/").await.status(), 504);
    gateway
        .apply(Gateway::builder(client).route(route()))
        .unwrap();
    assert_eq!(get(running.addr(), "/").await.text(), "slow");
}

/// Nobody is asked any more about a cluster that is gone, however long a connection holds on to it.
#[tokio::test]
async fn checks_end_with_their_cluster() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let server = TestServer::start(tower::service_fn(move |request: Request<Body>| {
        if request.uri().path() == "/alive" {
            counts.fetch_add(1, Ordering::Relaxed);
        }
        async { Ok::<_, Infallible>(Response::new(Body::empty())) }
    }))
    .await;
    let good = text(&[("one", server.addr())], "one");
    let checked = good.replace(
        "[[routes]]",
        "health = { check = \"/alive\", interval = \"100ms\" }\n[[routes]]",
    );
    let file = File::new(&checked);
    let live = LiveGateway::start(FileProvider::new(&file.path))
        .await
        .unwrap();
    let running = live.server().unwrap().start().unwrap();
    let begun = time::Instant::now();
    while asked.load(Ordering::Relaxed) < 2 {
        assert!(begun.elapsed() < PATIENCE, "nobody checks");
        time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(get(running.addr(), "/").await.status(), 200);
    file.write(&good);
    assert!(matches!(live.reload().await, Reload::Applied(_)));
    // One may be on its way.
    time::sleep(Duration::from_millis(200)).await;
    let before = asked.load(Ordering::Relaxed);
    time::sleep(Duration::from_millis(600)).await;
    assert_eq!(asked.load(Ordering::Relaxed), before);
}

#[tokio::test]
async fn a_half_written_file_is_not_taken() {
    let one = upstream("one").await;
    let good = text(&[("one", one.addr())], "one");
    let texts = Arc::new(Mutex::new(vec![good.clone()]));
    let live = LiveGateway::start(Typing(Arc::clone(&texts)))
        .await
        .unwrap();
    // The last is read again and again; those before it are what a writer had written so far.
    let extended = good.clone() + "[[routes]]\nmatch = { path = \"/b\" }\nrespond = {}\n";
    *texts.lock().unwrap() = vec![extended.clone(), good.clone() + "[[routes]]\n", extended];
    time::pause();
    assert!(matches!(live.poll().await, Reload::Applied(_)));
    assert_eq!(live.config().routes.len(), 2);
    assert_eq!(live.status().revision.get(), 2);
}

/// Somebody who is still writing.
struct Typing(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl ConfigProvider for Typing {
    async fn read(&self) -> io::Result<ConfigText> {
        let mut texts = self.0.lock().unwrap();
        let next = match texts.len() {
            1 => texts[0].clone(),
            _ => texts.remove(0),
        };
        Ok(ConfigText::new("g.toml", next))
    }
}

//! What the access log says about a request, and who it says ended it.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use msf_auth::policy::{authenticated, scope};
use msf_client::{
    Client,
    transport::{Connections, Protocol},
};
use msf_core::{body::Body, server::Limits, testing::LogCapture};
use msf_gateway::{
    AccessLog, Gateway, GatewayBuilder, Key, Maintenance, RateKey, Redirect, Route, RunningGateway,
};
use msf_resilience::rate_limit::{Quota, RateLimiter};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time,
};

use crate::common::{PATIENCE, System, get, hello, read_until, send, start};

/// Where a log is written to, to be read.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines, once there are so many.
    async fn wait(&self, count: usize) -> Vec<String> {
        let enough = async {
            while self.text().lines().count() < count {
                time::sleep(Duration::from_millis(2)).await;
            }
        };
        let ended = time::timeout(PATIENCE, enough).await;
        assert!(ended.is_ok(), "{count} lines in {:?}", self.text());
        self.text().lines().map(str::to_owned).collect()
    }

    async fn json(&self, count: usize) -> Vec<Value> {
        let lines = self.wait(count).await;
        let parse = |line: &String| serde_json::from_str(line).unwrap();
        lines.iter().map(parse).collect()
    }

    async fn last(&self, count: usize) -> Value {
        self.json(count).await.pop().unwrap()
    }
}

fn logged(system: &System, lines: &Lines) -> GatewayBuilder {
    let client = Client::builder(system.registry.clone()).breaker(|it| it.min_calls(3));
    Gateway::builder(client.build().unwrap()).access_log(AccessLog::json().writer(lines.clone()))
}

async fn serve(
    system: &System,
    lines: &Lines,
    routes: impl IntoIterator<Item = Route>,
) -> RunningGateway {
    start(system.build(logged(system, lines).routes(routes)).await)
}

/// Reads all and answers twice as much.
async fn double(request: Request<Body>) -> Response<Body> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Response::new(Body::from([body.clone(), body].concat()))
}

#[tokio::test]
async fn a_line_says_who_was_served_by_whom() {
    let lines = Lines::default();
    let system = System::new().with("order", double).await;
    let route = Route::prefix("/api").to("order").public();
    let gateway = serve(&system, &lines, [route]).await;
    let request = Request::post("/api/%6frders?token=secret")
        .header("user-agent", "curl/8 \"quoted\"\u{e9}")
        .header("x-forwarded-for", "6.6.6.6")
        .body(Body::from("twelve bytes"))
        .unwrap();
    let answer = send(gateway.addr(), request).await;
    let id = answer.header("x-request-id").unwrap().to_owned();

    let mut line = lines.last(1).await;
    let took = line["duration_ms"].take().as_f64().unwrap();
    let upstream = line["upstream_ms"].take().as_f64().unwrap();
    assert!(upstream > 0.0 && upstream <= took, "{upstream} of {took}");
    let time = line["time"].take();
    assert_eq!(
        time.as_str().unwrap().len(),
        "2026-11-23T10:15:04.123Z".len()
    );
    let instance = line["instance"].take();
    assert!(instance.as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(
        line,
        json!({
            "time": null,
            "request_id": id,
            "client": "127.0.0.1",
            "method": "POST",
            "host": "shop.example",
            "path": "/api/orders",
            "protocol": "HTTP/1.1",
            "route": "/api/**",
            "cluster": "order",
            "instance": null,
            "status": 200,
            "ended_by": "upstream",
            "bytes_in": 12,
            "bytes_out": 24,
            "duration_ms": null,
            "upstream_ms": null,
            "user_agent": "curl/8 \"quoted\"\u{e9}",
        })
    );
}

/// Accepts, reads, and hangs up or goes on talking.
async fn strange(answer: &'static [u8], pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    msf_core::task::spawn("strange service", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let _read = stream.read(&mut request).await;
            let _written = stream.write_all(answer).await;
            // What was written arrives before the end does.
            time::sleep(pause).await;
        }
    })
    .detach();
    addr
}

async fn silent(_request: Request<Body>) -> Response<Body> {
    std::future::pending().await
}

async fn unavailable(_request: Request<Body>) -> Response<Body> {
    let answer = Response::builder().status(503);
    answer.body(Body::from("not now")).unwrap()
}

fn bearer(path: &str, token: &str) -> Request<Body> {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_failure_has_its_flag_and_its_culprit() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    let amid = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun";
    let system = System::new()
        .with("order", hello)
        .await
        .with("silent", silent)
        .await
        .with("unavailable", unavailable)
        .await
        .with_addr("nobody", nobody)
        .await
        .with_addr("reset", strange(b"", Duration::ZERO).await)
        .await
        .with_addr("ssh", strange(b"SSH-2.0-x\r\n", Duration::ZERO).await)
        .await
        .with_addr("amid", strange(amid, Duration::from_millis(50)).await)
        .await;
    let limiter = RateLimiter::<RateKey>::builder(Quota::per_hour(1));
    let limiter = limiter.build().unwrap();
    let to = |path: &str, service: &str| Route::prefix(path).to(service).public();
    let lines = Lines::default();
    let gateway = serve(
        &system,
        &lines,
        vec![
            to("/order", "order").methods([Method::GET]).body_limit(10),
            to("/limited", "order").rate_limit(limiter, Key::Client),
            to("/silent", "silent").timeout(Duration::from_millis(50)),
            to("/unavailable", "unavailable"),
            to("/nobody", "nobody"),
            to("/nowhere", "nowhere"),
            to("/reset", "reset"),
            to("/ssh", "ssh"),
            to("/amid", "amid"),
            to("/upload", "order").body_limit(4),
            to("/closed", "order").maintenance(Maintenance::new()),
            to("/inside", "order").deny_ips(["127.0.0.0/8".parse().unwrap()]),
            Route::exact("/moved")
                .redirect(Redirect::to("/elsewhere"))
                .public(),
            Route::prefix("/user").to("order").policy(authenticated()),
            Route::prefix("/admin").to("order").policy(scope("admin")),
        ],
    )
    .await;
    let addr = gateway.addr();
    let request = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let post = |path: &str| Request::post(path).body(Body::from("five!")).unwrap();
    let cases: Vec<(Request<Body>, u16, &str, &str)> = vec![
        (request("/order"), 200, "", "upstream"),
        (request("/nothing"), 404, "NR", "gateway"),
        (post("/order"), 405, "NM", "gateway"),
        (request("/order/%2e%2e/x"), 400, "DP", "client"),
        (request("/user"), 401, "UA", "gateway"),
        (bearer("/user", "forged"), 401, "UA", "gateway"),
        (
            bearer("/admin", &system.token("7", &[])),
            403,
            "FB",
            "gateway",
        ),
        (request("/limited"), 200, "", "upstream"),
        (request("/limited"), 429, "RL", "gateway"),
        (post("/upload"), 413, "DL", "client"),
        (request("/closed"), 503, "MT", "gateway"),
        (request("/inside"), 403, "IP", "gateway"),
        (request("/moved"), 307, "", "gateway"),
        (request("/silent"), 504, "UT", "upstream"),
        (request("/unavailable"), 503, "", "upstream"),
        (request("/nowhere"), 503, "UH", "upstream"),
        (request("/nobody"), 502, "UF", "upstream"),
        (request("/nobody"), 502, "UF", "upstream"),
        (request("/nobody"), 502, "UF", "upstream"),
        (request("/nobody"), 503, "CB", "gateway"),
        (request("/reset"), 502, "UR", "upstream"),
        (request("/ssh"), 502, "UP", "upstream"),
    ];
    for (index, (request, status, flag, ended_by)) in cases.into_iter().enumerate() {
        let path = request.uri().path().to_owned();
        let answer = send(addr, request).await;
        assert_eq!(answer.status(), status, "{path}");
        let line = lines.last(index + 1).await;
        assert_eq!(line["status"], status, "{path}: {line}");
        assert_eq!(line["flag"].as_str().unwrap_or(""), flag, "{path}: {line}");
        assert_eq!(line["ended_by"], ended_by, "{path}: {line}");
        assert_eq!(line["failure"].is_null(), flag.is_empty(), "{path}: {line}");
    }

    // An answer that breaks off keeps the status that was sent.
    let before = lines.json(0).await.len();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = b"GET /amid HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let _end = stream.read_to_end(&mut Vec::new()).await;
    let line = lines.last(before + 1).await;
    assert_eq!(line["status"], 200, "{line}");
    assert_eq!(line["flag"], "UR", "{line}");
    assert_eq!(line["bytes_out"], 5, "{line}");

    let metrics = gateway.gateway().metrics().render();
    for series in [
        r#"{ended_by="gateway",flag="no_route"} 1"#,
        r#"{ended_by="gateway",flag="unauthenticated"} 2"#,
        r#"{ended_by="upstream",flag="upstream_connect_failure"} 3"#,
    ] {
        let series = format!("msf_gateway_failures_total{series}");
        assert!(metrics.contains(&series), "{series} in {metrics}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_written_down() {
    let lines = Lines::default();
    let amid = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun";
    let endless = strange(amid, Duration::from_secs(600)).await;
    let system = System::new()
        .with("silent", silent)
        .await
        .with_addr("endless", endless)
        .await;
    let routes = [
        Route::prefix("/silent").to("silent").public(),
        Route::prefix("/endless").to("endless").public(),
    ];
    let gateway = serve(&system, &lines, routes).await;

    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    let head = b"GET /silent HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(head).await.unwrap();
    time::sleep(Duration::from_millis(50)).await;
    drop(stream);
    let line = lines.last(1).await;
    assert_eq!(
        (&line["status"], &line["flag"]),
        (&json!(499), &json!("DC"))
    );
    assert_eq!(line["ended_by"], "client");
    assert_eq!(line["route"], "/silent/**");
    assert_eq!(line["cluster"], "silent");

    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    let head = b"GET /endless HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(head).await.unwrap();
    read_until(&mut stream, "begun").await;
    drop(stream);
    let line = lines.last(2).await;
    assert_eq!(
        (&line["status"], &line["flag"]),
        (&json!(200), &json!("DC"))
    );
}

#[tokio::test]
async fn a_body_that_the_client_breaks_off_is_the_clients() {
    let lines = Lines::default();
    let system = System::new().with("order", double).await;
    let route = Route::prefix("/").to("order").public();
    let gateway = serve(&system, &lines, [route]).await;
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    let head =
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\nnonsense";
    stream.write_all(head).await.unwrap();
    let _end = stream.read_to_end(&mut Vec::new()).await;
    let line = lines.last(1).await;
    assert_eq!(line["ended_by"], "client", "{line}");
    assert_eq!(line["bytes_in"], 5, "{line}");
}

/// What never becomes a request: nothing of what was sent is in the line.
#[tokio::test]
async fn what_the_server_refuses_has_its_line_too() {
    let lines = Lines::default();
    let system = System::new().with("order", hello).await;
    let route = Route::prefix("/").to("order").public();
    let gateway = system.build(logged(&system, &lines).route(route)).await;
    let limits = Limits::default().header_timeout(Duration::from_millis(200));
    let server = gateway.server(([127, 0, 0, 1], 0).into()).workers(1);
    let gateway = server.limits(limits).start().unwrap();
    let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "secret".repeat(10_000));
    let cases = [
        ("secret \x01\r\n\r\n", 400, "DP"),
        (&large, 431, "DP"),
        ("GET /secret HT", 408, "DT"),
    ];
    for (index, (sent, status, flag)) in cases.into_iter().enumerate() {
        let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let _end = stream.read_to_end(&mut Vec::new()).await;
        let mut line = lines.last(index + 1).await;
        assert!(!line.to_string().contains("secret"), "{line}");
        line["time"].take();
        line["duration_ms"].take();
        let failure = line["failure"].take();
        assert!(failure.is_string());
        assert_eq!(
            line,
            json!({
                "time": null, "client": "127.0.0.1", "status": status, "flag": flag, "failure": null,
                "ended_by": "client", "bytes_in": 0, "bytes_out": 0, "duration_ms": null,
            })
        );
    }
    // Who says nothing has no line; all are counted.
    let mut silent = TcpStream::connect(gateway.addr()).await.unwrap();
    silent.read_to_end(&mut Vec::new()).await.unwrap();
    let metrics = gateway.gateway().metrics().render();
    for reason in ["malformed", "head_too_large", "head_too_slow", "silent"] {
        let series = format!("msf_server_refused_total{{reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&series), "{series} in {metrics}");
    }
    assert_eq!(lines.text().lines().count(), 3);
}

#[tokio::test]
async fn answers_without_content_are_complete() {
    let lines = Lines::default();
    let system = System::new()
        .with("order", |request: Request<Body>| async move {
            let answer = Response::builder().status(if request.uri().path() == "/gone" {
                204
            } else {
                200
            });
            let body = if request.uri().path() == "/gone" {
                ""
            } else {
                "hello"
            };
            answer.body(Body::from(body)).unwrap()
        })
        .await;
    let route = Route::prefix("/").to("order").public();
    let gateway = serve(&system, &lines, [route]).await;
    for (index, (method, path)) in [("HEAD", "/"), ("GET", "/gone")].into_iter().enumerate() {
        let request = Request::builder().method(method).uri(path);
        send(gateway.addr(), request.body(Body::empty()).unwrap()).await;
        let line = lines.last(index + 1).await;
        assert!(line["flag"].is_null(), "{line}");
        assert_eq!(line["bytes_out"], 0, "{line}");
    }
}

#[tokio::test]
async fn a_template_cannot_be_forged() {
    let lines = Lines::default();
    let system = System::new().with("order", hello).await;
    let log = AccessLog::template(r#"{client} "{method} {path}" {status} {flag} "{user_agent}""#);
    let log = log.unwrap().writer(lines.clone());
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let builder = Gateway::builder(client)
        .route(Route::prefix("/api").to("order").public())
        .access_log(log);
    let gateway = start(system.build(builder).await);
    let request = Request::get("/api/\"x")
        .header("user-agent", "a\" 200 -\t\u{e9}\\")
        .body(Body::empty())
        .unwrap();
    send(gateway.addr(), request).await;
    get(gateway.addr(), "/nothing").await;
    let lines = lines.wait(2).await;
    assert_eq!(
        lines[0],
        r#"127.0.0.1 "GET /api/\x22x" 400 DP "a\x22 200 -\x09\xC3\xA9\x5C""#
    );
    assert_eq!(lines[1], r#"127.0.0.1 "GET /nothing" 404 NR "-""#);
}

#[tokio::test]
async fn the_host_of_http2_is_its_authority() {
    let lines = Lines::default();
    let system = System::new().with("order", hello).await;
    let gateway = serve(&system, &lines, [Route::prefix("/").to("order").public()]).await;
    let connections = Connections::builder().protocol(Protocol::H2c).build();
    let asked = [
        ("http://shop.example/orders?token=secret", "shop.example"),
        ("http://shop.example:8080/orders", "shop.example:8080"),
        ("http://[2001:db8::1]:8080/orders", "[2001:db8::1]:8080"),
    ];
    for (place, (asked, host)) in asked.into_iter().enumerate() {
        let request = Request::get(asked).body(Body::empty()).unwrap();
        let answer = connections.send(gateway.addr(), request).await.unwrap();
        assert_eq!(answer.status(), 200);
        drop(answer.into_body().collect().await.unwrap());
        let line = lines.last(place + 1).await;
        assert_eq!(line["protocol"], "HTTP/2", "{line}");
        assert_eq!(line["host"], host, "{line}");
        assert_eq!(line["path"], "/orders", "{line}");
    }
}

/// Blocks until it is let go.
#[derive(Clone, Default)]
struct Stuck(Arc<(Mutex<bool>, Condvar)>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (is_free, changed) = &*self.0;
        let free = changed.wait_while(is_free.lock().unwrap(), |free| !*free);
        drop(free.unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_disk_that_hangs_is_no_requests_problem() {
    let stuck = Stuck::default();
    let system = System::new().with("order", hello).await;
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let log = AccessLog::json().writer(stuck.clone()).capacity(2);
    let builder = Gateway::builder(client)
        .route(Route::prefix("/").to("order").public())
        .access_log(log);
    let gateway = start(system.build(builder).await);
    for _ in 0..20 {
        assert_eq!(get(gateway.addr(), "/").await.text(), "hello");
    }
    let metrics = gateway.gateway().metrics().render();
    let dropped = metrics
        .lines()
        .find_map(|line| line.strip_prefix("msf_gateway_access_log_dropped_total "));
    let dropped: u64 = dropped.unwrap().parse().unwrap();
    // The writer may have taken one or a few before it hung.
    assert!(dropped >= 10, "{dropped}");
    *stuck.0.0.lock().unwrap() = true;
    stuck.0.1.notify_all();
}

#[tokio::test]
async fn probes_are_not_logged_and_there_is_one_line_per_request() {
    let lines = Lines::default();
    let system = System::new().with("order", hello).await;
    let route = Route::prefix("/").to("order").public();
    let service = system.build(logged(&system, &lines).route(route)).await;
    let service = msf_core::testing::TestClient::new(service.into_service());
    let logs = LogCapture::start();
    for path in ["/readyz", "/health", "/orders"] {
        let request = Request::get(path).header("host", "a");
        service.send(request.body(Body::empty()).unwrap()).await;
    }
    let line = lines.last(1).await;
    assert_eq!(line["path"], "/orders");
    assert!(line["client"].is_null(), "nobody told: {line}");
    assert!(logs.find("request served").is_none());
}

#[tokio::test]
async fn of_what_is_sampled_no_failure_is_missing() {
    let lines = Lines::default();
    let system = System::new().with("order", hello).await;
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let builder = Gateway::builder(client)
        .route(Route::prefix("/api").to("order").public())
        .access_log(AccessLog::json().writer(lines.clone()).sample(5));
    let gateway = start(system.build(builder).await);
    for _ in 0..10 {
        get(gateway.addr(), "/api").await;
        get(gateway.addr(), "/nothing").await;
    }
    let lines = lines.json(12).await;
    let of = |status: u64| lines.iter().filter(|line| line["status"] == status).count();
    assert_eq!((of(200), of(404)), (2, 10));
}

#[tokio::test]
async fn a_file_is_appended_to_and_complete_when_the_gateway_has_stopped() {
    let dir = std::env::temp_dir().join(format!("msf-access-log-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("access.log");
    std::fs::write(&path, "before\n").unwrap();
    let system = System::new().with("order", hello).await;
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let builder = Gateway::builder(client)
        .route(Route::prefix("/").to("order").public())
        .access_log(AccessLog::template("{path}").unwrap().file(&path));
    let gateway = start(system.build(builder).await);
    for path in ["/1", "/2", "/3"] {
        get(gateway.addr(), path).await;
    }
    gateway.stop().await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(text, "before\n/1\n/2\n/3\n");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_told_at_the_build() {
    let client = Client::builder(System::new().registry).build().unwrap();
    let error = Gateway::builder(client)
        .route(Route::prefix("/").to("order").public())
        .access_log(AccessLog::json().file("/nowhere/access.log"))
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("access log"), "{error}");
}

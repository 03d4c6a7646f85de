//! `ServiceHost` from the outside: what it promises around the user's routes.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    routing::{get, post},
};
use http::{Request, Response};
use msf_core::{
    BoxError,
    config::{self, Loader},
    health::Status,
    host::{HostConfig, HostError, RunningHost, ServiceHost, ServiceHostBuilder},
    route::MatchedRoute,
    server::{Body, Phase},
    task,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// Nothing that works takes this long; what does not work must not hang the tests.
const PATIENCE: Duration = Duration::from_secs(10);

fn config() -> HostConfig {
    let mut config = HostConfig::default();
    config.server.bind = "127.0.0.1:0".to_owned();
    config.drain.delay = Some(Duration::ZERO);
    config
}

fn builder() -> ServiceHostBuilder {
    ServiceHost::builder("orders").config(config())
}

async fn started(builder: ServiceHostBuilder) -> RunningHost {
    timeout(PATIENCE, builder.start()).await.unwrap().unwrap()
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn problem(&self) -> serde_json::Value {
        assert!(self.head.contains("problem+json"), "{}", self.head);
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends bytes and reads to the end of the connection.
async fn exchange(addr: SocketAddr, request: &str) -> std::io::Result<String> {
    let exchange = async {
        let mut tcp = TcpStream::connect(addr).await?;
        tcp.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        tcp.read_to_string(&mut text).await?;
        Ok(text)
    };
    timeout(PATIENCE, exchange).await.expect("the test hangs")
}

async fn send(addr: SocketAddr, method: &str, path: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    parse(&exchange(addr, &request).await.unwrap())
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

async fn ask(running: &RunningHost, path: &str) -> Answer {
    send(running.addr(), "GET", path).await
}

type Said = Arc<Mutex<Vec<&'static str>>>;

fn saying(said: &Said, word: &'static str) -> impl FnOnce() + Send + use<> {
    let said = said.clone();
    move || said.lock().unwrap().push(word)
}

#[tokio::test]
async fn hooks_run_in_order_at_the_start_and_in_reverse_at_the_end() {
    let said = Said::default();
    let [a, b, c, d] = ["start 1", "start 2", "drain 1", "drain 2"].map(|w| saying(&said, w));
    let running = started(
        builder()
            .on_start(|info| async move {
                assert_eq!(info.health().status(), Status::Starting);
                assert_ne!(info.addr().port(), 0);
                a();
                Ok::<_, BoxError>(())
            })
            .on_start(|_| async move {
                b();
                Ok::<_, BoxError>(())
            })
            .on_drain(|_| async move {
                c();
                Ok::<_, BoxError>(())
            })
            .on_drain(|info| async move {
                assert_eq!(info.health().status(), Status::Draining);
                // It still serves.
                assert_eq!(send(info.addr(), "GET", "/livez").await.status, 200);
                d();
                Ok::<_, BoxError>(())
            }),
    )
    .await;
    assert_eq!(running.health().status(), Status::Ready);
    running.stop().await.unwrap();
    assert_eq!(
        *said.lock().unwrap(),
        ["start 1", "start 2", "drain 2", "drain 1"]
    );
}

#[tokio::test]
async fn a_start_hook_that_fails_ends_the_start_and_frees_the_port() {
    let addr = Arc::new(Mutex::new(None));
    let seen = addr.clone();
    let error = builder()
        .on_start(move |info| async move {
            *seen.lock().unwrap() = Some(info.addr());
            Err::<(), BoxError>("no database".into())
        })
        .on_start(|_| async { panic!("a hook after one that failed") as Result<(), BoxError> })
        .start()
        .await
        .unwrap_err();
    assert_eq!(format!("{error:?}"), "the start hook failed: no database");
    let addr = addr.lock().unwrap().unwrap();
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn drain_hooks_run_when_the_start_fails() {
    let (registered, left) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let (register, leave) = (registered.clone(), left.clone());
    builder()
        .on_start(move |_| async move {
            *register.lock().unwrap() += 1;
            Ok::<_, BoxError>(())
        })
        .on_start(|_| async { Err::<(), BoxError>("no database".into()) })
        .on_drain(move |_| async move {
            *leave.lock().unwrap() += 1;
            Ok::<_, BoxError>(())
        })
        .start()
        .await
        .unwrap_err();
    assert_eq!((*registered.lock().unwrap(), *left.lock().unwrap()), (1, 1));
}

#[tokio::test]
async fn a_start_hook_that_panics_is_an_error() {
    let error = builder()
        .on_start(|_| async { panic!("no {}", "luck") as Result<(), BoxError> })
        .start()
        .await
        .unwrap_err();
    assert!(matches!(error, HostError::Start(_)));
    assert!(format!("{error:?}").contains("no luck"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_start_hook_that_hangs_is_an_error() {
    let error = builder()
        .on_start(|_| std::future::pending::<Result<(), BoxError>>())
        .start()
        .await
        .unwrap_err();
    assert!(matches!(error, HostError::StartTimeout(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_hook_that_hangs_is_given_up() {
    let running = builder()
        .on_drain(|_| std::future::pending::<Result<(), BoxError>>())
        .start()
        .await
        .unwrap();
    let asked = Instant::now();
    assert_eq!(running.stop().await.unwrap().cut, 0);
    let took = asked.elapsed();
    assert!(
        took >= Duration::from_secs(5) && took < Duration::from_secs(6),
        "{took:?}"
    );
}

#[tokio::test]
async fn drain_hooks_that_fail_or_panic_stop_neither_the_others_nor_the_drain() {
    let said = Said::default();
    let last = saying(&said, "last");
    let running = started(
        builder()
            .router(Router::new().route("/slow", get(slow)))
            .on_drain(|_| async move {
                last();
                Ok::<_, BoxError>(())
            })
            .on_drain(|_| async { Err::<(), BoxError>("registry gone".into()) })
            .on_drain(|_| async { panic!("on purpose") as Result<(), BoxError> })
            .on_drain(|_| -> std::future::Ready<Result<(), BoxError>> {
                panic!("before the future")
            }),
    )
    .await;
    let addr = running.addr();
    let request = task::spawn("request", async move { send(addr, "GET", "/slow").await });
    sleep(Duration::from_millis(50)).await;
    assert_eq!(running.stop().await.unwrap().cut, 0);
    assert_eq!(request.join().await.unwrap().body, "slow");
    assert_eq!(*said.lock().unwrap(), ["last"]);
}

async fn slow() -> &'static str {
    sleep(Duration::from_millis(300)).await;
    "slow"
}

#[tokio::test]
async fn a_routers_templates_are_labels_with_and_without_state() {
    let router = Router::new()
        .route(
            "/items/{id}",
            get(async |state: axum::extract::State<u8>| state.0.to_string()),
        )
        .with_state(7);
    let running = started(builder().router(router)).await;
    assert_eq!(ask(&running, "/items/42").await.body, "7");
    let metrics = ask(&running, "/metrics").await.body;
    assert!(metrics.contains(r#"http_route="/items/{id}""#), "{metrics}");
    assert!(!metrics.contains("/items/42"), "{metrics}");
}

#[tokio::test]
async fn another_service_says_its_route_itself() {
    let service = tower::service_fn(|_request: Request<Body>| async {
        let mut response = Response::new(Body::from("plain"));
        response
            .extensions_mut()
            .insert(MatchedRoute::new("/things/{id}"));
        Ok::<_, Infallible>(response)
    });
    let running = started(builder().router(service)).await;
    assert_eq!(ask(&running, "/things/1").await.body, "plain");
    let metrics = ask(&running, "/metrics").await.body;
    assert!(
        metrics.contains(r#"http_route="/things/{id}""#),
        "{metrics}"
    );
}

#[tokio::test]
async fn without_routes_every_other_path_is_a_404_problem() {
    let running = started(builder()).await;
    for path in ["/", "/nowhere", "/metrics/", "/livez/"] {
        let answer = ask(&running, path).await;
        assert_eq!(answer.problem()["code"], "not_found", "{path}");
    }
    for path in ["/livez", "/readyz", "/healthz", "/health", "/metrics"] {
        assert_eq!(ask(&running, path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn operational_paths_refuse_other_methods_with_a_problem() {
    let running = started(builder()).await;
    for path in ["/livez", "/readyz", "/healthz", "/health", "/metrics"] {
        let answer = send(running.addr(), "POST", path).await;
        assert_eq!(answer.status, 405, "{path}");
        assert!(answer.head.contains("allow: get, head"), "{}", answer.head);
        assert_eq!(answer.problem()["code"], "method_not_allowed", "{path}");
        let head = send(running.addr(), "HEAD", path).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
}

#[tokio::test]
async fn a_panic_is_a_500_problem_with_its_trace_and_is_counted_as_500() {
    let boom = async || -> &'static str { panic!("on purpose") };
    let plain = tower::service_fn(|_request: Request<Body>| async {
        panic!("on purpose") as Result<Response<Body>, Infallible>
    });
    for builder in [
        builder().router(Router::new().route("/boom", get(boom))),
        builder().router(plain),
    ] {
        let running = started(builder).await;
        let answer = ask(&running, "/boom").await;
        assert_eq!(answer.status, 500);
        let problem = answer.problem();
        assert_eq!(problem["code"], "internal");
        assert_eq!(problem["trace_id"].as_str().map(str::len), Some(32));
        assert!(answer.head.contains("x-request-id"), "{}", answer.head);
        let metrics = ask(&running, "/metrics").await.body;
        assert!(
            metrics.contains(r#"http_response_status_code="500""#),
            "{metrics}"
        );
    }
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_413_through_the_extractors() {
    use msf_core::axum::Json;
    let mut config = config();
    config.server.body_limit = 100;
    let handler = async |Json(value): Json<serde_json::Value>| Json(value);
    let router = Router::new().route("/", post(handler));
    let running = started(builder().config(config).router(router)).await;
    let chunk = format!("c8\r\n\"{}\r\n", "a".repeat(199));
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"
    );
    let answer = parse(&exchange(running.addr(), &request).await.unwrap());
    assert_eq!(answer.status, 413);
    assert_eq!(answer.problem()["code"], "payload_too_large");

    let request = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 101\r\n\r\n";
    let answer = parse(&exchange(running.addr(), request).await.unwrap());
    assert_eq!(answer.problem()["limit"], 100);
}

#[tokio::test]
async fn workers_serve_and_end() {
    let mut config = config();
    config.server.workers = 2;
    let running = started(
        builder()
            .config(config)
            .router(Router::new().route("/slow", get(slow))),
    )
    .await;
    let addr = running.addr();
    let requests: Vec<_> = (0..8)
        .map(|_| task::spawn("request", async move { send(addr, "GET", "/slow").await }))
        .collect();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(running.stop().await.unwrap().cut, 0);
    for request in requests {
        assert_eq!(request.join().await.unwrap().body, "slow");
    }
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_stop_finishes_what_runs_and_cuts_what_does_not_end() {
    let mut config = config();
    config.drain.timeout = Duration::from_millis(600);
    let router = Router::new().route("/slow", get(slow)).route(
        "/never",
        get(async || std::future::pending::<&'static str>().await),
    );
    let running = started(builder().config(config).router(router)).await;
    let addr = running.addr();
    let slow = task::spawn("slow", async move { send(addr, "GET", "/slow").await });
    let never = task::spawn("never", async move {
        exchange(addr, "GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await
    });
    sleep(Duration::from_millis(50)).await;
    assert_eq!(running.stop().await.unwrap().cut, 1);
    assert_eq!(slow.join().await.unwrap().body, "slow");
    assert!(
        never
            .join()
            .await
            .unwrap()
            .map_or(true, |text| text.is_empty())
    );
}

#[tokio::test]
async fn a_server_that_has_ended_is_noticed() {
    for workers in [0, 2] {
        let mut config = config();
        config.server.workers = workers;
        let mut running = started(builder().config(config)).await;
        let still_serving = timeout(Duration::from_millis(50), running.finished()).await;
        assert!(still_serving.is_err());
        assert_eq!(ask(&running, "/livez").await.status, 200);

        running.drain().advance(Phase::Cut);
        timeout(PATIENCE, running.finished()).await.unwrap();
        // Asked again it still is over, and the outcome is not lost.
        timeout(PATIENCE, running.finished()).await.unwrap();
        assert_eq!(running.stop().await.unwrap().cut, 0);
    }
}

#[tokio::test]
async fn dropping_a_running_host_cuts_it_off() {
    for workers in [0, 2] {
        let mut config = config();
        config.server.workers = workers;
        let never = get(async || std::future::pending::<&'static str>().await);
        let router = Router::new().route("/never", never);
        let running = started(builder().config(config).router(router)).await;
        let addr = running.addr();
        let never = task::spawn("never", async move {
            exchange(addr, "GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await
        });
        sleep(Duration::from_millis(50)).await;
        drop(running);
        let answer = never.join().await.unwrap();
        assert!(answer.map_or(true, |text| text.is_empty()));
        timeout(PATIENCE, async {
            while TcpStream::connect(addr).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut busy = config();
    busy.server.bind = taken.local_addr().unwrap().to_string();
    let error = builder().config(busy).start().await.unwrap_err();
    assert!(matches!(error, HostError::Bind(_)), "{error:?}");

    let error = ServiceHost::builder("No Name")
        .config(config())
        .start()
        .await
        .unwrap_err();
    assert!(matches!(error, HostError::Name(_)), "{error:?}");

    let check = || async { Ok::<_, BoxError>(()) };
    let twice = builder().check("db", check).check("db", check);
    let error = twice.start().await.unwrap_err();
    assert!(matches!(error, HostError::Check(_)), "{error:?}");
}

#[tokio::test]
async fn the_version_is_reported() {
    let running = started(builder().version("1.2.3")).await;
    assert_eq!(running.info().version(), "1.2.3");
    assert!(ask(&running, "/health").await.body.contains("1.2.3"));
    let metrics = ask(&running, "/metrics").await.body;
    assert!(metrics.contains(r#"version="1.2.3""#), "{metrics}");
}

#[test]
fn every_wrong_setting_is_reported_with_its_key() {
    let text = "[server]\nbind = 'nowhere'\nheader_timeout = '0s'\nidle_timeout = '2h'\n\
                header_limit = '1KiB'\nconnections_max = 0\nhttp2_streams_max = 0\n\
                [drain]\ndelay = '2h'\ntimeout = '2h'\n[log]\nlevel = 'x=='\n\
                [otlp]\nendpoint = 'ftp://nowhere'\n";
    let error = Loader::new()
        .file_text("orders.toml", text)
        .load::<HostConfig>()
        .unwrap_err()
        .to_string();
    for key in [
        "server.bind",
        "server.header_timeout",
        "server.idle_timeout",
        "server.header_limit",
        "server.connections_max",
        "server.http2_streams_max",
        "drain.delay",
        "drain.timeout",
        "log.level",
        "otlp.endpoint",
    ] {
        assert!(error.contains(key), "{key}: {error}");
    }
    assert!(error.contains("10 problems"), "{error}");
}

#[test]
fn the_default_settings_are_valid() {
    let settings = config::resolve(HostConfig::default()).unwrap();
    assert_eq!(settings.bind().to_string(), "127.0.0.1:8080");
    assert!(settings.drain_plan().total() < Duration::from_secs(30));
}

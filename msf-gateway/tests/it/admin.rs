//! What operators see and do, and who else does not.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, StatusCode};
use msf_auth::policy::scope;
use msf_client::Client;
use msf_core::{
    assert_problem,
    body::Body,
    config::Secret,
    problem::Code,
    server::{DrainPlan, Limits},
    testing::TestResponse,
};
use msf_gateway::{Admin, Gateway, Key, RateKey, Route, RunningGateway, StartError};
use msf_resilience::rate_limit::{Quota, RateLimiter};
use serde_json::{Value, json};
use tokio::time;

use crate::common::{PATIENCE, System, get, hello, raw, send};

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const TOKEN: &str = "0123456789abcdef-not-told";

async fn serve(
    system: &System,
    routes: impl IntoIterator<Item = Route>,
    admin: Admin,
) -> RunningGateway {
    let limits = Limits::default().idle_timeout(Duration::from_secs(5));
    let server = system.gateway(routes).await.server(LOOPBACK).workers(1);
    let server = server.limits(limits).admin(admin);
    let plan = DrainPlan::new(Duration::ZERO, Duration::from_secs(5));
    server.drain_plan(plan).start().unwrap()
}

async fn local(
    system: &System,
    routes: impl IntoIterator<Item = Route>,
) -> (RunningGateway, SocketAddr) {
    let gateway = serve(system, routes, Admin::new(LOOPBACK)).await;
    let admin = gateway.admin_addr().unwrap();
    (gateway, admin)
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
}

async fn ask(addr: SocketAddr, path: &str) -> TestResponse {
    send(addr, request("GET", path).body(Body::empty()).unwrap()).await
}

async fn order(addr: SocketAddr, path: &str) -> TestResponse {
    send(addr, request("POST", path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn an_operator_sees_what_the_gateway_runs_on() {
    let system = System::new().with("order", hello).await;
    let system = system.with("order", hello).await;
    let limiter = RateLimiter::<RateKey>::builder(Quota::per_minute(100)).name("orders");
    let orders = Route::prefix("/api/orders")
        .to("order")
        .policy(scope("orders:read"))
        .rate_limit(limiter.build().unwrap(), Key::Subject)
        .timeout(Duration::from_secs(3));
    let (gateway, admin) = local(
        &system,
        [orders, Route::exact("/pay").to("payment").public()],
    )
    .await;

    let routes: Value = ask(admin, "/routes").await.json();
    let of = |id: &str| {
        let found = routes["routes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["id"] == id);
        found
            .unwrap_or_else(|| panic!("no {id} in {routes}"))
            .clone()
    };
    let orders = of("/api/orders/**");
    assert_eq!(orders["to"], "order");
    assert_eq!(orders["timeout"], "3s");
    assert_eq!(orders["rate_limit"], "by subject");
    assert!(orders["policy"].as_str().unwrap().contains("orders:read"));
    assert_eq!(of("/pay")["policy"], "public");

    let clusters: Value = ask(admin, "/clusters").await.json();
    let clusters = clusters["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 2);
    let order = clusters.iter().find(|it| it["name"] == "order").unwrap();
    assert_eq!(order["instances_total"], 2);
    assert_eq!(order["freshness"], "live");
    assert_eq!(order["breaker"], "closed");
    assert!(
        order["instances"][0]["addr"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );

    let explained: Value = ask(admin, "/explain?url=/pay&header=x-a:b").await.json();
    assert_eq!(explained["answer"]["id"], "/pay", "{explained}");
    let explained: Value = ask(admin, "/explain?method=DELETE&url=/nothing")
        .await
        .json();
    assert_eq!(explained["answer"]["answer"], "not_found", "{explained}");
    assert!(explained["text"].as_str().unwrap().contains("404"));
    assert_problem!(ask(admin, "/explain").await, Code::BadRequest);

    let config: Value = ask(admin, "/config").await.json();
    assert_eq!(config["revision"], 1);
    assert_eq!(config["clusters"], json!(["order", "payment"]));
    assert_eq!(
        get(gateway.addr(), "/routes").await.status(),
        404,
        "not for the world"
    );

    assert_eq!(ask(admin, "/livez").await.status(), 200);
    assert_eq!(ask(admin, "/readyz").await.status(), 200);
    let metrics = ask(admin, "/metrics").await;
    let metrics = metrics.text();
    assert!(metrics.contains("msf_client_connections"), "{metrics}");
    let health: Value = ask(admin, "/health").await.json();
    assert_eq!(health["services"]["order"]["healthy"], 2);
}

#[tokio::test]
async fn a_new_configuration_is_what_is_seen() {
    let system = System::new().with("order", hello).await;
    let (gateway, admin) = local(&system, [Route::prefix("/old").to("order").public()]).await;
    let client = Client::builder(system.registry.clone()).build().unwrap();
    let next = Gateway::builder(client).route(Route::prefix("/new").to("order").public());
    gateway.gateway().apply(next).unwrap();
    let routes: Value = ask(admin, "/routes").await.json();
    assert_eq!(routes["routes"][0]["id"], "/new/**");
    assert_eq!(ask(admin, "/config").await.json::<Value>()["revision"], 2);
}

#[tokio::test]
async fn a_breaker_does_as_it_is_told() {
    let system = System::new().with("order", hello).await;
    let (gateway, admin) = local(&system, [Route::prefix("/").to("order").public()]).await;
    assert_eq!(get(gateway.addr(), "/").await.status(), 200);

    let opened: Value = order(admin, "/breakers/order/open").await.json();
    assert_eq!(opened["state"], "forced_open");
    assert_problem!(get(gateway.addr(), "/").await, Code::BreakerOpen);
    let breakers: Value = ask(admin, "/breakers").await.json();
    assert_eq!(breakers["breakers"][0]["service"], "order");
    assert_eq!(breakers["breakers"][0]["succeeded"], 1);

    let closed: Value = order(admin, "/breakers/order/close").await.json();
    assert_eq!(closed["state"], "metrics_only");
    assert_eq!(get(gateway.addr(), "/").await.status(), 200);
    let released: Value = order(admin, "/breakers/order/release").await.json();
    assert_eq!(released["state"], "closed");

    assert_problem!(order(admin, "/breakers/nobody/open").await, Code::NotFound);
    assert_problem!(
        order(admin, "/breakers/order/explode").await,
        Code::NotFound
    );
    assert_problem!(
        ask(admin, "/breakers/order/open").await,
        Code::MethodNotAllowed
    );
}

#[tokio::test]
async fn a_gateway_that_is_told_to_drain_ends() {
    let system = System::new().with("order", hello).await;
    let gateway = system
        .gateway([Route::prefix("/").to("order").public()])
        .await;
    let plan = DrainPlan::new(Duration::from_millis(300), Duration::from_secs(5));
    let server = gateway.server(LOOPBACK).workers(1).drain_plan(plan);
    let mut running = server.admin(Admin::new(LOOPBACK)).start().unwrap();
    let (addr, admin) = (running.addr(), running.admin_addr().unwrap());
    let get_only = ask(admin, "/drain").await;
    assert_problem!(get_only, Code::MethodNotAllowed);
    assert_eq!(get_only.header("allow"), Some("POST"));
    assert_eq!(
        ask(admin, "/readyz").await.status(),
        200,
        "asking has changed nothing"
    );

    let begun: Value = order(admin, "/drain").await.json();
    assert_eq!(begun["phase"], "draining");
    assert_eq!(ask(admin, "/readyz").await.status(), 503);
    // For as long as balancers have not heard of it, requests are served.
    assert_eq!(get(addr, "/").await.text(), "hello");
    time::timeout(PATIENCE, running.finished()).await.unwrap();
    // The end can be watched.
    let again: Value = order(admin, "/drain").await.json();
    assert!(
        matches!(again["phase"].as_str(), Some("stopping" | "cut")),
        "{again}"
    );
    let served = running.stop().await.unwrap();
    assert_eq!(served.cut, 0);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn the_log_level_is_the_programs() {
    let system = System::new().with("order", hello).await;
    let level = Arc::new(Mutex::new("info".to_owned()));
    let (read, write) = (Arc::clone(&level), Arc::clone(&level));
    let admin = Admin::new(LOOPBACK).log_level(
        move || read.lock().unwrap().clone(),
        move |directive| match directive {
            "loud" => Err("no such level".into()),
            _ => {
                *write.lock().unwrap() = directive.to_owned();
                Ok(())
            }
        },
    );
    let gateway = serve(&system, [Route::prefix("/").to("order").public()], admin).await;
    let addr = gateway.admin_addr().unwrap();
    let set = |body: &'static str| {
        let request = request("POST", "/log-level").body(Body::from(body));
        send(addr, request.unwrap())
    };
    assert_eq!(
        ask(addr, "/log-level").await.json::<Value>(),
        json!({ "level": "info" })
    );
    assert_eq!(
        set("debug\n").await.json::<Value>(),
        json!({ "level": "debug" })
    );
    assert_eq!(
        set(r#"{"level": "warn"}"#).await.json::<Value>(),
        json!({ "level": "warn" })
    );
    let refused = assert_problem!(set("loud").await, Code::ValidationFailed);
    assert_eq!(refused.detail.as_deref(), Some("no such level"));
    assert_problem!(set("{}").await, Code::BadRequest);
    let long = Body::from("a".repeat(9_000));
    let long = send(addr, request("POST", "/log-level").body(long).unwrap()).await;
    assert_problem!(long, Code::BadRequest);
    assert_eq!(*level.lock().unwrap(), "warn");

    let (_other, addr) = local(&system, [Route::prefix("/").to("order").public()]).await;
    assert_problem!(ask(addr, "/log-level").await, Code::NotImplemented);
}

#[tokio::test]
async fn without_the_token_there_is_nothing_to_see_or_to_do() {
    let system = System::new().with("order", hello).await;
    let admin = Admin::new(LOOPBACK).token(Secret::new(TOKEN.to_owned()));
    assert!(!format!("{admin:?}").contains(TOKEN));
    let gateway = serve(
        &system,
        [Route::prefix("/concealed").to("order").public()],
        admin,
    )
    .await;
    let addr = gateway.admin_addr().unwrap();
    for path in [
        "/routes",
        "/clusters",
        "/config",
        "/explain?url=/",
        "/breakers",
        "/metrics",
        "/health",
        "/nothing",
    ] {
        let refused = ask(addr, path).await;
        assert_problem!(refused, Code::Unauthenticated);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    for path in ["/drain", "/log-level", "/breakers/order/open"] {
        assert_problem!(order(addr, path).await, Code::Unauthenticated);
    }
    for path in ["/livez", "/readyz", "/", "/admin.js", "/admin.css"] {
        let open = ask(addr, path).await;
        assert_eq!(open.status(), 200, "{path}");
        assert!(
            !open.text().contains("concealed"),
            "{path}: nothing of this gateway's"
        );
    }
    let with = |token: String| {
        let request = request("GET", "/routes").header("authorization", format!("Bearer {token}"));
        send(addr, request.body(Body::empty()).unwrap())
    };
    assert_problem!(with(format!("{TOKEN}x")).await, Code::InvalidToken);
    let shown = with(TOKEN.to_owned()).await;
    assert_eq!(shown.status(), 200);
    assert!(!shown.text().contains(TOKEN));
    assert_eq!(
        get(gateway.addr(), "/concealed").await.text(),
        "hello",
        "nobody has opened the breaker"
    );
}

#[tokio::test]
async fn a_listener_for_the_world_needs_a_token_that_nobody_guesses() {
    let system = System::new();
    let world: SocketAddr = ([0, 0, 0, 0], 0).into();
    let start = async |admin| {
        let gateway = system
            .gateway([Route::prefix("/").to("order").public()])
            .await;
        gateway.server(LOOPBACK).workers(1).admin(admin).start()
    };
    let error = start(Admin::new(world)).await.unwrap_err();
    assert!(matches!(error, StartError::Admin(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "the admin listener at 0.0.0.0:0 needs a token, since others than this machine can reach it"
    );
    let short = Admin::new(world).token(Secret::new("secret".to_owned()));
    let error = start(short).await.unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    let token = Secret::new(TOKEN.to_owned());
    drop(start(Admin::new(world).token(token)).await.unwrap());
}

#[tokio::test]
async fn a_page_in_the_operators_browser_is_not_the_operator() {
    let system = System::new().with("order", hello).await;
    let (gateway, admin) = local(&system, [Route::prefix("/").to("order").public()]).await;
    let own = format!("http://{admin}");
    for (header, value, status) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("host", "evil.example", 421),
        ("host", "localhost.evil.example", 421),
    ] {
        let request = Request::post("/breakers/order/open").header(header, value);
        let request = match header {
            "host" => request,
            _ => request.header("host", admin.to_string()),
        };
        let refused = send(admin, request.body(Body::empty()).unwrap()).await;
        assert_eq!(refused.status(), status, "{header}: {value}");
    }
    let stolen = Request::get("/routes").header("host", "evil.example");
    let stolen = send(admin, stolen.body(Body::empty()).unwrap()).await;
    assert_problem!(stolen, Code::MisdirectedRequest);
    assert_eq!(get(gateway.addr(), "/").await.text(), "hello");

    let page = Request::post("/breakers/order/open").header("host", admin.to_string());
    let page = page
        .header("origin", own)
        .header("sec-fetch-site", "same-origin");
    let page = send(admin, page.body(Body::empty()).unwrap()).await;
    assert_eq!(page.status(), 200);
    // Whoever speaks HTTP/1.0 by hand is no browser.
    let by_hand = raw(admin, b"GET /routes HTTP/1.0\r\n\r\n").await;
    assert!(
        by_hand.starts_with("HTTP/1.0 200") || by_hand.starts_with("HTTP/1.1 200"),
        "{by_hand}"
    );
}

#[tokio::test]
async fn who_may_only_look_changes_nothing() {
    let system = System::new().with("order", hello).await;
    let admin = Admin::new(LOOPBACK).read_only();
    let gateway = serve(&system, [Route::prefix("/").to("order").public()], admin).await;
    let admin = gateway.admin_addr().unwrap();
    for path in ["/drain", "/breakers/order/open"] {
        assert_problem!(order(admin, path).await, Code::Forbidden);
    }
    assert_eq!(ask(admin, "/routes").await.status(), 200);
    assert_eq!(ask(admin, "/readyz").await.status(), 200);
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_cannot_be_framed() {
    let system = System::new().with("order", hello).await;
    let (_gateway, admin) = local(&system, [Route::prefix("/").to("order").public()]).await;
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/admin.css", "text/css; charset=utf-8"),
        ("/admin.js", "text/javascript; charset=utf-8"),
    ] {
        let answer = ask(admin, path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.header("content-type"), Some(media_type));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let text = answer.text();
        // Without the example in a field, nothing names another host, and nothing is run that is not a file.
        let text = text.replace("https://shop.local/", "");
        for foreign in [
            "http://",
            "https://",
            "innerHTML",
            "eval(",
            "onclick=\"",
            "style=\"",
        ] {
            assert!(!text.contains(foreign), "{path}: {foreign}");
        }
    }
    let head = send(admin, request("HEAD", "/").body(Body::empty()).unwrap()).await;
    assert_eq!((head.status(), head.text().len()), (StatusCode::OK, 0));
}

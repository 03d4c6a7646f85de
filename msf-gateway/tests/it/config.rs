//! Gateways from files.

use msf_core::{metrics::Metrics, testing::TestServer};
use msf_gateway::{
    Probe,
    config::{ConfigErrors, GatewayConfig, PathMatch, TargetConfig},
    route::Answer,
};

use crate::common::{get, hello, send};

/// As it is in the documentation, word by word.
const FIRST: &str = r#"
workers = 1
[[listeners]]
bind = "127.0.0.1:8080"
[admin]
bind = "127.0.0.1:9901"
[clusters.users]
endpoints = ["http://127.0.0.1:9001"]
[[routes]]
id = "users"
match = { path = "/api/users/**" }
to = "users"
"#;

/// Everything that a file can say and the gateway can do.
const EVERYTHING: &str = r#"
workers = 2
expose_metrics = true
zone = "a"
gateway_headers = false
trust_trace = true
identity_headers = ["x-tenant", "x-plan"]

[[listeners]]
bind = "0.0.0.0:8080"
trusted_proxies = ["10.0.0.0/8", "192.0.2.7"]
https = true
forwarded = true
[listeners.limits]
connections_max = 5000
connections_per_address_max = 100
header_timeout = "5s"
idle_timeout = "30s"
body_timeout = "20s"
body_rate_min = 1000
body_rate_window = "10s"
write_timeout = "20s"
header_limit = "16KiB"
http2_streams_max = 100
http2_resets_max = 300

[admin]
bind = "0.0.0.0:9901"
token = "a token of sufficient length"

[drain]
delay = "1s"
timeout = "20s"

[access_log]
template = "{method} {path} {status}"
capacity = 1000
sample = 10

[connections]
body_timeout = "20s"
header_limit = "32KiB"
streams_max = 50

[redis]
url = "redis://user:hunter2@10.0.0.9:6379/0"
prefix = "shop:limit"
timeout = "10ms"
connect_timeout = "500ms"
instances = 3

[internal_identity]
issuer = "https://gateway.example"
key = """
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""
ttl = "20s"
keep = "5s"
carry = "roles"

[defaults]
timeout = "3s"
body_limit = "1MiB"
policy = "authenticated"

[clusters.users]
endpoints = ["http://10.0.0.1:9001", { url = "http://10.0.0.2:9001", weight = 3, zone = "a" }]
lb = "least_request"
zone_aware = { instances_min = 2, gateways = { a = 2, b = 1 } }
protocol = "h2c"
connect_timeout = "300ms"
timeout = "2s"
panic_threshold = 0.4
subset = 10
slow_start = { window = "10s", min = 0.2, aggression = 2.0 }
[clusters.users.outlier]
consecutive = 3
base = "5s"
[clusters.users.breaker]
failure_rate = 0.3
min_calls = 50
slow_rate = 0.8
slow_after = "1s"
[clusters.users.limits]
connections_max = 100
queue_max = 50
queue_timeout = "500ms"
idle_max = 8
idle_timeout = "5s"

[clusters.users-v2]
endpoints = ["http://10.0.0.3:9001"]
lb = "p2c"

[clusters.carts]
endpoints = ["http://10.0.0.4:9001", "http://10.0.0.5:9001"]
lb = "maglev"
hash_by = "cookie:session"
bounded_load = 1.25

[auth]
leeway = "10s"
[[auth.issuers]]
issuer = "https://id.example"
audience = "shop"
jwks_url = "https://id.example/keys"
algorithms = ["RS256", "EdDSA"]
token_type = "JWT"
[[auth.issuers]]
issuer = "https://other.example"
audience = ["shop", "orders"]
hs256_secret = "thirty-two bytes are what it takes"

[[routes]]
id = "users"
match = { host = "*.shop.example", path = "/api/users/**", methods = ["GET", "POST"] }
to = "users"
policy = "scope(users:read)"
rate_limit = { requests = 50, per = "1s", burst = 100, by = "subject", max_keys = 1000 }
shared_rate_limit = { requests = 5000, per = "1h", burst = 500, by = "subject", name = "users-all", on_failure = "refuse" }
internal_identity = true
retry = { attempts = 2, attempt_timeout = "300ms", wait = "10ms", wait_max = "1s", body_limit = "4KiB", methods = ["GET", "PUT"], retry_after_max = "5s", budget = 0.1 }
hedge = { quantile = 0.9, attempts = 2, min_samples = 50, min_delay = "5ms", window = "1m" }
timeout = "1s"
body_limit = "64KiB"
strip_prefix = true
request_headers = { set = { x-tenant = "a" }, add = { x-via = "gateway" }, remove = ["x-debug"] }
response_headers = { remove = "x-internal" }
mirror = { to = "users-v2", percent = 5, body_max = "4KiB", in_flight_max = 8, timeout = "1s" }
upgrade = "websocket"
upgrade_idle_timeout = "10m"
order = 1
[routes.cors]
origins = ["https://shop.example"]
methods = "GET"
headers = ["x-request-id"]
expose = ["x-total"]
credentials = true
max_age = "10m"

[[routes]]
id = "canary"
match = { path = "/api/users/{id}", header = { x-canary = "1" }, query = { v = { regex = "[0-9]+" } }, cookie = { beta = true } }
to = [{ cluster = "users", weight = 95 }, { cluster = "users-v2", weight = 5 }]
ip = { allow = ["10.0.0.0/8"], deny = "10.0.0.1" }

[[routes]]
id = "old"
match = { path = { regex = "/v[0-9]+/.*" } }
redirect = { to = "https://shop.example/", status = 308 }
public = true

[[routes]]
id = "moved"
match = { path = "/shop/**" }
redirect = { scheme = "https", host = "shop.example", port = 8443, prefix = "/market", status = 301 }
public = true

[[routes]]
id = "gone"
match = { path = "/v0/**" }
respond = { problem = "gone", detail = "use /v2" }
public = true

[[routes]]
id = "robots"
match = { path = "/robots.txt", methods = "GET" }
respond = { body = "User-agent: *\nDisallow: /" }
public = true

[[routes]]
id = "reports"
match = { path = "/reports/**" }
to = "users-v2"
maintenance = { retry_after = "10m", message = "back at noon", except = "10.0.0.0/8" }
"#;

fn errors(text: &str) -> ConfigErrors {
    GatewayConfig::load_with("g.toml", text, [("KEY", "value")]).unwrap_err()
}

/// The problems as `place path: message; hint`.
fn told(text: &str) -> Vec<String> {
    let errors = errors(text);
    errors.problems().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn the_first_file_works_as_written() {
    let config = GatewayConfig::load("gateway.toml", FIRST).unwrap();
    assert_eq!(config.workers, Some(1));
    let route = &config.routes[0];
    let path = route.r#match.as_ref().unwrap().path.clone();
    assert_eq!(path, Some(PathMatch::Prefix("/api/users".to_owned())));
    assert_eq!(route.to, Some(TargetConfig::One("users".to_owned())));

    let gateway = config.build(&Metrics::new()).unwrap();
    let explanation = gateway.explain(&Probe::get("http://a/api/users/7"));
    assert!(
        matches!(&explanation.answer, Answer::Route { id, .. } if id == "users"),
        "{explanation}"
    );
    let _server = config.server(gateway).unwrap();
}

#[tokio::test]
async fn a_file_serves() {
    let users = TestServer::start(tower::service_fn(|request| async {
        Ok::<_, std::convert::Infallible>(hello(request).await)
    }))
    .await;
    let text = FIRST
        .replace("http://127.0.0.1:9001", &users.url(""))
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:9901", "127.0.0.1:0");
    let config = GatewayConfig::load("gateway.toml", &text).unwrap();
    let gateway = config.build(&Metrics::new()).unwrap();
    let running = config.server(gateway).unwrap().start().unwrap();
    assert_eq!(get(running.addr(), "/api/users/7").await.text(), "hello");
    assert_eq!(get(running.addr(), "/api/orders").await.status(), 404);
    let admin = running.admin_addr().unwrap();
    let request = http::Request::get("/livez").header("host", "127.0.0.1");
    let request = request.body(msf_core::body::Body::empty()).unwrap();
    assert_eq!(send(admin, request).await.status(), 200);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn everything_that_a_file_can_say_is_taken_and_survives_json() {
    let config =
        GatewayConfig::load("gateway.toml", EVERYTHING).unwrap_or_else(|errors| panic!("{errors}"));
    let json = serde_json::to_string_pretty(&config).unwrap();
    assert!(!json.contains("sufficient length"), "{json}");
    assert!(!json.contains("thirty-two"), "{json}");
    assert!(
        !json.contains("hunter2") && !json.contains("PRIVATE"),
        "{json}"
    );
    let mut json: serde_json::Value = serde_json::from_str(&json).unwrap();
    // Not every secret may be any text.
    json["redis"]["url"] = "redis://10.0.0.9".into();
    let key = config.internal_identity.as_ref().unwrap().key.as_ref();
    json["internal_identity"]["key"] = key.unwrap().secret().expose().as_str().into();
    let json = json.to_string();
    // The secrets are gone from it, and are the only thing that is.
    let json = json.replace("[redacted]", "[redacted], at length, for each of them");
    let again = GatewayConfig::load("gateway.json", &json).unwrap_or_else(|errors| {
        panic!("{errors}\n{json}");
    });
    let keys: Vec<_> = config.diff(&again).into_iter().map(|it| it.key).collect();
    assert_eq!(keys, ["admin", "auth", "redis"]);
    assert!(config.diff(&config).is_empty());

    let gateway = config.build(&Metrics::new());
    gateway.unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn the_schema_knows_every_key() {
    let schema = serde_json::to_value(GatewayConfig::schema()).unwrap();
    let config = GatewayConfig::load("gateway.toml", EVERYTHING).unwrap();
    let value = serde_json::to_value(&config).unwrap();
    let mut missing = Vec::new();
    compare(&schema, &schema, &value, "", &mut missing);
    assert_eq!(missing, Vec::<String>::new());
    // And whoever edits by it is told of a key that is none.
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["$defs"]["RouteConfig"]["additionalProperties"],
        false
    );
}

/// Notes the keys of a value that its schema does not have.
fn compare(
    root: &serde_json::Value,
    schema: &serde_json::Value,
    value: &serde_json::Value,
    at: &str,
    missing: &mut Vec<String>,
) {
    let mut schemas = Vec::new();
    expand(root, schema, &mut schemas);
    match value {
        serde_json::Value::Object(entries) => {
            for (key, value) in entries {
                let found = schemas.iter().find_map(|schema| {
                    let own = schema.get("properties").and_then(|it| it.get(key));
                    own.or_else(|| {
                        let more = schema.get("additionalProperties")?;
                        more.is_object().then_some(more)
                    })
                });
                let at = format!("{at}.{key}");
                match found {
                    Some(schema) => compare(root, schema, value, &at, missing),
                    None => missing.push(at),
                }
            }
        }
        serde_json::Value::Array(items) => {
            let found = schemas.iter().find_map(|schema| schema.get("items"));
            for item in items {
                match found {
                    Some(schema) => compare(root, schema, item, &format!("{at}[]"), missing),
                    None => missing.push(format!("{at}[]")),
                }
            }
        }
        _ => {}
    }
}

/// A schema and all that it may stand for.
fn expand<'a>(
    root: &'a serde_json::Value,
    schema: &'a serde_json::Value,
    found: &mut Vec<&'a serde_json::Value>,
) {
    found.push(schema);
    if let Some(name) = schema.get("$ref").and_then(|it| it.as_str()) {
        let pointer = name.trim_start_matches('#');
        expand(root, root.pointer(pointer).unwrap(), found);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for one in schema
            .get(key)
            .and_then(|it| it.as_array())
            .into_iter()
            .flatten()
        {
            expand(root, one, found);
        }
    }
}

#[test]
fn all_problems_are_told_at_once_with_key_line_and_way_out() {
    let told = told(
        r#"
workers = 0
[[listeners]]
bnd = "127.0.0.1:8080"
trusted_proxies = ["10.0.0.1/8"]
[admin]
bind = "0.0.0.0:9901"
[clusters.users]
endpoints = []
lb = "p3c"
[[routes]]
id = "a"
match = { path = "/a", method = "GET" }
to = "user"
[[routes]]
id = "a"
policy = "scope("
"#,
    );
    let expected = [
        "g.toml:4: listeners[0].bnd: unknown key; did you mean listeners[0].bind?",
        "g.toml:10: clusters.users.lb: ",
        "g.toml:13: routes[0].match.method: unknown key; did you mean routes[0].match.methods?",
        "g.toml:16: routes[1].id: routes[0] has the id \"a\" already",
        "g.toml:15: routes[1].match: must be set",
        "g.toml:2: workers: must be 1 or more",
        "g.toml:5: listeners[0].trusted_proxies: \"10.0.0.1/8\" is no block of addresses",
        "admin.token: must be set where others than this machine can reach the address; as",
    ];
    for expected in expected {
        let is_told = told.iter().any(|it| it.contains(expected));
        assert!(is_told, "{expected:?} is not in {told:#?}");
    }
}

#[test]
fn a_route_that_cannot_be_read_puts_no_blame_on_another() {
    let text = "
[[routes]]
match = { path = \"/a\" }
respond = {}
timeout = 5
[[routes]]
match = { path = \"/b\" }
respond = {}
[[routes]]
match = { path = \"/c\" }
";
    let told_first = told(text);
    assert_eq!(told_first.len(), 1, "{told_first:#?}");
    assert!(
        told_first[0].starts_with("g.toml:5: routes[0].timeout: "),
        "{told_first:#?}"
    );
    let told_next = told(&text.replace("timeout = 5", ""));
    assert_eq!(told_next.len(), 1, "{told_next:#?}");
    assert!(
        told_next[0].contains("routes[2].to: must be set"),
        "{told_next:#?}"
    );
}

#[test]
fn each_mistake_has_its_words() {
    let cluster = "[clusters.users]\nendpoints = [\"http://10.0.0.1:9001\"]\n";
    let route = |more: &str| {
        format!("{cluster}[[routes]]\nid = \"a\"\nmatch = {{ path = \"/a/**\" }}\n{more}")
    };
    let cases = [
        // Where it leads.
        (
            route("to = \"user\""),
            "routes[0].to: there is no cluster \"user\"; did you mean \"users\"?",
        ),
        (route(""), "routes[0].to: must be set"),
        (
            route("to = \"users\"\nredirect = \"/b\""),
            "routes[0].redirect: cannot stand beside `to`",
        ),
        (
            route("to = [{ cluster = \"users\", weight = 0 }]"),
            "routes[0].to: needs a cluster",
        ),
        (
            route("to = [{ cluster = \"userz\", weight = 1 }]"),
            "routes[0].to[0].cluster: there is no",
        ),
        (route("to = [{ clustr = \"users\", weight = 1 }]"), "clustr"),
        // Who may pass.
        (
            route("to = \"users\"\npolicy = \"scope(\""),
            "g.toml:7: routes[0].policy: ",
        ),
        (
            route("to = \"users\"\npolicy = \"authenticated\""),
            "add [auth] with an issuer",
        ),
        (
            route("to = \"users\"\npublic = true\npolicy = \"public\""),
            "cannot stand beside `public = true`",
        ),
        (
            format!("[auth]\n{}", route("to = \"users\"")),
            "auth.issuers: must have an issuer",
        ),
        (
            format!(
                "[[auth.issuers]]\nissuer = \"i\"\naudience = \"a\"\nhs256_secret = \"{}\"\n{}",
                "x".repeat(32),
                route("to = \"users\"")
            ),
            "routes[0].policy: must be set, since there is an [auth]",
        ),
        (
            format!(
                "[[auth.issuers]]\nissuer = \"i\"\naudience = \"a\"\nhs256_secret = \"short\"\n{}",
                route("to = \"users\"\npublic = true")
            ),
            "g.toml:4: auth.issuers[0].hs256_secret: ",
        ),
        // How it is called.
        (
            route("to = \"users\"\nstrip_prefix = true\nrewrite = \"/b\""),
            "routes[0].rewrite: cannot stand beside `strip_prefix`",
        ),
        (
            route("to = \"users\"\nrate_limit = { per = \"1s\" }"),
            "routes[0].rate_limit.requests: must be set",
        ),
        (
            route("to = \"users\"\nrate_limit = { requests = 0 }"),
            "routes[0].rate_limit: ",
        ),
        (
            route("to = \"users\"\nmirror = { to = \"users\", percent = 0 }"),
            "routes[0].mirror.percent: must be",
        ),
        (
            route("to = \"users\"\nip = {}"),
            "routes[0].ip: names no address",
        ),
        (
            route("to = \"users\"\ncors = {}"),
            "routes[0].cors.origins: must be set",
        ),
        (
            route("to = \"users\"\ntimeout = \"3 parsecs\""),
            "g.toml:7: routes[0].timeout: ",
        ),
        (
            route("respond = { status = 99 }"),
            "routes[0].respond.status: is no status",
        ),
        // What it takes.
        (
            format!("{cluster}[[routes]]\nmatch = {{ path = {{ regx = \"a\" }} }}\nto = \"users\""),
            "did you mean \"regex\"?",
        ),
        (
            format!("{cluster}[[routes]]\nmatch = {{ path = \"/a/*/b\" }}\nto = \"users\""),
            "routes[0].match.path: a star",
        ),
        (
            format!(
                "{cluster}[[routes]]\nmatch = {{ path = \"/a\", methods = \"get\" }}\nto = \"users\""
            ),
            "did you mean \"GET\"?",
        ),
        // Clusters.
        (
            route("to = \"users\"").replace("[\"http://10.0.0.1:9001\"]", "[]"),
            "clusters.users.endpoints: must be set",
        ),
        (
            route("to = \"users\"").replace("endpoints", "discover = true\nendpoints"),
            "cannot stand beside `discover = true`",
        ),
        (
            "[clusters.u]\ndiscover = true\n".to_owned() + &route("to = \"users\""),
            "clusters.u.discover: needs a registry",
        ),
        (
            "[clusters.u]\nendpoints = [\"http://10.0.0.1\"]\nbreaker = { slow_rate = 0.5 }\n"
                .to_owned()
                + &route("to = \"users\""),
            "clusters.u.breaker.slow_after: is needed",
        ),
        (
            "[clusters.u]\nendpoints = [\"http://10.0.0.1\"]\noutlier = { max_ejected = 2.0 }\n"
                .to_owned()
                + &route("to = \"users\""),
            "clusters.u.outlier.max_ejected: must be 0 to 1",
        ),
        (
            "[registry]\n".to_owned() + &route("to = \"users\""),
            "registry: is empty",
        ),
    ];
    for (text, expected) in cases {
        let told = told(&text);
        let is_told = told.iter().any(|it| it.contains(expected));
        assert!(is_told, "{expected:?} is not in {told:#?}\n{text}");
    }
}

#[tokio::test]
async fn what_only_the_gateway_finds_is_told_at_its_key() {
    // A configuration that did not come from a text is looked at when it is built.
    let build = |text: &str| {
        let config = toml::from_str::<GatewayConfig>(text).unwrap();
        let errors = config.build(&Metrics::new()).unwrap_err();
        let problems = errors.problems().iter();
        problems.map(ToString::to_string).collect::<Vec<_>>()
    };
    let route = |id: &str, path: &str| {
        format!("[[routes]]\nid = \"{id}\"\nmatch = {{ path = {path} }}\nrespond = {{}}\n")
    };
    let told = build(&(route("a", "\"/a\"") + &route("b", "\"/a\"")));
    assert!(told[0].starts_with("routes[1].match: "), "{told:?}");
    let told = build(&route("a", "\"/a/../b\""));
    assert!(told[0].starts_with("routes[0].match.path: "), "{told:?}");
    let told = build(&route("a", "{ regex = \"(\" }"));
    assert!(told[0].starts_with("routes[0].match"), "{told:?}");
}

#[test]
fn what_a_builder_finds_is_told_with_everything_else() {
    let told = told(
        r#"
wrkers = 1
[admin]
bind = "127.0.0.1:9901"
[[listeners]]
bind = "127.0.0.1:9901"
[clusters.users]
endpoints = ["http://10.0.0.1:9001", "users", "10.0.0.1:9001"]
timeout = "0s"
[[routes]]
id = "all"
match = { path = "/api/**" }
to = "users"
[[routes]]
match = { path = "/api/**" }
to = "users"
[[routes]]
match = { path = "/b" }
to = "usr"
[[routes]]
match = { path = "/{id" }
to = "users"
"#,
    );
    for expected in [
        "g.toml:2: wrkers: unknown key; did you mean workers?",
        "g.toml:4: admin.bind: a listener is at 127.0.0.1:9901",
        "g.toml:8: clusters.users.endpoints[1]: \"users\" is no endpoint",
        "g.toml:8: clusters.users.endpoints[2]: 10.0.0.1:9001 is there twice",
        "g.toml:9: clusters.users.timeout: must be above zero",
        "g.toml:15: routes[1].match: an earlier route, all, takes every method there already; that one is routes[0]",
        "routes[2].to: there is no cluster \"usr\"",
        "g.toml:21: routes[3].match.path: `{id` is no capture",
    ] {
        let is_told = told.iter().any(|it| it.contains(expected));
        assert!(is_told, "{expected:?} is not in {told:#?}");
    }
}

#[test]
fn a_mistake_of_a_route_puts_no_blame_on_the_routes_beside_it() {
    let told = told(
        r#"
[clusters.users]
endpoints = ["http://10.0.0.1:9001"]
[[routes]]
match = { path = "/a", method = "GET" }
to = "users"
[[routes]]
match = { path = "/a", methods = "POST" }
to = "users"
[[routes]]
match = { path = "/a", method = "PUT" }
to = "users"
"#,
    );
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(
        told.iter().all(|it| it.contains("unknown key")),
        "{told:#?}"
    );
}

#[test]
fn a_secret_is_followed_and_never_told() {
    let text = FIRST.replace("9901\"", "9901\"\ntoken = \"env:TOKEN\"");
    let env = [("TOKEN", "correct horse battery staple")];
    let config = GatewayConfig::load_with("g.toml", &text, env).unwrap();
    let token = config.admin.as_ref().unwrap().token.as_ref().unwrap();
    assert_eq!(token.secret().expose(), "correct horse battery staple");
    assert!(!format!("{config:?}").contains("horse"));
    let none: [(&str, &str); 0] = [];
    let errors = GatewayConfig::load_with("g.toml", &text, none).unwrap_err();
    let told = errors.to_string();
    assert!(
        told.contains("g.toml:7: admin.token: the secret refers to TOKEN"),
        "{told}"
    );
    let errors = GatewayConfig::load_with("g.toml", &text, [("TOKEN", "hunter2")]).unwrap_err();
    let told = errors.to_string();
    assert!(
        told.contains("characters or more") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn a_variable_wins_over_the_file() {
    let env = [
        ("MSF_GATEWAY__WORKERS", "3"),
        ("MSF_GATEWAY_CONFIG", "/nowhere"),
    ];
    let config = GatewayConfig::load_with("g.toml", FIRST, env).unwrap();
    assert_eq!(config.workers, Some(3));
}

#[test]
fn garbage_is_told_and_nothing_else_happens() {
    for text in [
        "\u{0}",
        "= =",
        "[[routes",
        "routes = 7",
        "[routes]\nx = 1",
        "listeners = [[]]",
    ] {
        assert!(!told(text).is_empty(), "{text:?}");
    }
    let deep = format!("a = {}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(!told(&deep).is_empty());
    let many = "[[routes]]\n".repeat(5_000);
    assert!(errors(&many).problems().len() <= 101);
    for text in [
        "",
        "{",
        "[]",
        "null",
        "{\"routes\": 7}",
        "{\"a\": 1, \"a\": 2}",
    ] {
        GatewayConfig::load("g.json", text).unwrap_err();
    }
}

#[test]
fn the_table_of_problems_is_aligned() {
    let errors = errors("worker = 1\n[[routes]]\nmatch = { path = \"/\" }\n");
    let table = errors.table();
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("PLACE"), "{table}");
    let column = lines[0].find("PROBLEM").unwrap();
    assert!(lines[1..].iter().all(|line| line.len() > column), "{table}");
    assert!(table.contains("did you mean workers?"), "{table}");
}

#[tokio::test]
async fn ten_thousand_routes_are_read_and_built() {
    use std::fmt::Write as _;
    let mut text = String::from("[clusters.users]\nendpoints = [\"http://10.0.0.1:9001\"]\n");
    for n in 0..10_000 {
        writeln!(
            text,
            "[[routes]]\nid = \"r{n}\"\nmatch = {{ path = \"/api/{n}/**\" }}\nto = \"users\""
        )
        .unwrap();
    }
    let config = GatewayConfig::load("g.toml", &text).unwrap();
    let gateway = config.build(&Metrics::new()).unwrap();
    let explanation = gateway.explain(&Probe::get("http://a/api/7777/x"));
    assert!(
        matches!(&explanation.answer, Answer::Route { id, .. } if id == "r7777"),
        "{explanation}"
    );
}

#[tokio::test]
async fn a_limit_of_a_file_counts() {
    let text = "
        [[routes]]
        id = \"hello\"
        match = { path = \"/hello\" }
        respond = { body = \"hello\" }
        rate_limit = { requests = 2, per = \"1h\" }
    ";
    let config = GatewayConfig::load("g.toml", text).unwrap();
    let gateway = config.build(&Metrics::new()).unwrap();
    let running = crate::common::start(gateway);
    let ask = || {
        let request = http::Request::get("/hello").body(msf_core::body::Body::empty());
        send(running.addr(), request.unwrap())
    };
    assert_eq!(ask().await.text(), "hello");
    assert_eq!(ask().await.status(), 200);
    assert_eq!(ask().await.status(), 429);
}

#[tokio::test]
async fn a_limit_of_a_route_without_an_id_counts_too() {
    let text = "
        [[routes]]
        match = { path = \"/hello/**\" }
        respond = { body = \"hello\" }
        rate_limit = { requests = 1, per = \"1h\" }
    ";
    let config = GatewayConfig::load("g.toml", text).unwrap_or_else(|e| panic!("{e}"));
    config.build(&Metrics::new()).unwrap();
}

#[test]
fn shared_limits_and_identities_say_what_they_miss() {
    let shared = |redis: &str, routes: &str| {
        let route = |(id, limit): (usize, &str)| {
            format!(
                "[[routes]]\nid = \"r{id}\"\nmatch = {{ path = \"/{id}\" }}\nrespond = {{}}\n\
                 shared_rate_limit = {{ {limit} }}\n"
            )
        };
        let routes: String = routes.split(';').enumerate().map(route).collect();
        told(&(redis.to_owned() + "\n" + &routes))
    };
    let has = |told: Vec<String>, expected: &str| {
        let is_told = told.iter().any(|it| it.contains(expected));
        assert!(is_told, "{expected:?} is not in {told:#?}");
        assert!(!told.iter().any(|it| it.contains("hunter2")), "{told:?}");
    };
    has(
        shared("", "requests = 1"),
        "routes[0].shared_rate_limit: needs a store; add [redis]",
    );
    has(shared("[redis]", "requests = 1"), "redis.url: must be set");
    let redis = "[redis]\nurl = \"redis://:hunter2@h:1\"";
    has(
        shared(redis, "per = \"1s\""),
        "routes[0].shared_rate_limit.requests: must be set",
    );
    has(
        shared(redis, "requests = 0"),
        "routes[0].shared_rate_limit: ",
    );
    if cfg!(feature = "redis") {
        has(
            shared("[redis]\nurl = \"http://:hunter2@h\"", "requests = 1"),
            "redis.url: the address must be a URL",
        );
        has(
            shared(&format!("{redis}\nprefix = \"a b\""), "requests = 1"),
            "redis.prefix: the prefix must be",
        );
        has(
            shared(&format!("{redis}\ntimeout = \"0s\""), "requests = 1"),
            "redis.timeout: the timeout must be",
        );
        has(
            shared(
                redis,
                "requests = 1, name = \"all\";requests = 2, name = \"all\"",
            ),
            "routes[1].shared_rate_limit: routes[0].shared_rate_limit counts by the name \"all\" too",
        );
    }

    let route = "[[routes]]\nmatch = { path = \"/a\" }\nto = \"a\"\ninternal_identity = true\n\
                 [clusters.a]\nendpoints = [\"http://10.0.0.1:1\"]\n";
    has(
        told(route),
        "routes[0].internal_identity: needs somebody who mints",
    );
    let identity = |keys: &str| told(&format!("{route}[internal_identity]\n{keys}"));
    has(identity(""), "internal_identity.issuer: must be set");
    has(
        identity("issuer = \"x\""),
        "internal_identity.key: must be set",
    );
    has(
        identity("issuer = \"x\"\nkey = \"hunter2\""),
        "internal_identity.key: must be one private key",
    );
    let respond = |keys: &str| told(&format!("[[routes]]\nmatch = {{}}\nrespond = {{ {keys} }}"));
    has(
        respond("problem = \"goone\""),
        "routes[0].respond.problem: there is no code \"goone\"",
    );
    has(
        respond("problem = \"gone\", status = 200"),
        "routes[0].respond.status: cannot stand",
    );
    has(
        respond("detail = \"x\""),
        "routes[0].respond.detail: needs a `problem`",
    );
    has(
        told("identity_headers = [\"x-a\", \"x b\"]\n[[routes]]\nmatch = {}\nrespond = {}"),
        "identity_headers[1]: \"x b\" is no name of a header",
    );
    has(
        told("identity_headers = \"*\"\n[[routes]]\nmatch = {}\nrespond = {}"),
        "identity_headers: \"*\" is no name of a header",
    );
}

#[test]
fn an_identity_on_a_public_route_is_told_at_its_key() {
    let text = r#"
        [[routes]]
        id = "a"
        match = { path = "/a" }
        to = "a"
        internal_identity = true
        [clusters.a]
        endpoints = ["http://10.0.0.1:1"]
        [internal_identity]
        issuer = "https://gateway.example"
        key = """
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----"""
    "#;
    assert_eq!(
        errors(text).problems()[0].path,
        "routes[0].internal_identity"
    );
}

/// The part of a file with this cluster and a route to it.
fn balanced(top: &str, cluster: &str) -> String {
    let route = "[[routes]]\nmatch = { path = \"/**\" }\nto = \"carts\"\n";
    format!("{top}\n[clusters.carts]\n{cluster}\n{route}")
}

#[test]
fn what_is_wrong_with_zones_and_hashes_is_told_with_a_way_out() {
    let two = "endpoints = [\"http://10.0.0.1:1\", \"http://10.0.0.2:1\"]";
    for (top, cluster, expected) in [
        ("", "lb = \"magliv\"", "clusters.carts.lb: "),
        (
            "",
            "hash_by = \"client\"",
            "clusters.carts.hash_by: is for an `lb` by hash; set `lb` to maglev, ring_hash or rendezvous",
        ),
        (
            "",
            "lb = \"maglev\"\nhash_by = \"ip\"",
            "clusters.carts.hash_by: is one of client, path, header:NAME and cookie:NAME",
        ),
        (
            "",
            "slow_start = { off = true, min = 0.5 }",
            "clusters.carts.slow_start.off: leaves the other keys of its table without effect",
        ),
        (
            "",
            "outlier = { off = true, consecutive = 3 }",
            "clusters.carts.outlier.off: leaves the other keys of its table without effect",
        ),
        (
            "",
            "lb = \"maglev\"\nhash_by = \"header:x-user-id\"",
            "clusters.carts.hash_by: is a header that no client may send, and is removed before",
        ),
        (
            "identity_headers = \"x-shop-\"",
            "lb = \"maglev\"\nhash_by = \"header:x-shop-cart\"",
            "clusters.carts.hash_by: is a header that no client may send, and is removed before",
        ),
        (
            "",
            "bounded_load = 1.25",
            "clusters.carts.bounded_load: is for an `lb` by hash; set `lb` to",
        ),
        (
            "",
            "lb = \"rendezvous\"\nbounded_load = 0.5",
            "clusters.carts: `bounded_load` must be above 1 and at most 100, not 0.5",
        ),
        ("zone = \"\"", "", "zone: must be 1 to 64 bytes"),
        (
            "",
            "zone_aware = { instances_min = 2 }",
            "clusters.carts.zone_aware: needs to know where the gateway runs; set `zone`",
        ),
        (
            "zone = \"a\"",
            "zone_aware = { gateways = { a = 0 } }",
            "clusters.carts.zone_aware.gateways: must have one that is above 0",
        ),
    ] {
        let told = told(&balanced(top, &format!("{two}\n{cluster}")));
        let is_told = told.len() == 1 && told[0].contains(expected);
        assert!(is_told, "{expected:?} is not in {told:#?}");
    }
    let zoned = "endpoints = [{ url = \"http://10.0.0.1:1\", zone = \"\" }]";
    let told = told(&balanced("", zoned));
    assert!(
        told.len() == 1 && told[0].contains("clusters.carts.endpoints[0].zone: must be 1 to 64"),
        "{told:#?}"
    );
}

#[tokio::test]
async fn how_calls_of_a_discovered_cluster_are_spread_is_what_the_file_says() {
    let name = format!("msf-gateway-spread-{}.json", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, "{}").unwrap();
    let top = format!(
        "zone = \"a\"\n[registry]\nfile = {:?}",
        file.to_str().unwrap()
    );
    let cluster = "discover = true\nlb = \"maglev\"\nhash_by = \"path\"\nsubset = 3";
    let config = GatewayConfig::load("g.toml", &balanced(&top, cluster));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let gateway = config.build(&Metrics::new());
    gateway.unwrap_or_else(|errors| panic!("{errors}"));
}

/// Servers that answer with the numbers of their places.
async fn numbered(count: usize) -> Vec<TestServer> {
    let mut servers = Vec::new();
    for number in 0..count {
        let answer = move |_request: http::Request<msf_core::body::Body>| async move {
            let body = msf_core::body::Body::from(number.to_string());
            Ok::<_, std::convert::Infallible>(http::Response::new(body))
        };
        servers.push(TestServer::start(tower::service_fn(answer)).await);
    }
    servers
}

#[tokio::test]
async fn requests_of_one_session_go_to_one_endpoint() {
    let servers = numbered(3).await;
    let urls: Vec<String> = servers.iter().map(|it| it.url("")).collect();
    for lb in ["maglev", "ring_hash", "rendezvous"] {
        let cluster = format!("endpoints = {urls:?}\nlb = {lb:?}\nhash_by = \"cookie:session\"");
        let config = GatewayConfig::load("g.toml", &balanced("", &cluster)).unwrap();
        let gateway = crate::common::start(config.build(&Metrics::new()).unwrap());
        let ask = |session: Option<u8>| {
            let request = http::Request::get("/");
            let request = match session {
                Some(session) => request.header("cookie", format!("a=1; session={session}")),
                None => request,
            };
            send(
                gateway.addr(),
                request.body(msf_core::body::Body::empty()).unwrap(),
            )
        };
        let mut met = std::collections::BTreeSet::new();
        for session in 0..12_u8 {
            let first = ask(Some(session)).await.text().to_owned();
            for _ in 0..4 {
                assert_eq!(ask(Some(session)).await.text(), first, "{lb}: {session}");
            }
            met.insert(first);
        }
        assert!(met.len() > 1, "{lb}: all sessions go to one");
        // Without a session they are kept together by the client.
        let first = ask(None).await.text().to_owned();
        for _ in 0..4 {
            assert_eq!(ask(None).await.text(), first, "{lb}");
        }
    }
}

#[tokio::test]
async fn endpoints_in_the_zone_of_the_gateway_are_preferred() {
    let servers = numbered(2).await;
    let (here, there) = (servers[0].url(""), servers[1].url(""));
    let cluster = format!(
        "endpoints = [{{ url = {here:?}, zone = \"a\" }}, {{ url = {there:?}, zone = \"b\" }}]\n\
         lb = \"round_robin\"\nzone_aware = {{ instances_min = 2 }}"
    );
    for (zone, expected) in [("a", "0"), ("b", "1")] {
        let top = format!("zone = {zone:?}");
        let config = GatewayConfig::load("g.toml", &balanced(&top, &cluster)).unwrap();
        let gateway = crate::common::start(config.build(&Metrics::new()).unwrap());
        for _ in 0..8 {
            assert_eq!(get(gateway.addr(), "/").await.text(), expected, "{zone}");
        }
    }
}

//! Listeners that a file describes.

use std::{convert::Infallible, fs, path::Path};

use msf_core::{metrics::Metrics, testing::TestServer};
use msf_gateway::{
    RunningGateway,
    config::{ConfigErrors, GatewayConfig},
    live::{FileProvider, LiveGateway, Reload},
};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{Pki, ask, get};
use crate::common::{mirror, raw};

/// A mirror, and what leads everything to it.
async fn upstream() -> (TestServer, String) {
    let service = tower::service_fn(|request| async { Ok::<_, Infallible>(mirror(request).await) });
    let server = TestServer::start(service).await;
    let routes = format!(
        "[clusters.order]\nendpoints = [\"http://{}\"]\n[[routes]]\nmatch = {{ path = \"/**\" }}\nto = \"order\"\n",
        server.addr()
    );
    (server, routes)
}

fn tls(pki: &Pki, file: &str) -> String {
    let (chain, key) = pki.files(file);
    format!("{{ cert = {chain:?}, key = {key:?} }}")
}

fn start(text: &str) -> Result<RunningGateway, ConfigErrors> {
    let config = GatewayConfig::load("gateway.toml", text)?;
    let gateway = config.build(&Metrics::new())?;
    Ok(config.server(gateway)?.start().unwrap())
}

fn problems(text: &str) -> Vec<String> {
    let errors = start(text).unwrap_err();
    errors.problems().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn each_listener_has_settings_of_its_own() {
    let pki = Pki::new("file");
    let _ = pki.write("a", &["shop.example"]);
    let (_server, routes) = upstream().await;
    let text = format!(
        r#"
workers = 2
[[listeners]]
bind = "127.0.0.1:0"
trusted_proxies = "127.0.0.0/8"
redirect_to_https = 8443
[[listeners]]
bind = "127.0.0.1:0"
tls = {tls}
[listeners.limits]
header_limit = "64KiB"
[[listeners]]
bind = "127.0.0.1:0"
proxy_protocol = {{ trusted = ["127.0.0.1"], timeout = "1s" }}
{routes}"#,
        tls = tls(&pki, "a")
    );
    let running = start(&text).unwrap();
    let [plain, encrypted, balanced] = running.addrs() else {
        panic!("{:?}", running.addrs());
    };
    // Both workers serve all of them.
    for _ in 0..12 {
        let answer = raw(
            *plain,
            b"GET /a?b HTTP/1.1\r\nhost: shop.example:80\r\nconnection: close\r\n\r\n",
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");
        assert!(
            answer.contains("location: https://shop.example:8443/a?b\r\n"),
            "{answer}"
        );

        let mut stream = pki.connect().to(*encrypted, "shop.example").await.unwrap();
        let answer = ask(&mut stream, &get("shop.example")).await;
        assert!(
            answer.contains(r#"["x-forwarded-proto","https"]"#),
            "{answer}"
        );

        let mut stream = TcpStream::connect(balanced).await.unwrap();
        stream
            .write_all(b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n")
            .await
            .unwrap();
        let answer = ask(&mut stream, &get("shop.example")).await;
        assert!(
            answer.contains(r#"["x-forwarded-for","203.0.113.9"]"#),
            "{answer}"
        );
        assert!(
            answer.contains(r#"["x-forwarded-proto","http"]"#),
            "{answer}"
        );
    }
    // A proxy that has ended TLS is believed where it is trusted, and nowhere else.
    let said = "GET / HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: 198.51.100.7\r\nx-forwarded-proto: https\r\nx-forwarded-host: www.example\r\n\r\n";
    let mut stream = TcpStream::connect(plain).await.unwrap();
    let answer = ask(&mut stream, said).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains(r#"["x-forwarded-for","198.51.100.7, 127.0.0.1"]"#),
        "{answer}"
    );
    let mut stream = TcpStream::connect(plain).await.unwrap();
    let answer = ask(&mut stream, &said.replace("proto: https", "proto: http")).await;
    assert!(
        answer.contains("location: https://www.example:8443/"),
        "{answer}"
    );
    let mut stream = pki.connect().to(*encrypted, "shop.example").await.unwrap();
    let answer = ask(&mut stream, said).await;
    assert!(
        answer.contains(r#"["x-forwarded-for","127.0.0.1"]"#),
        "{answer}"
    );

    // 40 KiB of a head are granted at one of them alone.
    let long = format!(
        "GET / HTTP/1.1\r\nhost: shop.example\r\nx-long: {}\r\n\r\n",
        "a".repeat(40 << 10)
    );
    assert!(ask(&mut stream, &long).await.starts_with("HTTP/1.1 200"));
    let mut stream = TcpStream::connect(plain).await.unwrap();
    assert!(ask(&mut stream, &long).await.starts_with("HTTP/1.1 431"));
    assert_eq!(running.stop().await.unwrap().cut, 0);
}

async fn live(path: &Path, text: &str) -> (LiveGateway, RunningGateway) {
    fs::write(path, text).unwrap();
    let live = LiveGateway::start(FileProvider::new(path)).await.unwrap();
    let running = live.server().unwrap().start().unwrap();
    (live, running)
}

#[tokio::test]
async fn a_reload_changes_certificates_and_redirects_without_a_restart() {
    let pki = Pki::new("live");
    let _ = pki.write("a", &["shop.example"]);
    let _ = pki.write("b", &["shop.example"]);
    let (_server, routes) = upstream().await;
    let text = |file: &str, redirect: &str| {
        format!(
            "workers = 1\n[[listeners]]\nbind = \"127.0.0.1:0\"\n{redirect}\n[[listeners]]\nbind = \"127.0.0.1:0\"\ntls = {}\n{routes}",
            tls(&pki, file)
        )
    };
    let path = pki.path("gateway.toml");
    let (live, running) = live(&path, &text("a", "")).await;
    let [plain, encrypted] = *running.addrs() else {
        panic!("{:?}", running.addrs());
    };
    let shown = || async {
        let stream = pki.connect().to(encrypted, "shop.example").await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    };
    let request = b"GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n";
    assert_eq!(shown().await, pki.shown("a"));
    assert!(raw(plain, request).await.starts_with("HTTP/1.1 200"));
    let mut open = pki.connect().to(encrypted, "shop.example").await.unwrap();
    assert!(
        ask(&mut open, &get("shop.example"))
            .await
            .starts_with("HTTP/1.1 200")
    );

    fs::write(&path, text("b", "redirect_to_https = 443")).unwrap();
    assert!(matches!(live.reload().await, Reload::Applied(_)));
    assert!(
        live.status().needs_restart.is_empty(),
        "{:?}",
        live.status()
    );
    assert_eq!(shown().await, pki.shown("b"));
    assert!(raw(plain, request).await.starts_with("HTTP/1.1 308"));
    assert!(
        ask(&mut open, &get("shop.example"))
            .await
            .starts_with("HTTP/1.1 200")
    );

    // Nothing of a file is applied whose certificates cannot be served.
    fs::write(&path, text("none", "")).unwrap();
    let Reload::Rejected(errors) = live.reload().await else {
        panic!("it was applied");
    };
    let problem = errors.problems()[0].to_string();
    assert!(
        problem.contains("gateway.toml:7: listeners[1].tls: "),
        "{problem}"
    );
    assert!(problem.contains("none.pem cannot be read"), "{problem}");
    assert_eq!(shown().await, pki.shown("b"));
    assert!(raw(plain, request).await.starts_with("HTTP/1.1 308"));

    // Whether there is TLS at all, and a listener more, wait for a restart.
    let more = text("b", &format!("tls = {}", tls(&pki, "a")));
    fs::write(
        &path,
        more.replacen(
            "[[listeners]]",
            "[[listeners]]\nbind = \"127.0.0.1:1\"\n[[listeners]]",
            1,
        ),
    )
    .unwrap();
    assert!(matches!(live.reload().await, Reload::Applied(_)));
    let waiting = live.status().needs_restart;
    assert!(waiting.contains(&"listeners".to_owned()), "{waiting:?}");
    // What is written about other addresses has not come to those that are served.
    assert_eq!(shown().await, pki.shown("b"));
    assert!(raw(plain, request).await.starts_with("HTTP/1.1 308"));
    running.stop().await.unwrap();
}

/// Whom one listener trusts has no more connections at another one.
#[tokio::test]
async fn a_listener_trusts_for_itself() {
    let pki = Pki::new("caps");
    let (_server, routes) = upstream().await;
    let listener =
        "[[listeners]]\nbind = \"127.0.0.1:0\"\nlimits = { connections_per_address_max = 1 }\n";
    let text =
        format!("workers = 1\n{listener}{listener}trusted_proxies = \"127.0.0.0/8\"\n{routes}");
    let (_live, running) = live(&pki.path("gateway.toml"), &text).await;
    let [world, inner] = *running.addrs() else {
        panic!("{:?}", running.addrs());
    };
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(inner).await.unwrap();
        let answer = ask(&mut stream, &get("shop.example")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        held.push(stream);
    }
    let mut first = TcpStream::connect(world).await.unwrap();
    let answer = ask(&mut first, &get("shop.example")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let request = get("shop.example");
    assert_eq!(raw(world, request.as_bytes()).await, "");
}

#[test]
fn the_files_of_the_guide_are_valid() {
    let page = include_str!("../../../../docs/guide/gateway/listeners.md");
    let mut files = page.split("```toml\n").skip(1);
    let first = files.next().unwrap().split("```").next().unwrap();
    let config = GatewayConfig::load("gateway.toml", first).unwrap();
    assert_eq!(config.listeners.len(), 3);
    assert!(files.next().is_none());
}

#[tokio::test]
async fn what_cannot_be_is_told_with_its_place() {
    let (_server, routes) = upstream().await;
    let told = problems(&format!(
        r#"
[[listeners]]
bind = "127.0.0.1:8443"
redirect_to_https = 443
[listeners.tls]
key = "a.pem"
client_ca = "ca.pem"
certificates = [{{ names = ["b.example"], key = "b-key.pem", client_certificates = "optional" }}]
[[listeners]]
bind = "127.0.0.1:8443"
redirect_to_https = 0
proxy_protocol = {{ trusted = [] }}
[[listeners]]
bind = "127.0.0.1:8444"
tls = {{}}
proxy_protocol = {{ trusted = ["10.0.0.1/8"] }}
{routes}"#
    ));
    let expected = [
        (
            "gateway.toml:4: listeners[0].redirect_to_https",
            "is for listeners without TLS",
        ),
        (
            "gateway.toml:5: listeners[0].tls.cert",
            "must be set beside `key`",
        ),
        (
            "gateway.toml:7: listeners[0].tls.client_ca",
            "is for the certificate beside it",
        ),
        (
            "gateway.toml:8: listeners[0].tls.certificates[0].cert",
            "must be set",
        ),
        (
            "gateway.toml:8: listeners[0].tls.certificates[0].client_ca",
            "must be set beside `client_certificates`",
        ),
        (
            "gateway.toml:10: listeners[1].bind",
            "another listener is at 127.0.0.1:8443",
        ),
        (
            "gateway.toml:11: listeners[1].redirect_to_https",
            "must be a port",
        ),
        (
            "gateway.toml:12: listeners[1].proxy_protocol.trusted",
            "must be set",
        ),
        (
            "gateway.toml:15: listeners[2].tls.cert",
            "must be set, unless",
        ),
        (
            "gateway.toml:16: listeners[2].proxy_protocol.trusted",
            "is no block of addresses",
        ),
    ];
    for (place, message) in expected {
        let is_told = told
            .iter()
            .any(|it| it.starts_with(place) && it.contains(message));
        assert!(is_told, "{place} {message}: {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");

    let path = std::env::temp_dir().join(format!("msf-no-cert-{}.toml", std::process::id()));
    let text = format!(
        "[[listeners]]\nbind = \"127.0.0.1:0\"\ntls = {{ cert = \"/none/a.pem\", key = \"/none/a.pem\" }}\n{routes}"
    );
    fs::write(&path, text).unwrap();
    let live = LiveGateway::start(FileProvider::new(&path)).await.unwrap();
    let errors = live.server().unwrap_err();
    fs::remove_file(&path).unwrap();
    let place = errors.problems()[0].place.clone().unwrap();
    assert!(place.ends_with(".toml:3"), "{place}");

    let told = problems(&format!(
        "[[listeners]]\nbind = \"127.0.0.1:0\"\ntls = {{ cert = \"/none/a.pem\", key = \"/none/a.pem\" }}\n{routes}"
    ));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("listeners[0].tls: /none/a.pem cannot be read"),
        "{told:?}"
    );
}

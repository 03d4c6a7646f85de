//! TLS as clients meet it.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use msf_core::{
    body::Body,
    server::{Connection, DrainPlan, Tls, TlsSettings, tls::Certificate},
    task,
};
use msf_gateway::{AccessLog, Flow, Plugin, Route};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};
use tokio_rustls::client::TlsStream;

use super::{Pki, ask, builder, get, serve, start, system};
use crate::common::{PATIENCE, System, eventually, scripted};

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

fn is_alive(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200")
}

/// Whether a request for the shop is answered here.
async fn is_answered(stream: &mut TlsStream<TcpStream>) -> bool {
    is_alive(&ask(stream, &get("shop.example")).await)
}

#[tokio::test]
async fn services_are_told_https_and_clients_are_not_believed() {
    let (pki, system) = (Pki::new("proto"), system().await);
    let settings = TlsSettings::new().default_certificate(pki.write("a", &["shop.example"]));
    let (running, _) = serve(&system, settings).await;
    let mut stream = pki
        .connect()
        .to(running.addr(), "shop.example")
        .await
        .unwrap();
    let request = "GET /a HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-proto: http\r\n\r\n";
    for _ in 0..2 {
        let answer = ask(&mut stream, request).await;
        assert!(is_alive(&answer), "{answer}");
        assert!(
            answer.contains(r#"["x-forwarded-proto","https"]"#),
            "{answer}"
        );
        assert!(
            answer.contains(r#"["x-forwarded-for","127.0.0.1"]"#),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn the_certificate_is_that_of_the_name() {
    let (pki, system) = (Pki::new("sni"), system().await);
    let all = [
        "shop.example",
        "api.shop.example",
        "www.shop.example",
        "other.example",
    ];
    let settings = TlsSettings::new()
        .default_certificate(pki.write("default", &all))
        .certificate(pki.write("exact", &all).names(["Api.Shop.Example"]))
        // Its names are those that it contains.
        .certificate(pki.write("wildcard", &["*.shop.example"]));
    let (running, _) = serve(&system, settings).await;
    for (name, file) in [
        ("api.shop.example", "exact"),
        ("www.shop.example", "wildcard"),
        ("shop.example", "default"),
        ("other.example", "default"),
    ] {
        let stream = pki.connect().to(running.addr(), name).await.unwrap();
        assert_eq!(shown(&stream), pki.shown(file), "{name}");
    }
    // Without a name at all.
    let mut config = pki.connect().config();
    config.enable_sni = false;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let tcp = TcpStream::connect(running.addr()).await.unwrap();
    let name = "shop.example".try_into().unwrap();
    let stream = connector.connect(name, tcp).await.unwrap();
    assert_eq!(shown(&stream), pki.shown("default"));
}

#[tokio::test]
async fn without_a_default_unknown_names_are_refused() {
    let (pki, system) = (Pki::new("unknown"), system().await);
    let settings = TlsSettings::new().certificate(pki.write("a", &["shop.example"]));
    let (running, _) = serve(&system, settings).await;
    let refused = pki.connect().to(running.addr(), "other.example").await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("alert"), "{error}");
    let mut stream = pki
        .connect()
        .to(running.addr(), "shop.example")
        .await
        .unwrap();
    assert!(is_answered(&mut stream).await);
    // Who is let in for one host is not served another one.
    let answer = ask(&mut stream, &get("other.example")).await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
}

#[tokio::test]
async fn handshakes_that_fail_are_counted_and_health_checks_are_not() {
    let (pki, system) = (Pki::new("counted"), system().await);
    let settings = TlsSettings::new().certificate(pki.write("a", &["shop.example"]));
    let tls = Tls::load(settings).unwrap();
    let gateway = system.build(builder(&system)).await;
    let running = start(gateway, |it| it.tls(tls));
    let counted = |handshakes: u32| {
        let metrics = running.gateway().metrics().render();
        metrics.contains(&format!(
            "msf_server_refused_total{{reason=\"handshake\"}} {handshakes}\n"
        ))
    };
    // One check closes, another one resets.
    drop(TcpStream::connect(running.addr()).await.unwrap());
    let check = TcpStream::connect(running.addr()).await.unwrap();
    check.set_zero_linger().unwrap();
    drop(check);
    eventually(|| running.connections() == 0).await;
    let unknown = pki.connect().to(running.addr(), "other.example");
    assert!(unknown.await.is_err());
    eventually(|| counted(1)).await;
    let mut plain = TcpStream::connect(running.addr()).await.unwrap();
    let answer = ask(&mut plain, &get("shop.example")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    eventually(|| counted(2)).await;
    let mut garbage = TcpStream::connect(running.addr()).await.unwrap();
    garbage.write_all(b"\x16\x03\x01\0\x04nono").await.unwrap();
    let _closed = garbage.read_to_end(&mut Vec::new()).await;
    eventually(|| counted(3)).await;
}

/// A scanner that says nothing must not hold up the end of a server, nor look like a client that was cut.
#[tokio::test]
async fn who_has_not_begun_a_handshake_is_closed_soon_at_the_end() {
    let (pki, system) = (Pki::new("silent"), system().await);
    let settings = TlsSettings::new().certificate(pki.write("a", &["shop.example"]));
    let tls = Tls::load(settings).unwrap();
    let gateway = system.build(builder(&system)).await;
    let running = start(gateway, |it| it.tls(tls));
    let _silent = TcpStream::connect(running.addr()).await.unwrap();
    eventually(|| running.connections() == 1).await;
    let begun = time::Instant::now();
    let served = running.stop().await.unwrap();
    assert_eq!(served.cut, 0);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn who_is_sent_away_with_421_has_a_line_in_the_log() {
    let (pki, system) = (Pki::new("misdirected"), system().await);
    let settings = TlsSettings::new().certificate(pki.write("a", &["shop.example"]));
    let tls = Tls::load(settings).unwrap();
    let path = pki.path("access.log");
    let log = AccessLog::json().file(&path);
    let gateway = system.build(builder(&system).access_log(log)).await;
    let running = start(gateway, |it| it.tls(tls.clone()));
    let connect = pki.connect().to(running.addr(), "shop.example");
    let mut stream = connect.await.unwrap();
    let answer = ask(&mut stream, &get("other.example")).await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    assert!(is_alive(&ask(&mut stream, &get("shop.example")).await));
    let metrics = running.gateway().metrics().render();
    let counted = "msf_server_refused_total{reason=\"misdirected\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    drop(stream);
    running.stop().await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0]["status"], 421, "{text}");
    assert_eq!(lines[0]["flag"], "MD", "{text}");
    assert_eq!(lines[0]["failure"], "misdirected_request", "{text}");
    assert_eq!(lines[0]["ended_by"], "client", "{text}");
    assert_eq!(lines[0]["client"], "127.0.0.1", "{text}");
    assert_eq!(lines[0]["host"], "other.example", "{text}");
    assert_eq!(lines[0]["method"], "GET", "{text}");
    assert_eq!(lines[0]["path"], lines[1]["path"], "{text}");
    assert_eq!(lines[1]["status"], 200, "{text}");
}

#[tokio::test]
async fn the_protocol_is_what_both_speak() {
    let (pki, system) = (Pki::new("alpn"), system().await);
    let settings = TlsSettings::new().default_certificate(pki.write("a", &["shop.example"]));
    let (running, _) = serve(&system, settings).await;
    let (addr, name) = (running.addr(), "shop.example");
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let mut stream = pki.connect().alpn(offered).to(addr, name).await.unwrap();
        let alpn = stream.get_ref().1.alpn_protocol();
        assert_eq!(alpn, chosen.map(str::as_bytes), "{offered:?}");
        if chosen != Some("h2") {
            assert!(is_alive(&ask(&mut stream, &get(name)).await));
        }
    }
    let refused = pki.connect().alpn(&["smtp"]).to(addr, name).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn http2_over_tls_is_served_and_drained() {
    let (pki, system) = (Pki::new("h2"), system().await);
    let settings = TlsSettings::new().default_certificate(pki.write("a", &["shop.example"]));
    let (running, _) = serve(&system, settings).await;
    let stream = pki
        .connect()
        .alpn(&["h2"])
        .to(running.addr(), "shop.example")
        .await
        .unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = task::spawn("client", connection);
    let request = || Request::get("https://shop.example/a").body(()).unwrap();
    let (answer, _) = client.send_request(request(), true).unwrap();
    let answer = time::timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    let mut text = Vec::new();
    while let Some(piece) = body.data().await {
        text.extend_from_slice(&piece.unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(r#"["x-forwarded-proto","https"]"#), "{text}");

    let served = time::timeout(PATIENCE, running.stop())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(served.cut, 0);
    time::timeout(PATIENCE, connection.join()).await.unwrap();
}

#[tokio::test]
async fn both_versions_are_spoken_unless_the_old_one_is_refused() {
    static TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    static TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    let (pki, system) = (Pki::new("versions"), system().await);
    let settings = TlsSettings::new().default_certificate(pki.write("a", &["shop.example"]));
    let (both, _) = serve(&system, settings.clone()).await;
    let (new, _) = serve(&system, settings.only_tls13()).await;
    for (addr, versions, is_served) in [
        (both.addr(), TLS12, true),
        (both.addr(), TLS13, true),
        (new.addr(), TLS12, false),
        (new.addr(), TLS13, true),
    ] {
        let connected = pki
            .connect()
            .versions(versions)
            .to(addr, "shop.example")
            .await;
        assert_eq!(connected.is_ok(), is_served, "{versions:?}");
        if let Ok(mut stream) = connected {
            assert!(is_answered(&mut stream).await);
        }
    }
}

#[tokio::test]
async fn who_is_slow_or_speaks_nonsense_holds_nothing_up() {
    let (pki, system) = (Pki::new("slow"), system().await);
    let settings = TlsSettings::new()
        .default_certificate(pki.write("a", &["shop.example"]))
        .handshake_timeout(Duration::from_millis(200));
    let (running, _) = serve(&system, settings).await;
    let addr = running.addr();
    // A record of a handshake that never ends, one of a version that is none, an empty one, and bytes.
    let client_hello = [0x16, 3, 1, 1, 0, 1, 0, 0, 0xFC, 3, 3];
    let pieces: [&[u8]; 7] = [
        b"",
        b"\x16",
        &client_hello,
        &[0x16, 9, 9, 0xFF, 0xFF, 1, 2, 3],
        &[0x16, 3, 1, 0, 0],
        &[0; 4_096],
        &[0xFF; 20_000],
    ];
    for bytes in pieces {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let _told = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let ended = time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "{bytes:?}");
    }
    let mut stream = pki.connect().to(addr, "shop.example").await.unwrap();
    assert!(is_answered(&mut stream).await);
    // The limit is for the handshake, and not for what comes after it.
    time::sleep(Duration::from_millis(300)).await;
    assert!(is_answered(&mut stream).await);
    drop(stream);
    eventually(|| running.connections() == 0).await;
}

#[tokio::test]
async fn plain_http_is_told_that_it_is_at_the_wrong_door() {
    let (pki, system) = (Pki::new("plain"), system().await);
    let settings = TlsSettings::new().default_certificate(pki.write("a", &["shop.example"]));
    let (running, _) = serve(&system, settings).await;
    let answer = crate::common::raw(running.addr(), get("shop.example").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(
        answer.ends_with("\"this port speaks https, not http\"}"),
        "{answer}"
    );
}

#[tokio::test]
async fn files_that_change_are_served_and_broken_ones_are_not() {
    let (pki, system) = (Pki::new("reload"), system().await);
    let certificate = pki.write("a", &["shop.example"]);
    let (running, tls) = serve(&system, TlsSettings::new().default_certificate(certificate)).await;
    let connect = || async {
        pki.connect()
            .to(running.addr(), "shop.example")
            .await
            .unwrap()
    };
    let (chain, key) = pki.files("a");
    let first = pki.shown("a");
    let mut open = connect().await;
    assert_eq!(shown(&open), first);
    assert!(!tls.reload().unwrap(), "nothing has changed");

    let _ = pki.write("a", &["shop.example"]);
    assert!(tls.reload().unwrap());
    let second = pki.shown("a");
    assert_ne!(first, second);
    assert_eq!(shown(&connect().await), second);

    // One of the two files of the next pair.
    let (old_chain, old_key) = (fs::read(&chain).unwrap(), fs::read(&key).unwrap());
    let _ = pki.write("a", &["shop.example"]);
    let next_key = fs::read(&key).unwrap();
    fs::write(&key, &old_key).unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(
        error.contains("a-key.pem is not that of the first certificate in"),
        "{error}"
    );
    for (path, text, expected) in [
        (&chain, &b"nonsense"[..], "a.pem holds no certificate"),
        (&chain, b"-----BEGIN CERTIFICATE-----\nAAAA", "cut off"),
        (&key, b"", "a-key.pem holds no private key"),
        (
            &key,
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "a-key.pem cannot be used",
        ),
    ] {
        fs::write(&chain, &old_chain).unwrap();
        fs::write(&key, &old_key).unwrap();
        fs::write(path, text).unwrap();
        let error = tls.reload().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    fs::remove_file(&key).unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("a-key.pem cannot be read"), "{error}");
    assert_eq!(shown(&connect().await), second, "the last valid pair");

    // Found without being asked, and the connection from before all of this still serves.
    let watch = tls.watch(Duration::from_millis(20));
    let _ = pki.write("a", &["shop.example"]);
    let third = pki.shown("a");
    let found = async {
        while shown(&connect().await) != third {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    time::timeout(PATIENCE, found).await.unwrap();
    drop((watch, next_key));
    assert!(is_answered(&mut open).await);
}

/// Tells services who the client is by its certificate.
struct Workload;

impl Plugin for Workload {
    type Context = ();

    async fn on_request(&self, request: &mut Parts, _context: &mut ()) -> Flow {
        let connection: &Connection = request.extensions.get().unwrap();
        let client = connection.tls().and_then(|tls| tls.client());
        let uri = client.map_or("nobody", |client| &client.uris()[0]);
        request.headers.insert("x-workload", uri.parse().unwrap());
        Flow::Continue
    }
}

#[tokio::test]
async fn clients_show_certificates_where_they_are_asked_for_them() {
    let (pki, system) = (Pki::new("mtls"), system().await);
    let stranger = Pki::new("mtls-stranger");
    let names = ["open.example", "optional.example", "closed.example"];
    let settings = TlsSettings::new()
        .default_certificate(pki.write("open", &names))
        .certificate(
            pki.write("optional", &["optional.example"])
                .clients(pki.clients(false)),
        )
        .certificate(
            pki.write("closed", &["closed.example"])
                .clients(pki.clients(true)),
        );
    let tls = Tls::load(settings).unwrap();
    let gateway = system.build(builder(&system).plugin(Workload)).await;
    let running = start(gateway, |it| it.tls(tls));
    let addr = running.addr();
    let workload = "spiffe://shop.example/basket";
    let known = || pki.connect().with(pki.client(workload));
    let unknown = || pki.connect().with(stranger.client(workload));
    let nobody = || pki.connect();
    let ask_at = async |connect: super::Connect<'_>, name: &'static str| match connect
        .to(addr, name)
        .await
    {
        Ok(mut stream) => ask(&mut stream, &get(name)).await,
        Err(error) => format!("!{error}"),
    };
    for (name, connect, expected) in [
        ("closed.example", known(), workload),
        ("closed.example", nobody(), "!"),
        ("closed.example", unknown(), "!"),
        ("optional.example", known(), workload),
        ("optional.example", nobody(), "nobody"),
        ("optional.example", unknown(), "!"),
        // Not asked for, so not looked at.
        ("open.example", known(), "nobody"),
        ("open.example", nobody(), "nobody"),
    ] {
        let answer = ask_at(connect, name).await;
        if expected == "!" {
            assert!(
                answer.contains('!') && !is_alive(&answer),
                "{name}: {answer}"
            );
        } else {
            let seen = format!(r#"["x-workload","{expected}"]"#);
            assert!(answer.contains(&seen), "{name}: {answer}");
        }
    }

    // RFC 9110 section 15.5.20: over a connection to one host no other is reached that asks for something else.
    let (h, c) = ("open.example", "closed.example");
    for (name, connect, target, host, expected) in [
        (h, nobody(), "/", c, 421),
        (h, nobody(), "/", "CLOSED.example.:443", 421),
        (h, nobody(), "http://closed.example/", h, 421),
        (h, nobody(), "/", "optional.example", 421),
        (h, nobody(), "/", "whoever.example", 200),
        (h, nobody(), "/", h, 200),
        (c, known(), "/", c, 200),
        (c, known(), "/", h, 421),
        ("optional.example", nobody(), "/", c, 421),
        ("optional.example", known(), "/", c, 421),
    ] {
        let mut stream = connect.to(addr, name).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n");
        let answer = ask(&mut stream, &request).await;
        let expected = format!("HTTP/1.1 {expected}");
        assert!(
            answer.starts_with(&expected),
            "{name} {target} {host}: {answer}"
        );
    }
    // The same over HTTP/2, where browsers share connections.
    let stream = nobody().alpn(&["h2"]).to(addr, h).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let _connection = task::spawn("client", connection);
    for (host, expected) in [(h, 200), (c, 421), (h, 200)] {
        let request = Request::get(format!("https://{host}/a")).body(()).unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        let answer = time::timeout(PATIENCE, answer).await.unwrap().unwrap();
        assert_eq!(answer.status(), expected, "{host}");
    }
}

#[tokio::test]
async fn who_was_let_in_by_another_policy_comes_again() {
    let (pki, system) = (Pki::new("policy"), system().await);
    let shop = pki.write("a", &["shop.example"]);
    let (running, tls) = serve(
        &system,
        TlsSettings::new().default_certificate(shop.clone()),
    )
    .await;
    let mut stream = pki
        .connect()
        .to(running.addr(), "shop.example")
        .await
        .unwrap();
    assert!(is_answered(&mut stream).await);

    let closed = TlsSettings::new().default_certificate(shop.clients(pki.clients(true)));
    tls.replace(&Tls::load(closed).unwrap());
    let answer = ask(&mut stream, &get("shop.example")).await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    let known = pki.connect().with(pki.client("spiffe://a"));
    let mut stream = known.to(running.addr(), "shop.example").await.unwrap();
    assert!(is_answered(&mut stream).await);
}

#[tokio::test]
async fn a_session_is_resumed_only_where_nobody_has_to_prove_who_he_is() {
    let (pki, system) = (Pki::new("resume"), system().await);
    let settings = TlsSettings::new()
        .default_certificate(pki.write("open", &["open.example"]))
        .certificate(
            pki.write("closed", &["closed.example"])
                .clients(pki.clients(true)),
        );
    let (running, _) = serve(&system, settings).await;
    let config = Arc::new(pki.connect().with(pki.client("spiffe://a")).config());
    for (name, is_resumed) in [("open.example", true), ("closed.example", false)] {
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(&config));
            let tcp = TcpStream::connect(running.addr()).await.unwrap();
            let mut stream = connector
                .connect(name.try_into().unwrap(), tcp)
                .await
                .unwrap();
            // The ticket comes with the answer.
            assert!(is_alive(&ask(&mut stream, &get(name)).await));
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        let resumed = kinds[1] == rustls::HandshakeKind::Resumed;
        assert_eq!(resumed, is_resumed, "{name}: {kinds:?}");
    }
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_over_tls() {
    let pki = Pki::new("drain");
    let (system, held) = System::new().with_held("order").await;
    let gateway = system.build(builder(&system)).await;
    let settings = TlsSettings::new().default_certificate(pki.write("a", &["shop.example"]));
    let server = gateway
        .server(([127, 0, 0, 1], 0).into())
        .tls(Tls::load(settings).unwrap())
        .workers(1)
        .drain_plan(DrainPlan::new(Duration::from_millis(50), PATIENCE));
    let running = server.start().unwrap();
    let addr = running.addr();
    let drain = running.drain().clone();
    let mut stream = pki.connect().to(addr, "shop.example").await.unwrap();
    // Somebody in the middle of a handshake does not hold the end up for longer than its limit.
    let asking = task::spawn("client", async move {
        ask(&mut stream, &get("shop.example")).await
    });
    held.begun().await;
    let stop = task::spawn("stop", running.stop());
    time::timeout(PATIENCE, drain.signal().draining())
        .await
        .unwrap();
    held.let_go();
    let answer = time::timeout(PATIENCE, asking.join())
        .await
        .unwrap()
        .unwrap();
    assert!(is_alive(&answer), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("connection: close"),
        "{answer}"
    );
    let served = time::timeout(PATIENCE, stop.join()).await.unwrap().unwrap();
    assert_eq!(served.unwrap().cut, 0);
}

#[tokio::test]
async fn a_handshake_that_hangs_is_cut_at_the_deadline() {
    let (pki, system) = (Pki::new("cut"), system().await);
    let gateway = system.build(builder(&system)).await;
    let settings = TlsSettings::new().default_certificate(pki.write("a", &["shop.example"]));
    let server = gateway
        .server(([127, 0, 0, 1], 0).into())
        .tls(Tls::load(settings).unwrap())
        .workers(1)
        .drain_plan(DrainPlan::new(Duration::ZERO, Duration::from_millis(100)));
    let running = server.start().unwrap();
    let _silent = TcpStream::connect(running.addr()).await.unwrap();
    eventually(|| running.connections() == 1).await;
    let served = time::timeout(PATIENCE, running.stop())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(served.cut, 1);
}

#[tokio::test]
async fn bytes_pass_both_ways_after_an_upgrade_over_tls() {
    let pki = Pki::new("upgrade");
    let echo: SocketAddr = scripted(|mut stream| async move {
        let head = crate::common::read_until(&mut stream, "\r\n\r\n").await;
        assert!(head.contains("websocket"), "{head}");
        let accept =
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        stream.write_all(accept.as_bytes()).await.unwrap();
        let mut piece = [0; 64];
        while let Ok(len @ 1..) = stream.read(&mut piece).await {
            stream.write_all(&piece[..len]).await.unwrap();
        }
    })
    .await;
    let system = System::new().with_addr("chat", echo).await;
    let client = msf_client::Client::builder(system.registry.clone())
        .build()
        .unwrap();
    let route = Route::prefix("/")
        .to("chat")
        .public()
        .upgrade(["websocket"]);
    let gateway = system
        .build(msf_gateway::Gateway::builder(client).route(route))
        .await;
    let settings = TlsSettings::new().default_certificate(pki.write("a", &["shop.example"]));
    let running = start(gateway, |it| it.tls(Tls::load(settings).unwrap()));
    let mut stream = pki
        .connect()
        .to(running.addr(), "shop.example")
        .await
        .unwrap();
    let request = "GET /chat HTTP/1.1\r\nhost: shop.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let answer = ask(&mut stream, request).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    for word in ["one", "two"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut heard = [0; 3];
        time::timeout(PATIENCE, stream.read_exact(&mut heard))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&heard, word.as_bytes());
    }
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    const LEN: usize = 3 << 20;
    let pki = Pki::new("large");
    let system = System::new()
        .with("order", |_request| async {
            Response::new(Body::from(Bytes::from(vec![b'x'; LEN])))
        })
        .await;
    let settings = TlsSettings::new().default_certificate(pki.write("a", &["shop.example"]));
    let (running, _) = serve(&system, settings).await;
    let mut stream = pki
        .connect()
        .to(running.addr(), "shop.example")
        .await
        .unwrap();
    let request = "GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // With the end of TLS, without which `read_to_end` fails: what is cut off by others is seen.
    let read = time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.unwrap().unwrap();
    let xs = answer
        .iter()
        .rev()
        .take_while(|byte| **byte == b'x')
        .count();
    assert_eq!(xs, LEN);
}

#[test]
fn no_key_is_ever_shown() {
    let pki = Pki::new("debug");
    let (chain, key) = {
        let _ = pki.write("a", &["shop.example"]);
        let (chain, key) = pki.files("a");
        (
            fs::read_to_string(chain).unwrap(),
            fs::read_to_string(key).unwrap(),
        )
    };
    let secret = key.lines().nth(1).unwrap().to_owned();
    let settings = TlsSettings::new().default_certificate(Certificate::pem(&*chain, &*key));
    assert!(!format!("{settings:?}").contains(&secret));
    assert!(!format!("{:?}", Tls::load(settings).unwrap()).contains(&secret));
    // A key that is taken for a chain, the other way round, and one that is broken.
    let broken = key.replace('A', "!");
    for (chain, key) in [(&key, &chain), (&key, &key), (&chain, &broken)] {
        let settings = TlsSettings::new().default_certificate(Certificate::pem(&**chain, &**key));
        let error = Tls::load(settings).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&secret), "{error:?}");
        assert!(
            !format!("{error} {error:?}").contains(&secret.replace('A', "!")),
            "{error:?}"
        );
    }
}

#[test]
fn what_is_wrong_with_the_settings_is_told() {
    let pki = Pki::new("wrong");
    let shop = || pki.write("a", &["shop.example"]);
    let told = |settings: TlsSettings| Tls::load(settings).unwrap_err().to_string();
    let new = TlsSettings::new;
    assert_eq!(told(new()), "there is no certificate to serve");
    assert!(
        told(new().certificate(shop().names(["10.0.0.1"]))).contains("\"10.0.0.1\" is no name")
    );
    assert!(
        told(new().certificate(shop()).certificate(shop()))
            .contains("two certificates are for \"shop.example\"")
    );
    let nameless = new().certificate(pki.write("b", &[]));
    assert!(told(nameless).contains("b.pem has no DNS name"));
    let clients = msf_core::server::tls::ClientCertificates::required(pki.path("none.pem"));
    assert!(told(new().certificate(shop().clients(clients))).contains("none.pem cannot be read"));
    fs::write(pki.path("empty.pem"), "").unwrap();
    let clients = msf_core::server::tls::ClientCertificates::required(pki.path("empty.pem"));
    assert!(
        told(new().certificate(shop().clients(clients))).contains("empty.pem holds no certificate")
    );
    fs::write(pki.path("huge.pem"), vec![b'a'; (1 << 20) + 1]).unwrap();
    let huge = Certificate::files(pki.path("huge.pem"), pki.path("a-key.pem"));
    assert!(told(new().default_certificate(huge)).contains("has more than 1048576 bytes"));
}

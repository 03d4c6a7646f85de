//! `examples/hello`.

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use crate::process::{Example, command, get};

#[test]
fn it_answers_within_100_ms_of_its_start() {
    // The other tests want the processors too, so the best of a few starts is what it can do.
    let best = (0..5)
        .map(|_| {
            let started = Instant::now();
            let mut hello = Example::start("hello", &[]);
            let addr = hello.addr();
            assert_eq!(get(addr, "/hello/you", "").body, "hello you\n");
            started.elapsed()
        })
        .min();
    assert!(best < Some(Duration::from_millis(100)), "{best:?}");
}

#[test]
fn it_answers_probes_scrapes_and_unknown_paths() {
    let mut hello = Example::start("hello", &[]);
    let addr = hello.addr();
    assert_eq!(get(addr, "/livez", "").status, 200);
    assert_eq!(
        get(addr, "/readyz?verbose", "").body,
        "[+]serving ok\nreadyz check passed\n"
    );
    assert!(
        get(addr, "/health", "")
            .head
            .contains("application/health+json")
    );

    get(addr, "/hello/you", "");
    let metrics = get(addr, "/metrics", "").body;
    assert!(
        metrics.contains(r#"http_route="/hello/{name}"} 1"#),
        "{metrics}"
    );
    assert!(!metrics.contains("/hello/you"), "{metrics}");
    for name in [
        "msf_log_lines_dropped_total 0",
        "msf_otlp_spans_total",
        "\nmsf_server_connections ",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }

    let unknown = get(addr, "/nowhere", "");
    assert_eq!(unknown.status, 404);
    let problem: Value = serde_json::from_str(&unknown.body).unwrap();
    assert_eq!(problem["code"], "not_found");
    assert_eq!(problem["trace_id"].as_str().unwrap().len(), 32);
}

#[test]
fn lines_carry_the_ids_of_their_request() {
    let mut hello = Example::start("hello", &[]);
    let addr = hello.addr();
    let parent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    get(addr, "/hello/you", parent);
    let line = hello.log("greeting");
    assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_ne!(line["span_id"], "00f067aa0ba902b7");
    assert_eq!(line["name"], "you");

    // A malformed parent starts a trace of its own and costs the caller nothing.
    let answer = get(addr, "/hello/you", "traceparent: 00-XYZ-1-1\r\n");
    assert_eq!(answer.status, 200);
    let line = hello.log("greeting");
    assert_ne!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
}

#[test]
fn sigterm_ends_it_with_0_and_sigint_too() {
    for signal in ["-TERM", "-INT"] {
        let mut hello = Example::start("hello", &[]);
        hello.addr();
        hello.signal(signal);
        assert_eq!(hello.ended().code(), Some(0), "{signal}");
    }
}

#[test]
fn readiness_fails_while_it_drains_and_a_second_signal_ends_it_at_once() {
    let mut hello = Example::start("hello", &["--drain.delay=1h"]);
    let addr = hello.addr();
    hello.signal("-TERM");
    hello.log("draining");
    let ready = get(addr, "/readyz?verbose", "");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("draining"), "{}", ready.body);
    assert_eq!(get(addr, "/hello/you", "").status, 200);

    let asked = Instant::now();
    hello.signal("-INT");
    assert_eq!(hello.ended().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(1));
}

#[test]
fn an_open_connection_does_not_hold_it_beyond_the_deadline() {
    let mut hello = Example::start("hello", &["--drain.timeout=300ms"]);
    let addr = hello.addr();
    let mut stream = TcpStream::connect(addr).unwrap();
    stream
        .write_all(b"POST /hello/you HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
        .unwrap();
    get(addr, "/livez", "");
    let asked = Instant::now();
    hello.signal("-TERM");
    assert_eq!(hello.ended().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(3));
}

fn refused(args: &[&str], env: &[(&str, &str)]) -> String {
    let Output {
        status,
        stderr,
        stdout,
    } = command("hello")
        .args(args)
        .envs(env.iter().copied())
        .output()
        .unwrap();
    assert_eq!(
        status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&stdout)
    );
    String::from_utf8(stderr).unwrap()
}

#[test]
fn every_wrong_setting_is_named_at_once() {
    let error = refused(
        &["--server.bnd=127.0.0.1:0", "--drain.timeout=5 parsecs"],
        &[
            ("MSF__SERVER__WORKERS", "many"),
            ("MSF__LOG__LEVL", "debug"),
        ],
    );
    for part in [
        "did you mean --server.bind?",
        "--drain.timeout",
        "5 parsecs",
        "MSF__SERVER__WORKERS",
        "did you mean MSF__LOG__LEVEL?",
        "4 problems",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_wrong_file_is_named_with_its_line() {
    let file = std::env::temp_dir().join(format!("msf-hello-{}.toml", std::process::id()));
    std::fs::write(
        &file,
        "[server]\nbind = \"nowhere\"\n\n[drain]\ntimout = \"5s\"\n",
    )
    .unwrap();
    let path = file.to_str().unwrap();
    let error = refused(&["--config", path], &[]);
    std::fs::remove_file(&file).unwrap();
    for part in [
        format!("{path}:2"),
        format!("{path}:5"),
        "did you mean drain.timeout?".to_owned(),
    ] {
        assert!(error.contains(&part), "{part}: {error}");
    }

    let error = refused(&["--config", path], &[]);
    assert!(
        error.contains(&format!("{path}: does not exist")),
        "{error}"
    );
}

#[test]
fn a_busy_port_is_explained() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let error = refused(&[&format!("--server.bind={addr}")], &[]);
    assert!(
        error.contains(&format!("cannot listen on {addr}: the port is in use")),
        "{error}"
    );

    let flag = format!("--server.bind={addr}");
    let error = refused(&[&flag, "--server.workers=2"], &[]);
    assert!(error.contains("the port is in use"), "{error}");
}

#[test]
fn the_flags_that_only_print() {
    let print = |flag: &str| {
        let output = command("hello")
            .args([flag, "--drain.timeout=7s"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{flag}");
        String::from_utf8(output.stdout).unwrap()
    };
    let config = print("--print-config");
    assert!(config.contains("drain.timeout"), "{config}");
    assert!(config.contains("flag --drain.timeout"), "{config}");
    assert!(print("--help").contains("MSF__SERVER__BIND"));
    assert!(print("--check-config").contains("valid"));
}

#[test]
fn workers_share_the_port() {
    let mut hello = Example::start("hello", &["--server.workers=2"]);
    let addr = hello.addr();
    for _ in 0..10 {
        assert_eq!(get(addr, "/hello/you", "").status, 200);
    }
    hello.signal("-TERM");
    assert_eq!(hello.ended().code(), Some(0));
}

/// Closed-loop load while the service ends: what wrk saw must be answers, and then a closed port.
#[test]
#[ignore = "needs wrk on PATH"]
fn sigterm_under_load_resets_nobody() {
    for args in [
        &["--drain.delay=500ms"][..],
        &["--drain.delay=0s"],
        &["--server.workers=2"],
    ] {
        let mut hello = Example::start("hello", args);
        let url = format!("http://{}/hello/you", hello.addr());
        let wrk = Command::new("wrk")
            .args(["-t2", "-c64", "-d3s", &url])
            .stdout(Stdio::piped())
            .spawn()
            .expect("wrk is on PATH");
        // The load has to be running; how long it has run does not matter.
        thread::sleep(Duration::from_secs(1));
        let asked = Instant::now();
        hello.signal("-TERM");
        // Nobody may stop to read its lines: the pipe would fill, and lines would be dropped.
        let drained = thread::spawn(move || {
            hello.log("drained");
            (hello.ended(), asked.elapsed())
        });
        let report = String::from_utf8(wrk.wait_with_output().unwrap().stdout).unwrap();
        let (status, took) = drained.join().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}");
        assert!(took < Duration::from_secs(5), "{args:?}: {took:?}");
        assert!(!report.contains("Non-2xx"), "{args:?}: {report}");
        // "Socket errors: connect 9, read 0, write 7, timeout 0": once the port is closed, connecting
        // fails, which wrk notices when it connects or when it writes. A reset is an error of a read.
        if let Some(errors) = report.lines().find(|line| line.contains("Socket errors")) {
            assert!(errors.contains("read 0,"), "{args:?}: {report}");
        }
    }
}

//! `telemetry::init` in processes of its own: the global subscriber and standard output are the
//! process's.
//!
//! This binary runs itself: each scenario is a child, whose output the parent reads, or does not.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use msf_core::telemetry::{self, LogConfig, Telemetry, TelemetryError};
use serde_json::Value;
use tokio::runtime::Builder;
use tracing::{debug, field, info, info_span};

fn main() {
    if let Ok(scenario) = std::env::var(SCENARIO) {
        return child(&scenario);
    }
    lines_are_json_when_nobody_watches();
    a_second_init_is_refused_and_harmless();
    rust_log_wins();
    dropping_the_guard_flushes();
    a_value_may_log_while_it_is_printed();
    a_closed_pipe_is_survived();
    a_pipe_that_nobody_reads_holds_up_nothing();
    #[cfg(feature = "otlp")]
    a_dead_collector_is_one_warning();
}

fn child(scenario: &str) {
    #[cfg(feature = "otlp")]
    if scenario == "collector" {
        return dead_collector();
    }
    let telemetry = telemetry::init(&LogConfig::default()).expect("nobody was first");
    match scenario {
        "hello" => {
            debug!("quiet");
            info!(answer = 42, "hello");
            shut_down(telemetry);
        }
        "twice" => {
            let again = telemetry::init(&LogConfig::default());
            assert!(matches!(again, Err(TelemetryError::AlreadySet)));
            info!("still here");
            shut_down(telemetry);
        }
        "drop" => {
            info!("last words");
            drop(telemetry);
        }
        "chatty" => {
            let span = info_span!("s", late = field::Empty);
            let _entered = span.enter();
            info!(value = ?Chatty, "outer");
            span.record("late", field::debug(Chatty));
            shut_down(telemetry);
        }
        "flood" => {
            let filler = "x".repeat(200);
            // Far more than a pipe and the queue hold.
            (0..50_000).for_each(|n| info!(n, filler, "flood"));
            assert!(telemetry.dropped_lines() > 0);
            let runtime = Builder::new_current_thread().build().expect("a runtime");
            // Whether everything went out depends on the reader; that it ends does not.
            let _ = runtime.block_on(telemetry.shutdown(Duration::from_millis(200)));
        }
        other => panic!("no scenario {other}"),
    }
}

fn shut_down(telemetry: Telemetry) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let shutdown = telemetry.shutdown(Duration::from_secs(30));
    runtime.block_on(shutdown).expect("all is written out");
}

#[cfg(feature = "otlp")]
fn dead_collector() {
    use msf_core::telemetry::{
        TelemetrySetup,
        otlp::{OtlpConfig, ServiceIdentity},
    };

    let mut config = OtlpConfig::default();
    config.interval = Duration::from_millis(1);
    // Port 1 is not a collector's.
    config.endpoint = Some("http://127.0.0.1:1".to_owned());
    let setup = TelemetrySetup::new(&LogConfig::default());
    let setup = setup.otlp(&config, &ServiceIdentity::new("orders"));
    let telemetry = setup.and_then(TelemetrySetup::init).expect("it is set up");
    for failed in 1..=3 {
        let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
        drop(info_span!(
            "request",
            trace_id,
            span_id = "00f067aa0ba902b7"
        ));
        while telemetry.stats().failed_spans() < failed {
            std::thread::yield_now();
        }
    }
    shut_down(telemetry);
}

/// Logs while it is printed. Only the global subscriber sees that: a scoped one is left alone by
/// tracing.
struct Chatty;

impl std::fmt::Debug for Chatty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        info!("inner");
        f.write_str("chatty")
    }
}

fn lines_are_json_when_nobody_watches() {
    let lines = run("hello", &[]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["message"], "hello");
    assert_eq!(lines[0]["answer"], 42);
    assert_eq!(lines[0]["target"], "telemetry_process");
}

fn a_second_init_is_refused_and_harmless() {
    assert_eq!(run("twice", &[])[0]["message"], "still here");
}

fn rust_log_wins() {
    let lines = run("hello", &[("RUST_LOG", "debug")]);
    assert_eq!(lines[0]["message"], "quiet");
    assert!(run("hello", &[("RUST_LOG", "warn")]).is_empty());
}

fn dropping_the_guard_flushes() {
    assert_eq!(run("drop", &[])[0]["message"], "last words");
}

fn a_value_may_log_while_it_is_printed() {
    let lines = run("chatty", &[]);
    let messages: Vec<_> = lines.iter().map(|line| &line["message"]).collect();
    assert_eq!(messages, ["inner", "outer", "inner"]);
    assert_eq!(lines[1]["value"], "chatty");
}

fn a_closed_pipe_is_survived() {
    let mut child = start("flood", &[]);
    let mut line = String::new();
    {
        let stdout = child.stdout.take().expect("it is piped");
        let mut reader = BufReader::new(stdout);
        reader.read_line(&mut line).expect("a first line");
    }
    assert!(serde_json::from_str::<Value>(&line).is_ok());
    finish(child);
}

fn a_pipe_that_nobody_reads_holds_up_nothing() {
    let mut child = start("flood", &[]);
    let unread = child.stdout.take();
    finish(child);
    drop(unread);
}

#[cfg(feature = "otlp")]
fn a_dead_collector_is_one_warning() {
    let lines = run("collector", &[]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["level"], "WARN");
    assert_eq!(lines[0]["target"], "msf_core::telemetry");
    assert_eq!(lines[0]["spans"], 1);
}

fn run(scenario: &str, env: &[(&str, &str)]) -> Vec<Value> {
    let mut child = start(scenario, env);
    let mut text = String::new();
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_to_string(&mut text).expect("lines are UTF-8");
    finish(child);
    text.lines()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .collect()
}

fn start(scenario: &str, env: &[(&str, &str)]) -> Child {
    let this = std::env::current_exe().expect("this binary has a path");
    Command::new(this)
        .env_remove("RUST_LOG")
        .env(SCENARIO, scenario)
        .envs(env.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs")
}

fn finish(mut child: Child) {
    // A child that hangs fails the test run by its time limit; a panic of its own shows on
    // standard error.
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{status}");
}

const SCENARIO: &str = "MSF_TELEMETRY_SCENARIO";

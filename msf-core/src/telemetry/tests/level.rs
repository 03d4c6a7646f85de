//! Which lines are written, and how that changes.

use tracing::{debug, error, info, info_span, warn};

use super::Bench;
use crate::telemetry::{LogConfig, TelemetryError, TelemetrySetup, lines::LineStyle};

fn setup(level: &str) -> TelemetrySetup {
    let log = LogConfig {
        level: level.to_owned(),
        ..LogConfig::default()
    };
    TelemetrySetup::new(&log)
}

#[test]
fn the_level_changes_while_running() {
    let bench = Bench::json();
    let level = bench.telemetry.level();
    let say = || {
        debug!("quiet");
        info!("loud");
        bench.lines().len()
    };
    // Inside `run`, as tracing asks the thread's own subscriber when there is no other.
    bench.run(|| {
        assert_eq!(say(), 1);
        level.set("debug").unwrap();
        assert_eq!(level.current(), "debug");
        assert_eq!(say(), 2);
        assert!(level.set("loud").is_err());
        assert_eq!(level.current(), "debug");
        level.set("warn").unwrap();
        assert_eq!(say(), 0);
    });
}

#[test]
fn a_warning_has_its_trace_even_when_only_warnings_are_written() {
    let bench = Bench::new(setup("warn"), LineStyle::Json);
    bench.run(|| {
        let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let _span = info_span!("request", %trace_id, span_id = "00f067aa0ba902b7").entered();
        let _plain = info_span!("not made", x = 1).entered();
        info!("not written");
        warn!("written");
    });
    let line = bench.line();
    assert_eq!(line["message"], "written");
    assert_eq!(line["span_id"], "00f067aa0ba902b7");
    assert_eq!(line["span"], "request");
}

#[test]
fn targets_have_levels_of_their_own() {
    let bench = Bench::new(setup("info,msf::access=warn"), LineStyle::Json);
    bench.run(|| {
        info!(target: "msf::access", "request");
        error!(target: "msf::access", "request");
        info!("other");
    });
    let lines = bench.lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["level"], "ERROR");
}

#[test]
fn a_span_directive_follows_its_span() {
    let bench = Bench::new(setup("warn,[charge]=debug"), LineStyle::Json);
    bench.run(|| {
        debug!("outside");
        let _span = info_span!("charge").entered();
        debug!("inside");
    });
    assert_eq!(bench.line()["message"], "inside");
}

#[test]
fn rust_log_wins_over_the_configuration() {
    let build = |level: &str, rust_log| {
        let built = setup(level).build(std::io::sink(), LineStyle::Json, rust_log);
        built.map(|(_, telemetry)| telemetry.level().current())
    };
    assert_eq!(build("warn", None).unwrap(), "warn");
    assert_eq!(
        build("warn", Some("my_crate,hyper=debug")).unwrap(),
        "my_crate,hyper=debug"
    );
    let hidden = build("wran", Some("info")).unwrap_err();
    assert_eq!(
        hidden.to_string(),
        "invalid log level `wran`: expected off, error, warn, info, debug, trace or `target=level`"
    );
    assert!(matches!(
        build("info", Some("a=loud")).unwrap_err(),
        TelemetryError::InvalidLevel(error) if error.directive == "a=loud"
    ));
}

#[test]
fn a_queue_without_room_is_refused() {
    let log = LogConfig {
        queue_lines: 0,
        ..LogConfig::default()
    };
    let error = TelemetrySetup::new(&log).check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid `queue_lines`: it must be from 1 to 1048576"
    );
}

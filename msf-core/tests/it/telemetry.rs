//! What a host can find out about telemetry settings before anything global happens.

use msf_core::telemetry::{LogConfig, LogFormat, TelemetryError, TelemetrySetup};

#[test]
fn an_empty_table_is_a_complete_configuration() {
    let log: LogConfig = toml::from_str("").unwrap();
    assert_eq!(log, LogConfig::default());
    assert_eq!((log.level.as_str(), log.format), ("info", LogFormat::Auto));
}

#[test]
fn a_configuration_is_written_as_it_is_read() {
    let mut log = LogConfig::default();
    log.level = "info,msf::access=warn".to_owned();
    log.format = LogFormat::Pretty;
    let text = serde_json::to_string(&log).unwrap();
    assert_eq!(
        text,
        r#"{"level":"info,msf::access=warn","format":"pretty","queue_lines":8192}"#
    );
    assert_eq!(serde_json::from_str::<LogConfig>(&text).unwrap(), log);
}

#[test]
fn an_unknown_format_is_refused() {
    let error = toml::from_str::<LogConfig>("format = 'xml'").unwrap_err();
    assert!(
        error.to_string().contains("`auto`, `json`, `pretty`"),
        "{error}"
    );
}

#[test]
fn a_bad_level_is_found_before_init() {
    let mut log = LogConfig::default();
    log.level = "verbose".to_owned();
    let error = TelemetrySetup::new(&log).check().unwrap_err();
    assert!(matches!(&error, TelemetryError::InvalidLevel(level) if level.directive == "verbose"));
}

#[test]
fn guards_and_handles_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    fn clones<T: Clone>() {}

    crosses::<msf_core::telemetry::Telemetry>();
    crosses::<msf_core::telemetry::LevelHandle>();
    crosses::<msf_core::telemetry::TelemetryStats>();
    crosses::<TelemetryError>();
    clones::<msf_core::telemetry::LevelHandle>();
    clones::<msf_core::telemetry::TelemetryStats>();
}

//! From a file: every mistake is reported, with its place.

use std::collections::BTreeMap;

use msf_core::config::{Config, Loader, Plain, Problems};
use msf_resilience::pipeline::{ClientConfig, http_client};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    resilience: BTreeMap<String, ClientConfig>,
}

impl Config for Settings {
    type Resolved = Self;

    fn resolve(self, problems: &mut Problems<'_>) -> Option<Self> {
        for (name, config) in &self.resilience {
            if let Err(invalid) = http_client(name.as_str()).config(config).build() {
                invalid.report(&mut problems.nested(&format!("resilience.{name}")));
            }
        }
        Some(self)
    }
}

fn load(file: &str) -> Result<Settings, Vec<String>> {
    let loaded = Loader::new()
        .file_text("shop.toml", file)
        .load::<Settings>();
    loaded
        .map(|command| command.into_loaded().unwrap().settings)
        .map_err(|error| error.problems().iter().map(ToString::to_string).collect())
}

#[test]
fn an_empty_section_is_a_part_with_its_defaults_and_no_section_is_no_part() {
    let settings = load("[resilience.payments.breaker]\n[resilience.search]").unwrap();
    let payments = http_client("payments").config(&settings.resilience["payments"]);
    let payments = payments.build().unwrap();
    assert_eq!(payments.circuit_breaker().unwrap().name(), "payments");
    assert!(payments.bulkhead().is_none());

    let search = http_client("search").config(&settings.resilience["search"]);
    assert!(search.build().unwrap().circuit_breaker().is_none());
}

#[test]
fn every_mistake_is_reported_at_once_with_file_line_and_key() {
    let problems = load(
        "[resilience.payments.breaker]
window = \"10ms\"

[resilience.payments.bulkhead]
max_concurrent = 0

[resilience.search.rate_limit]
limits = [{ requests = 0, per = \"1s\" }]
",
    );
    assert_eq!(
        problems.unwrap_err(),
        [
            "shop.toml:5: resilience.payments.bulkhead.max_concurrent: \
             `max_concurrent` must be from 1 to 1000000, not 0",
            "shop.toml:2: resilience.payments.breaker.window: \
             the window must be from 100 ms to 10 min, not 10ms",
            "shop.toml:8: resilience.search.rate_limit.limits: \
             a rate limit must allow at least one request",
        ]
    );
}

#[test]
fn an_unknown_key_is_an_error_that_knows_what_was_meant() {
    let problems = load("[resilience.payments.breaker]\nfailure_rat = 0.5").unwrap_err();
    assert_eq!(
        problems,
        [
            "shop.toml:2: resilience.payments.breaker.failure_rat: unknown key; did you mean resilience.payments.breaker.failure_rate?"
        ]
    );
    let problems = load("[resilience.payments.braker]").unwrap_err();
    assert_eq!(
        problems,
        [
            "shop.toml:1: resilience.payments.braker: unknown key; did you mean resilience.payments.breaker?"
        ]
    );
}

#[test]
fn a_duration_needs_its_unit() {
    let problems = load("[resilience.payments.breaker]\nwindow = 10").unwrap_err();
    let [problem] = &problems[..] else {
        panic!("{problems:?}");
    };
    assert!(
        problem.starts_with("shop.toml:2: resilience.payments.breaker.window: expected a duration"),
        "{problem}"
    );
}

#[test]
fn a_pipeline_alone_checks_itself_when_it_is_loaded() {
    let loader = Loader::new().env([("MSF__BREAKER", "{ jitter = 2.0 }")]);
    let error = loader.load::<ClientConfig>().unwrap_err();
    assert_eq!(
        error.problems()[0].to_string(),
        "env MSF__BREAKER: breaker.jitter: the jitter must be from 0 to 0.9, not 2"
    );
    assert!(loader.load::<Plain<ClientConfig>>().is_ok());
}

#[test]
fn the_error_of_a_builder_is_one_line_with_paths() {
    let config: ClientConfig = serde_json::from_value(serde_json::json!({
        "breaker": {"min_calls": 0},
        "bulkhead": {"max_queue": 0},
    }))
    .unwrap();
    let error = http_client("payments").config(&config).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "payments.bulkhead.max_queue: `max_queue` must be from 1 to 1000000, not 0; \
         payments.breaker.min_calls: the minimum of calls must be at least 1"
    );
    let error = http_client("").build().unwrap_err();
    assert_eq!(error.problems()[0].path(), "");
}

//! Configurations that nobody meant: each is refused with its place, and a pipeline that runs goes on as it was.

use std::time::Duration;

use msf_core::{classify::Classification, config::Loader};
use msf_resilience::{
    circuit_breaker::State,
    pipeline::{ClientConfig, HttpClient, HttpServer, ServerConfig, http_client, http_server},
    policies::{self, Control, Kind},
    retry::RetryPolicy,
};
use serde_json::{Value, json};

fn client_problems(file: &str) -> Vec<String> {
    let loaded = Loader::new()
        .file_text("c.toml", file)
        .load::<ClientConfig>();
    let Err(error) = loaded else {
        return Vec::new();
    };
    let keys = error.problems().iter().map(ToString::to_string);
    keys.collect()
}

fn server_problems(file: &str) -> Vec<String> {
    let loaded = Loader::new()
        .file_text("s.toml", file)
        .load::<ServerConfig>();
    let Err(error) = loaded else {
        return Vec::new();
    };
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn a_number_that_cannot_work_is_refused_at_its_key() {
    for (key, value) in [
        ("breaker.failure_rate", "nan"),
        ("breaker.failure_rate", "inf"),
        ("breaker.failure_rate", "-0.1"),
        ("breaker.failure_rate", "0.0"),
        ("breaker.failure_rate", "1.1"),
        ("breaker.jitter", "nan"),
        ("breaker.jitter", "-1.0"),
        ("breaker.slow", "{ rate = nan, after = \"1s\" }"),
        ("breaker.slow", "{ rate = 0.5, after = \"0s\" }"),
        ("breaker.consecutive_failures", "0"),
        ("breaker.window", "\"0s\""),
        ("breaker.window", "\"100000d\""),
        ("breaker.window_calls", "0"),
        ("breaker.window_calls", "4294967295"),
        ("breaker.min_calls", "0"),
        ("breaker.cancel", "{ rate_threshold = nan }"),
        ("breaker.open_for", "\"0s\""),
        ("breaker.half_open_permits", "0"),
        ("breaker.half_open_permits", "4294967295"),
        ("breaker.half_open_max_wait", "\"0s\""),
        ("breaker.ramp", "\"100000d\""),
        ("bulkhead.max_concurrent", "0"),
        ("bulkhead.max_concurrent", "4294967295"),
        ("bulkhead.max_wait", "\"100000d\""),
        ("bulkhead.max_queue", "0"),
        ("hedge.after", "\"0s\""),
        ("hedge.after", "\"100000d\""),
        ("hedge.after_quantile", "nan"),
        ("hedge.after_quantile", "1.0"),
        ("hedge.min_samples", "0"),
        ("hedge.min_delay", "\"100000d\""),
        ("hedge.window", "\"0s\""),
        ("hedge.max_hedges", "0"),
        ("hedge.max_hedges", "4294967295"),
        ("retry.max_attempts", "0"),
        ("retry.max_attempts", "4294967295"),
        ("retry.transient", "{ base = \"2s\", max = \"1s\" }"),
        ("retry.throttled", "{ base = \"0s\", max = \"0s\" }"),
        ("retry.retry_after_max", "\"100000d\""),
        ("retry.methods", "[\"GET\", \"NO SPACE\"]"),
        ("retry.body_limit", "1000000000000"),
        ("retry.budget", "{ kind = \"deposits\", ratio = nan }"),
        ("retry.budget", "{ kind = \"deposits\", ratio = -1.0 }"),
        ("retry.budget", "{ kind = \"deposits\", ttl = \"0s\" }"),
        ("retry.budget", "{ kind = \"concurrency\", ratio = inf }"),
        ("retry.budget", "{ kind = \"quota\", capacity = 0 }"),
        ("rate_limit.limits", "[]"),
        ("rate_limit.limits", "[{ requests = 0, per = \"1s\" }]"),
        ("rate_limit.limits", "[{ requests = 1, per = \"0s\" }]"),
        ("rate_limit.limits", "[{ requests = 1, per = \"100000d\" }]"),
        (
            "rate_limit.limits",
            "[{ requests = 1, per = \"1s\", burst = 0 }]",
        ),
        ("deadline", "\"0s\""),
        ("deadline", "\"100000d\""),
        ("attempt_timeout", "\"0s\""),
        ("attempt_timeout", "\"100000d\""),
    ] {
        let problems = client_problems(&format!("{key} = {value}"));
        let [problem] = &problems[..] else {
            panic!("{key} = {value}: {problems:?}");
        };
        let place = format!("c.toml:1: {key}");
        assert!(problem.starts_with(&place), "{key} = {value}: {problem}");
    }
}

#[test]
fn a_number_of_a_server_that_cannot_work_is_refused_at_its_key() {
    for (key, value) in [
        ("deadline.default", "\"0s\""),
        ("deadline.default", "\"100000d\""),
        ("deadline.max", "\"0s\""),
        ("adaptive.initial", "0"),
        ("adaptive.initial", "4294967295"),
        ("adaptive.window", "\"0s\""),
        ("adaptive.window", "\"100000d\""),
        ("adaptive.min_calls", "0"),
        ("bulkhead.max_concurrent", "0"),
        ("rate_limit.limits", "[]"),
    ] {
        let problems = server_problems(&format!("{key} = {value}"));
        let [problem] = &problems[..] else {
            panic!("{key} = {value}: {problems:?}");
        };
        let place = format!("s.toml:1: {key}");
        assert!(problem.starts_with(&place), "{key} = {value}: {problem}");
    }
    for (key, value) in [
        ("load_shed.threshold", "nan"),
        ("load_shed.threshold", "-1.0"),
        ("load_shed.window", "\"0s\""),
        ("load_shed.window", "\"100000d\""),
        ("load_shed.retry_after", "\"100000d\""),
    ] {
        let problems = server_problems(&format!("{key} = {value}\n[bulkhead]"));
        let place = format!("s.toml:1: {key}");
        assert!(
            problems.len() == 1 && problems[0].starts_with(&place),
            "{key} = {value}: {problems:?}"
        );
    }
    let limits = "rate_limit.limits = [{ requests = 1, per = \"1s\" }]";
    for keys in ["0", "18446744073709551615", "-1"] {
        let problems = server_problems(&format!("{limits}\nrate_limit.max_keys = {keys}"));
        assert_eq!(problems.len(), 1, "{keys}: {problems:?}");
    }
}

#[test]
fn times_that_do_not_fit_each_other_are_refused() {
    let problems = client_problems("deadline = \"1s\"\nattempt_timeout = \"2s\"");
    assert_eq!(
        problems,
        ["c.toml:2: attempt_timeout: an attempt must not have more time than the deadline, 1s"]
    );
    let problems = client_problems("deadline = \"1s\"\ndeadline_margin = \"1s\"");
    assert_eq!(
        problems,
        ["c.toml:2: deadline_margin: must be less than the deadline, 1s"]
    );
    let problems = server_problems("[deadline]\ndefault = \"2s\"\nmax = \"1s\"");
    assert_eq!(
        problems,
        ["s.toml:2: deadline.default: the default must not be longer than the maximum, 1s"]
    );
}

#[test]
fn a_name_that_cannot_be_is_said_once_and_written_harmlessly() {
    let config = client_config(json!({"breaker": {}, "bulkhead": {}, "retry": {}}));
    let invalid = http_client("a\u{1b}[31m\nb").config(&config).build();
    let invalid = invalid.unwrap_err();
    assert_eq!(
        invalid.to_string(),
        "a\\u{1b}[31m\\nb: the name must be 1 to 128 bytes without control characters"
    );
    let invalid = http_server("").config(&server_config(json!({"bulkhead": {}})));
    assert_eq!(invalid.build().unwrap_err().problems().len(), 1);
}

fn client_config(json: Value) -> ClientConfig {
    serde_json::from_value(json).unwrap()
}

fn server_config(json: Value) -> ServerConfig {
    serde_json::from_value(json).unwrap()
}

fn client() -> (HttpClient, Value) {
    let config = json!({
        "deadline": "5s",
        "retry": {"max_attempts": 4},
        "hedge": {"after": "50ms"},
        "rate_limit": {"limits": [{"requests": 3, "per": "1s"}]},
        "bulkhead": {"max_concurrent": 3},
        "breaker": {"min_calls": 3},
        "attempt_timeout": "1s",
    });
    let client = http_client("payments").config(&client_config(config.clone()));
    (client.build().unwrap(), config)
}

/// What a configuration has set, as far as it can be seen.
fn seen(client: &HttpClient) -> impl PartialEq + std::fmt::Debug {
    let retry = client.retry().unwrap();
    (
        retry.max_attempts(),
        retry.budget().unwrap().rule(),
        client.hedge().unwrap().delay(),
        client.rate_limit().unwrap().limits().quotas().to_vec(),
        client.bulkhead().unwrap().snapshot().limit(),
        format!("{client:?}"),
    )
}

#[tokio::test(start_paused = true)]
async fn one_fault_in_any_part_of_a_client_leaves_every_part_as_it_was() {
    let (client, config) = client();
    let before = seen(&client);
    for (part, fault) in [
        ("deadline", json!("0s")),
        ("retry", json!({"max_attempts": 0})),
        ("retry", json!({"budget": {"kind": "quota"}})),
        (
            "retry",
            json!({"budget": {"kind": "deposits", "ttl": "1s"}}),
        ),
        ("hedge", json!({"max_hedges": 9})),
        ("rate_limit", json!({"limits": []})),
        (
            "rate_limit",
            json!({"limits": [{"requests": 1, "per": "1s"}, {"requests": 1, "per": "1h"}]}),
        ),
        ("rate_limit", Value::Null),
        ("bulkhead", json!({"max_concurrent": 0})),
        ("bulkhead", Value::Null),
        ("breaker", json!({"window": "1h"})),
        ("attempt_timeout", json!("0s")),
        ("attempt_timeout", json!("6s")),
        ("deadline_margin", json!("1s")),
    ] {
        // Everything else would change.
        let mut changed = json!({
            "deadline": "4s",
            "retry": {"max_attempts": 2, "budget": {"kind": "deposits", "ratio": 0.5}},
            "hedge": {"after": "70ms"},
            "rate_limit": {"limits": [{"requests": 9, "per": "1s"}]},
            "bulkhead": {"max_concurrent": 9},
            "breaker": {"min_calls": 9},
            "attempt_timeout": "2s",
        });
        changed[part] = fault.clone();
        let error = client.reload(&client_config(changed)).unwrap_err();
        let [problem] = error.problems() else {
            panic!("{part} {fault}: {error}");
        };
        assert!(problem.path().starts_with(part), "{part} {fault}: {error}");
        assert!(before == seen(&client), "{part} {fault}");
    }
    for _ in 0..3 {
        let permit = client.circuit_breaker().unwrap().try_acquire().unwrap();
        permit.complete(&Classification::FAILURE);
    }
    let breaker = client.circuit_breaker().unwrap();
    assert_eq!(breaker.state(), State::Open, "after 3 calls, as before");
    client.reload(&client_config(config)).unwrap();
}

fn server(config: Value) -> HttpServer {
    let server = http_server("orders").config(&server_config(config));
    server.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_fault_in_any_part_of_a_server_leaves_every_part_as_it_was() {
    let limits = |requests| json!({"limits": [{"requests": requests, "per": "1s"}]});
    for limit in ["bulkhead", "adaptive"] {
        let server = server(json!({
            "deadline": {"max": "5s"}, "load_shed": {}, "rate_limit": limits(3), limit: {},
        }));
        let before = format!("{server:?}");
        for (part, fault) in [
            ("deadline", json!({"default": "0s"})),
            ("deadline", Value::Null),
            ("load_shed", json!({"threshold": -1.0})),
            ("load_shed", Value::Null),
            ("rate_limit", json!({"limits": []})),
            (
                "rate_limit",
                json!({"limits": [{"requests": 1, "per": "1s"}], "max_keys": 0}),
            ),
            (limit, Value::Null),
            ("bulkhead", json!({"max_concurrent": 0})),
            ("adaptive", json!({"window": "0s"})),
        ] {
            let set = match limit {
                "bulkhead" => json!({"max_concurrent": 9}),
                _ => json!({"initial": 9, "max": 9}),
            };
            let mut changed = json!({
                "deadline": {"max": "1s"},
                "load_shed": {"threshold": 0.5},
                "rate_limit": limits(9),
                limit: set,
            });
            changed[part] = fault.clone();
            let error = server.reload(&server_config(changed)).unwrap_err();
            assert!(
                error.problems()[0].path().starts_with(part),
                "{part} {fault}: {error}"
            );
            assert_eq!(before, format!("{server:?}"), "{part} {fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn times_of_a_configuration_must_fit_those_of_the_code() {
    let client = http_client("payments")
        .deadline(Duration::from_secs(1))
        .deadline_margin(Duration::from_millis(20))
        .config(&client_config(json!({"attempt_timeout": "500ms"})))
        .build()
        .unwrap();
    client
        .reload(&client_config(json!({"attempt_timeout": "700ms"})))
        .unwrap();
    let error = client
        .reload(&client_config(json!({"attempt_timeout": "2s"})))
        .unwrap_err();
    assert_eq!(error.problems()[0].path(), "attempt_timeout");
}

#[tokio::test(start_paused = true)]
async fn a_margin_that_is_in_use_does_not_change_in_silence() {
    let client = http_client("payments")
        .deadline(Duration::from_secs(1))
        .config(&client_config(json!({"deadline_margin": "5ms"})))
        .build()
        .unwrap();
    let error = client
        .reload(&client_config(json!({"deadline_margin": "9ms"})))
        .unwrap_err();
    assert_eq!(error.problems()[0].path(), "deadline_margin");
}

#[tokio::test(start_paused = true)]
async fn an_order_of_an_operator_outlives_a_section_that_goes_and_comes_back() {
    let with = client_config(json!({"breaker": {}}));
    let without = client_config(json!({}));
    let client = http_client("operated").config(&with).build().unwrap();
    let breaker = client.circuit_breaker().unwrap();
    let order = |order| policies::control(Kind::CircuitBreaker, "operated", order).unwrap();

    order(Control::ForceOpen);
    client.reload(&without).unwrap();
    assert_eq!(breaker.state(), State::ForcedOpen);
    client.reload(&with).unwrap();
    assert_eq!(breaker.state(), State::ForcedOpen);
    order(Control::Release);

    client.reload(&without).unwrap();
    client.reload(&without).unwrap();
    assert_eq!(breaker.state(), State::Disabled);
    order(Control::ForceOpen);
    client.reload(&with).unwrap();
    assert_eq!(breaker.state(), State::ForcedOpen);
    order(Control::Release);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_code_gave_is_not_touched_whatever_the_configuration_says() {
    let retry = RetryPolicy::builder("payments").max_attempts(7);
    let client = http_client("payments").retry(retry.build().unwrap());
    let client = client.build().unwrap();
    for section in [
        json!({"max_attempts": 2}),
        json!({"max_attempts": 0}),
        Value::Null,
    ] {
        client
            .reload(&client_config(json!({"retry": section})))
            .unwrap();
        assert_eq!(client.retry().unwrap().max_attempts(), 7);
    }
}

#[test]
fn reloads_from_many_threads_leave_one_whole_configuration() {
    let config = |calls: u32| {
        let quota = json!({"limits": [{"requests": calls, "per": "1s"}]});
        client_config(json!({
            "retry": {"max_attempts": calls},
            "rate_limit": quota,
            "bulkhead": {"max_concurrent": calls},
        }))
    };
    let client = http_client("payments").config(&config(1)).build().unwrap();
    std::thread::scope(|scope| {
        for thread in 1..=4 {
            let (client, config) = (&client, &config);
            scope.spawn(move || {
                for turn in 0..200 {
                    client
                        .reload(&config(1 + (thread * 7 + turn) % 90))
                        .unwrap();
                }
            });
        }
    });
    let calls = client.retry().unwrap().max_attempts();
    assert_eq!(client.bulkhead().unwrap().snapshot().limit(), calls);
    let limits = client.rate_limit().unwrap().limits();
    assert_eq!(limits.quotas()[0].requests(), calls);
}

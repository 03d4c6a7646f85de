//! The shape of JSON lines.

use proptest::prelude::{any, prop_assert_eq, proptest};
use serde_json::{Value, json};
use tracing::{debug_span, field, info, info_span};

use super::Bench;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[test]
fn an_event_is_one_flat_object() {
    let bench = Bench::json();
    bench.run(|| {
        info!(target: "orders::pay", amount = 12, ratio = 0.5, ok = true, who = %"me", what = ?Some(1), "paid");
    });
    let mut line = bench.line();
    let ts = line.as_object_mut().unwrap().remove("ts").unwrap();
    assert!(
        humantime::parse_rfc3339(ts.as_str().unwrap()).is_ok(),
        "{ts}"
    );
    assert_eq!(
        line,
        json!({
            "level": "INFO", "target": "orders::pay", "message": "paid",
            "amount": 12, "ratio": 0.5, "ok": true, "who": "me", "what": "Some(1)",
        })
    );
}

#[test]
fn ids_come_from_the_nearest_span_that_has_them() {
    let bench = Bench::json();
    bench.run(|| {
        let server = info_span!(
            "request",
            trace_id = %TRACE,
            span_id = %SPAN,
            parent_span_id = field::Empty,
            request_id = "r-1",
            otel.name = "GET /orders/{id}",
            otel.kind = "server",
            http.request.method = "GET",
        );
        let _server = server.enter();
        info!("in the server span");
        let _plain = info_span!("charge", card = "visa").entered();
        info!("in a span of its own");
        let _client = info_span!(
            "call",
            trace_id = %TRACE,
            span_id = %"b7ad6b7169203331",
            otel.kind = "client",
            http.request.method = "POST",
        )
        .entered();
        info!("in a client span");
    });
    let lines = bench.lines();
    for line in &lines {
        assert_eq!(line["trace_id"], TRACE);
        assert_eq!(line["request_id"], "r-1");
        assert_eq!(line.get("otel.kind"), None);
        assert_eq!(line.get("parent_span_id"), None);
    }
    assert_eq!(lines[0]["span_id"], SPAN);
    assert_eq!(lines[0]["span"], "GET /orders/{id}");
    assert_eq!(lines[0]["http.request.method"], "GET");
    assert_eq!(lines[1]["span_id"], SPAN);
    assert_eq!(lines[1]["span"], "charge");
    assert_eq!(lines[1]["card"], "visa");
    assert_eq!(lines[2]["span_id"], "b7ad6b7169203331");
    assert_eq!(lines[2]["http.request.method"], "POST");
    assert_eq!(lines[2]["card"], "visa");
}

#[test]
fn an_event_that_brings_its_own_ids_keeps_them() {
    let bench = Bench::json();
    bench.run(|| {
        let _span =
            info_span!("s", trace_id = %TRACE, span_id = %SPAN, request_id = "outer").entered();
        info!(trace_id = %TRACE.replace('4', "5"), request_id = 7, "x");
        info!(trace_id = "not an id", "y");
    });
    let lines = bench.lines();
    assert_eq!(lines[0]["trace_id"], TRACE.replace('4', "5"));
    assert_eq!(lines[0]["request_id"], "7");
    assert_eq!(lines[0]["span_id"], SPAN);
    assert_eq!(lines[1]["trace_id"], TRACE);
    assert_eq!(lines[1]["field.trace_id"], "not an id");
}

#[test]
fn what_is_recorded_later_is_on_later_lines() {
    let bench = Bench::json();
    bench.run(|| {
        let span = info_span!(
            "request",
            otel.name = "GET",
            request_id = field::Empty,
            http.route = field::Empty,
            attempt = 1,
            last = true,
        );
        let _entered = span.enter();
        info!("before");
        span.record("http.route", "/orders/{id}");
        span.record("attempt", 2);
        span.record("otel.name", "GET /orders/{id}");
        span.record("request_id", "r-2");
        info!("after");
    });
    let lines = bench.lines();
    assert_eq!(lines[0]["span"], "GET");
    assert_eq!(lines[0]["attempt"], 1);
    assert_eq!(lines[0].get("http.route"), None);
    assert_eq!(lines[1]["span"], "GET /orders/{id}");
    assert_eq!(lines[1]["attempt"], 2);
    assert_eq!(lines[1]["last"], true);
    assert_eq!(lines[1]["request_id"], "r-2");
    assert_eq!(lines[1]["http.route"], "/orders/{id}");
}

#[test]
fn a_key_of_the_line_is_never_written_twice() {
    let bench = Bench::json();
    bench.run(|| {
        let _span = info_span!(
            "outer",
            level = "mine",
            message = "mine",
            code = 1,
            only_outer = 1
        )
        .entered();
        let _span = info_span!("inner", target = "mine", span = "mine", code = 2).entered();
        info!(ts = 1, level = 2, target = 3, span = 4, code = 3, "said");
    });
    let line = bench.line();
    assert_eq!(line["message"], "said");
    assert_eq!(line["span"], "inner");
    assert_eq!(line["code"], 3);
    assert_eq!(line["only_outer"], 1);
    assert_eq!(line["field.ts"], 1);
    assert_eq!(line["field.level"], 2);
    assert_eq!(line["field.target"], 3);
    assert_eq!(line["field.span"], 4);
    assert_eq!(line["field.message"], "mine");
}

#[test]
fn numbers_that_json_cannot_spell() {
    let bench = Bench::json();
    bench.run(|| {
        info!(
            nan = f64::NAN,
            inf = f64::NEG_INFINITY,
            big = 1e300,
            tiny = -5e-324,
            whole = 1.0,
            max = u64::MAX,
            min = i64::MIN,
            huge = u128::MAX,
            small = 5_i128,
        );
    });
    let line = bench.line();
    assert_eq!(line["nan"], Value::Null);
    assert_eq!(line["inf"], Value::Null);
    assert_eq!(line["big"], 1e300);
    assert_eq!(line["tiny"], -5e-324);
    assert_eq!(line["whole"], 1.0);
    assert_eq!(line["max"], u64::MAX);
    assert_eq!(line["min"], i64::MIN);
    assert_eq!(line["huge"], u128::MAX.to_string());
    assert_eq!(line["small"], 5);
    assert_eq!(line.get("message"), None);
}

#[test]
fn an_error_is_printed_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot pay")]
    struct CannotPay(#[source] std::num::ParseIntError);

    let bench = Bench::json();
    bench.run(|| {
        let error = CannotPay("x".parse::<u8>().unwrap_err());
        info!(error = &error as &dyn std::error::Error);
    });
    assert_eq!(
        bench.line()["error"],
        "cannot pay: invalid digit found in string"
    );
}

#[test]
fn a_long_value_is_cut_at_a_character() {
    let bench = Bench::json();
    let long = "ä".repeat(20_000);
    bench.run(|| info!(value = %format_args!("x{long}"), "m"));
    let line = bench.line();
    let value = line["value"].as_str().unwrap();
    assert!(value.ends_with("ä…"), "{}", &value[value.len() - 8..]);
    assert!(value.len() <= 16 * 1024 + "…".len());
}

#[test]
fn a_span_below_the_level_leaves_no_trace_in_the_line() {
    let bench = Bench::json();
    bench.run(|| {
        let _span = debug_span!("hidden", secret = 1).entered();
        info!("m");
    });
    let line = bench.line();
    assert_eq!(line.get("span"), None);
    assert_eq!(line.get("secret"), None);
}

proptest! {
    #[test]
    fn any_text_comes_back(message in any::<String>(), text in any::<String>(), name in any::<String>()) {
        let bench = Bench::json();
        bench.run(|| {
            let span = info_span!("s", otel.name = %name, text = field::Empty, request_id = %text);
            let _entered = span.enter();
            span.record("text", &text);
            info!(own = %text, "{message}");
        });
        let line = bench.line();
        if !message.is_empty() {
            prop_assert_eq!(&line["message"], &message);
        }
        prop_assert_eq!(&line["own"], &text);
        prop_assert_eq!(&line["text"], &text);
        prop_assert_eq!(&line["span"], if name.is_empty() { "s" } else { &name });
    }

    #[test]
    fn any_byte_is_escaped_where_it_must(byte in 0_u8..128) {
        let text = char::from(byte).to_string();
        let bench = Bench::json();
        bench.run(|| info!(a = %text, b = 1, "x"));
        let line = bench.line();
        prop_assert_eq!(&line["a"], &text);
        prop_assert_eq!(&line["b"], 1);
    }

    #[test]
    fn inner_fields_hide_outer_ones(values in proptest::array::uniform9(any::<String>())) {
        let bench = Bench::json();
        let [a, b, c, d, e, f, g, h, i] = &values;
        bench.run(|| {
            let _outer = info_span!("o", x = %a, y = %b, z = %c).entered();
            let middle = info_span!("m", y = %d, z = field::Empty, w = %e).entered();
            middle.record("z", f);
            let _inner = info_span!("i", z = %g, y = %h).entered();
            info!(z = %i);
        });
        let line = bench.line();
        prop_assert_eq!(&line["x"], a);
        prop_assert_eq!(&line["y"], h);
        prop_assert_eq!(&line["w"], e);
        prop_assert_eq!(&line["z"], i);
    }
}

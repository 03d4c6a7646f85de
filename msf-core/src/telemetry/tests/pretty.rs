//! Lines for people.

use tracing::{info_span, warn};

use super::Bench;
use crate::telemetry::{LogConfig, TelemetrySetup, lines::LineStyle};

fn bench(colour: bool) -> Bench {
    let setup = TelemetrySetup::new(&LogConfig::default());
    Bench::new(setup, LineStyle::Pretty { colour })
}

fn say() {
    let _span = info_span!(
        "request",
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
        span_id = "00f067aa0ba902b7",
        otel.name = "GET /orders/{id}",
        url.path = "/orders/7",
    )
    .entered();
    let _span = info_span!("charge", card = "visa").entered();
    warn!(target: "pay", amount = 12, why = "no money", "it \"failed\"\nbadly\x1b[31m");
}

#[test]
fn a_plain_line_is_short_and_harmless() {
    let bench = bench(false);
    bench.run(say);
    let text = bench.text();
    assert_eq!(
        &text[13..],
        "  WARN pay  it \"failed\"\n    badly\\u001b[31m amount=12 why=\"no money\" card=visa  charge 4bf92f35\n"
            .strip_prefix(' ')
            .unwrap()
    );
    assert!(text.as_bytes()[2] == b':' && text.as_bytes()[8] == b'.');
}

#[test]
fn colour_only_adds_escapes() {
    let (plain, coloured) = (bench(false), bench(true));
    plain.run(say);
    coloured.run(say);
    let mut text = coloured.text();
    assert!(text.contains("\x1b[33m WARN\x1b[0m"));
    for style in ["\x1b[0m", "\x1b[2m", "\x1b[33m", "\x1b[36m"] {
        text = text.replace(style, "");
    }
    assert_eq!(text[13..], plain.text()[13..]);
}

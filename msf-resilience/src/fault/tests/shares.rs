//! Who gets a fault, and when at all.

use std::time::Duration;

use msf_core::{metrics::Metrics, testing::LogCapture};
use proptest::prelude::*;
use tracing::Level;

use crate::{
    fault::{
        Fault, Faults, InvalidFaults, Latency,
        schedule::{PARTS, Schedule},
    },
    policies::{self, Control, Kind},
};

proptest! {
    // Each case draws ten thousand calls and more.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_cycle_holds_exactly_the_shares(
        seed in any::<u64>(),
        raw in proptest::array::uniform4(0_u32..=2_500),
        scale in prop_oneof![Just(1_u32), Just(5), Just(100), Just(500)],
        cycles in 1_u64..3,
    ) {
        let shares = raw.map(|share| share / scale * scale);
        let latency = Latency::fixed(Duration::from_millis(1));
        let schedule = Schedule { seed, latency, shares };
        let mut counts = [0_u64; 4];
        for call in 0..cycles * u64::from(PARTS) {
            if let Some(fault) = schedule.fault(call) {
                counts[fault.index()] += 1;
            }
        }
        prop_assert_eq!(counts, shares.map(|share| cycles * u64::from(share)));
    }

}

proptest! {
    #[test]
    fn no_text_panics_and_no_latency_is_above_the_longest(text in ".{0,24}") {
        if let Ok(Fault::Latency(wait)) = text.parse() {
            prop_assert!(wait <= Fault::LATENCY_MAX);
        }
    }

    #[test]
    fn latencies_stay_in_their_range(unit in 0.0_f64..1.0) {
        let ms = Duration::from_millis;
        let uniform = Latency::uniform(ms(20)..=ms(80)).at(unit);
        prop_assert!(uniform >= ms(20) && uniform <= ms(80));
        prop_assert!(Latency::exponential(ms(10)).at(unit) <= ms(100));
    }
}

#[test]
fn five_of_a_hundred_are_exact_in_every_twenty_calls() {
    let faults = Faults::builder("x").error(0.05).build().unwrap();
    faults.enable();
    for _ in 0..50 {
        let drawn = (0..20).filter(|_| faults.next_fault().is_some()).count();
        assert_eq!(drawn, 1);
    }
}

#[test]
fn a_seed_repeats_the_faults() {
    let drawn = |seed| {
        let builder = Faults::builder("x").error(0.3).reset(0.2).seed(seed);
        let faults = builder.build().unwrap();
        faults.enable();
        (0..100).map(|_| faults.next_fault()).collect::<Vec<_>>()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn an_exponential_latency_has_its_mean() {
    let latency = Latency::exponential(Duration::from_millis(100));
    let sum: Duration = (0..1000)
        .map(|i| latency.at((f64::from(i) + 0.5) / 1000.0))
        .sum();
    let mean = sum / 1000;
    assert!(
        mean > Duration::from_millis(97) && mean < Duration::from_millis(103),
        "{mean:?}"
    );
}

#[test]
fn nothing_is_injected_until_the_program_says_so_and_it_is_logged_once() {
    let logs = LogCapture::start();
    let faults = Faults::builder("quiet").error(1.0).build().unwrap();
    assert_eq!(faults.next_fault(), None);
    assert!(
        logs.find("fault injection is active; shares in ten-thousandths")
            .is_none()
    );
    faults.enable();
    faults.enable();
    assert_eq!(faults.next_fault(), Some(Fault::Error));
    faults.disable();
    assert_eq!(faults.next_fault(), None);
    let events = logs.events();
    let active = events.iter().filter(|event| event.level == Level::WARN);
    assert_eq!(active.count(), 1);
}

#[test]
fn an_operator_can_stop_faults_and_give_them_back_but_never_begin_them() {
    let faults = Faults::builder("operated").error(1.0).build().unwrap();
    let control = |order| policies::control(Kind::Fault, "operated", order);
    control(Control::Release).unwrap();
    assert!(!faults.is_active(), "a release enables nothing");
    faults.enable();
    control(Control::Disable).unwrap();
    assert!(!faults.is_active());
    faults.enable();
    assert!(!faults.is_active(), "the hold stays in force");
    control(Control::Release).unwrap();
    assert!(faults.is_active());
    assert!(control(Control::ForceOpen).is_err());
}

#[test]
fn metrics_show_what_is_injected() {
    let metrics = Metrics::new();
    let faults = Faults::builder("m").error(1.0).metrics(&metrics);
    let faults = faults.build().unwrap();
    faults.enable();
    let _ = faults.next_fault();
    let text = metrics.render();
    for line in [
        r#"msf_fault_active{fault="m"} 1"#,
        r#"msf_fault_injected_total{fault="m",kind="error"} 1"#,
    ] {
        assert!(text.lines().any(|seen| seen == line), "{line}\n{text}");
    }
}

#[test]
fn new_shares_hold_at_once_and_bad_ones_change_nothing() {
    let faults = Faults::builder("x").build().unwrap();
    faults.enable();
    assert_eq!(faults.next_fault(), None);
    faults.reconfigure(Faults::builder("x").hang(1.0)).unwrap();
    assert_eq!(faults.next_fault(), Some(Fault::Hang));
    let bad = Faults::builder("x").hang(0.6).error(0.6);
    assert!(matches!(
        faults.reconfigure(bad),
        Err(InvalidFaults::Shares(_))
    ));
    assert_eq!(faults.next_fault(), Some(Fault::Hang));
}

#[test]
fn a_knob_out_of_range_is_named() {
    let new = || Faults::builder("x");
    assert!(matches!(
        Faults::builder("").build(),
        Err(InvalidFaults::Name)
    ));
    for share in [-0.1, 1.1, f64::NAN, 0.00001] {
        let error = new().reset(share).build().unwrap_err();
        assert!(
            matches!(error, InvalidFaults::Share { fault: "reset", .. }),
            "{share}"
        );
    }
    for latency in [
        Latency::fixed(Duration::ZERO),
        Latency::fixed(Duration::MAX),
        Latency::uniform(Duration::from_secs(2)..=Duration::from_secs(1)),
    ] {
        let error = new().latency(latency, 0.1).build().unwrap_err();
        assert_eq!(error, InvalidFaults::Latency);
    }
}

#[test]
fn the_gauge_falls_when_the_last_handle_is_gone() {
    let metrics = Metrics::new();
    let faults = Faults::builder("left").error(1.0).metrics(&metrics);
    let faults = faults.build().unwrap();
    faults.enable();
    drop(faults);
    let text = metrics.render();
    let line = r#"msf_fault_active{fault="left"} 0"#;
    assert!(text.lines().any(|seen| seen == line), "{text}");
}

#[test]
fn shares_that_are_too_many_are_told_as_they_are_counted() {
    // 1 as given, and above it in the ten-thousandths that they become.
    let builder = Faults::builder("x")
        .error(0.333_35)
        .hang(0.333_35)
        .reset(0.333_3);
    let error = builder.build().unwrap_err();
    assert!(error.to_string().ends_with("not 1.0001"), "{error}");
}

#[test]
fn the_gauge_stays_while_another_of_the_name_is_active() {
    let metrics = Metrics::new();
    let new = || {
        let faults = Faults::builder("reloaded").error(1.0).metrics(&metrics);
        faults.build().unwrap()
    };
    let shows = |active: u8| {
        let line = format!(r#"msf_fault_active{{fault="reloaded"}} {active}"#);
        metrics.render().lines().any(|seen| seen == line)
    };
    let (old, unused) = (new(), new());
    old.enable();
    old.enable();
    let new = new();
    new.enable();
    drop((old, unused));
    assert!(shows(1), "{}", metrics.render());
    new.disable();
    new.disable();
    assert!(shows(0), "{}", metrics.render());
    drop(new);
    assert!(shows(0), "{}", metrics.render());
}

#[test]
fn the_place_of_a_fault_is_another_in_every_cycle() {
    let faults = Faults::builder("x").error(0.05).seed(3).build().unwrap();
    faults.enable();
    let places = (0..40).map(|_| {
        let cycle: Vec<_> = (0..20).map(|_| faults.next_fault()).collect();
        cycle.iter().position(Option::is_some).unwrap()
    });
    let places: std::collections::HashSet<_> = places.collect();
    // A callee that is called in turns, one call in twenty for each, must not meet the same fault in every turn.
    assert!(places.len() > 10, "{places:?}");
}

//! The document and the views: pure, told the time.

use std::{collections::BTreeMap, num::NonZeroU16, time::Duration};

use msf_core::name::{InstanceId, ServiceName};
use proptest::prelude::*;

use super::{
    document::{Document, Refused, Wrong},
    view::{HOLD_MS, Views},
};
use crate::model::{Authority, Instance};

const TTL: Duration = Duration::from_secs(10);
const NOW: u64 = 1_700_000_000_000;

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

fn instance(id: &str) -> Instance {
    let id = InstanceId::new(id).unwrap();
    Instance::new(payment(), id, ([127, 0, 0, 1], 80).into())
}

fn ids(document: &Document, now: u64) -> Vec<String> {
    let mut ids: Vec<String> = document.listed(now).map(|i| i.id.to_string()).collect();
    ids.sort();
    ids
}

fn put(document: &mut Document, id: &str, now: u64) {
    let put = document.put(&instance(id), format!("t-{id}"), TTL, now);
    put.expect("there is room");
}

#[test]
fn what_is_written_is_read_again() {
    let mut document = Document::default();
    let full = instance("p-1")
        .zone("a")
        .weight(NonZeroU16::new(7).unwrap())
        .metadata("\"}]\n", "\u{0}\u{1f980}");
    document.put(&full, "t".into(), TTL, NOW).unwrap();
    put(&mut document, "p-2", NOW);
    let read = Document::parse(&document.render()).unwrap();
    assert_eq!(read.render(), document.render());
    assert_eq!(**read.listed(NOW).next().unwrap(), full);
}

#[test]
fn a_lease_ends_at_its_time_and_is_swept_with_a_note() {
    let mut document = Document::default();
    put(&mut document, "p-1", NOW);
    let (id, end) = (InstanceId::new("p-1").unwrap(), NOW + 10_000);
    assert_eq!(ids(&document, end - 1), ["p-1"]);
    assert!(ids(&document, end).is_empty());
    assert_eq!(document.renew(&payment(), &id, "t-p-1", end), None);
    assert_eq!(document.next_change(HOLD_MS, NOW), Some(end));
    document.sweep(end);
    let read = Document::parse(&document.render()).unwrap();
    let lapsed: Vec<_> = read.lapsed(NOW, end + 1).collect();
    assert_eq!(lapsed, [&payment()]);
    assert_eq!(read.next_change(HOLD_MS, end), Some(end + HOLD_MS));
    let mut later = read;
    later.sweep(end + 60_000);
    assert!(!later.render().contains("lapsed"));
}

#[test]
fn only_the_token_counts_and_what_is_written_by_hand_has_none() {
    let text = r#"{"instances":[{"service":"payment","id":"h","endpoints":["tcp://10.0.0.1:1"]}]}"#;
    let mut document = Document::parse(text).unwrap();
    let hand = InstanceId::new("h").unwrap();
    let refused = document.put(&instance("h"), "t".into(), TTL, NOW);
    assert_eq!(refused, Err(Refused::ByHand));
    for token in ["", "t", "null"] {
        assert!(!document.remove(&payment(), &hand, token));
        assert_eq!(document.renew(&payment(), &hand, token, NOW), None);
    }
    assert_eq!(ids(&document, NOW + HOLD_MS * 100), ["h"]);
}

#[test]
fn a_clock_that_was_set_back_keeps_the_dead_listed_for_one_time_to_live() {
    let mut document = Document::default();
    put(&mut document, "p-1", NOW + 86_400_000);
    let mut read = Document::parse(&document.render()).unwrap();
    assert!(read.cap(NOW), "a reader whose clock is right");
    assert!(!read.cap(NOW + 1_000), "its end is not put off again");
    assert_eq!(read.next_change(HOLD_MS, NOW), Some(NOW + 10_000));
    assert_eq!(ids(&read, NOW + 9_999), ["p-1"]);
    assert!(ids(&read, NOW + 10_000).is_empty());
    // A writer tells everybody.
    document.sweep(NOW);
    let told = Document::parse(&document.render()).unwrap();
    assert!(ids(&told, NOW + 10_000).is_empty());
    assert_eq!(told.lapsed(NOW, NOW + 10_000).count(), 1);
}

#[test]
fn the_lease_of_a_newer_version_is_shortened_and_the_rest_of_it_kept() {
    let newer = r#"{"service":"payment","id":"n","endpoints":["quic://10.0.0.1:1"],
        "lease":{"token":"t","ttl_ms":10000,"expires_at_ms":1700086400000}}"#;
    let mut document = Document::parse(&format!("{{\"instances\":[{newer}]}}")).unwrap();
    document.sweep(NOW);
    let text = document.render();
    assert!(
        text.contains("quic://10.0.0.1:1") && text.contains("1700000010000"),
        "{text}"
    );
    document.sweep(NOW + 10_000);
    assert_eq!(document.foreign(), 0, "it outlived its lease");
}

#[test]
fn an_entry_of_a_newer_version_hides_nobody_and_is_kept() {
    let newer = r#"{"service":"payment","id":"n","endpoints":["quic://10.0.0.1:1"],
        "lease":{"token":"t","ttl_ms":10000,"expires_at_ms":1700000010000}}"#;
    let text = format!(
        "{{\"instances\":[{newer},{}]}}",
        r#"{"service":"payment","id":"p","endpoints":["tcp://10.0.0.1:1"],"unknown":[1,{}]}"#
    );
    let mut document = Document::parse(&text).unwrap();
    assert_eq!(
        (ids(&document, NOW), document.foreign()),
        (vec!["p".to_owned()], 1)
    );
    put(&mut document, "q", NOW);
    let after = document.render();
    assert!(after.contains(newer) && after.contains("\"unknown\":[1,{}]"));
    document.sweep(NOW + 10_000);
    assert_eq!(document.foreign(), 0, "it outlived its lease");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let line = |text: &str| match Document::parse(text).unwrap_err() {
        Wrong::Content { line, .. } | Wrong::Duplicate { line, .. } => line,
    };
    let one = r#"{"service":"payment","id":"a","endpoints":["tcp://10.0.0.1:1"]}"#;
    assert_eq!(line(""), 1);
    assert_eq!(line("{\n\n\"instances\": [\n"), 4);
    assert_eq!(line("{\"instances\": [],\n \"x\": 1}"), 2);
    assert_eq!(line("{\"version\": 2, \"instances\": []}"), 1);
    assert_eq!(line(&format!("{{\"instances\": [\n{one},\n{one}]}}")), 3);
    let bad = one.replace("\"a\"", "\n\"two words\"");
    assert_eq!(line(&format!("{{\"instances\": [\n{one},\n{bad}]}}")), 4);
    let deep = format!("{{\"instances\": {}", "[".repeat(100_000));
    assert_eq!(line(&deep), 1);
}

fn authority(views: &Views) -> Authority {
    views.snapshot(&payment()).authority()
}

#[test]
fn an_expiry_is_doubted_for_the_hold_and_a_goodbye_is_not() {
    let (mut document, mut views) = (Document::default(), Views::new(1));
    put(&mut document, "p-1", NOW);
    views.take(&document, NOW);
    assert_eq!(authority(&views), Authority::Explicit);
    let id = InstanceId::new("p-1").unwrap();
    let mut polite = document.clone();
    assert!(polite.remove(&payment(), &id, "t-p-1"));
    views.take(&polite, NOW + 1);
    assert_eq!(authority(&views), Authority::Explicit);

    let end = NOW + 10_000;
    for is_swept in [false, true] {
        let mut document = document.clone();
        if is_swept {
            document.sweep(end);
        }
        views.take(&document, end);
        assert_eq!(authority(&views), Authority::Complete, "{is_swept}");
        assert!(views.services().is_empty());
        let before = views.snapshot(&payment()).cursor();
        views.take(&document, end + HOLD_MS + 1);
        assert_eq!(authority(&views), Authority::Explicit, "{is_swept}");
        assert_ne!(views.snapshot(&payment()).cursor(), before);
    }
}

#[test]
fn a_file_in_the_place_of_a_lost_one_vouches_for_nobody_at_first() {
    let (mut document, mut views) = (Document::in_place_of_a_lost_one(NOW), Views::new(1));
    put(&mut document, "p-1", NOW);
    let document = Document::parse(&document.render()).unwrap();
    views.take(&document, NOW);
    assert_eq!(authority(&views), Authority::Partial);
    let nobody = ServiceName::new("nobody").unwrap();
    assert_eq!(views.snapshot(&nobody).authority(), Authority::Partial);
    assert!(document.next_change(HOLD_MS, NOW + 11_000).is_some());
    views.take(&document, NOW + 15_000);
    assert_eq!(views.snapshot(&nobody).authority(), Authority::Explicit);
    // A moment far ahead was written by a clock that was wrong.
    assert!(!document.is_partial(NOW - 1));
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Renew(u8),
    Remove(u8),
    Sweep,
    Rewrite,
    Pause(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u8..6).prop_map(Step::Put),
        (0_u8..6).prop_map(Step::Renew),
        (0_u8..6).prop_map(Step::Remove),
        Just(Step::Sweep),
        Just(Step::Rewrite),
        (0_u64..12_000).prop_map(Step::Pause),
    ]
}

proptest! {
    /// Beside a map from id to the end of its lease.
    #[test]
    fn a_document_lists_what_a_plain_map_lists(steps in proptest::collection::vec(step(), 0..60)) {
        let (mut document, mut views) = (Document::default(), Views::new(1));
        let (mut model, mut now): (BTreeMap<u8, u64>, u64) = (BTreeMap::new(), NOW);
        let mut before = views.snapshot(&payment());
        for step in steps {
            model.retain(|_, end| *end > now);
            let id = |n: u8| InstanceId::new(format!("p-{n}")).unwrap();
            let token = |n: u8| format!("t-p-{n}");
            match step {
                Step::Put(n) => {
                    put(&mut document, &format!("p-{n}"), now);
                    model.insert(n, now + 10_000);
                }
                Step::Renew(n) => {
                    let renewed = document.renew(&payment(), &id(n), &token(n), now);
                    prop_assert_eq!(renewed.is_some(), model.contains_key(&n));
                    model.entry(n).and_modify(|end| *end = now + 10_000);
                }
                Step::Remove(n) => {
                    document.remove(&payment(), &id(n), &token(n));
                    model.remove(&n);
                }
                Step::Sweep => document.sweep(now),
                Step::Rewrite => document = Document::parse(&document.render()).unwrap(),
                Step::Pause(ms) => now += ms,
            }
            model.retain(|_, end| *end > now);
            let expected: Vec<String> = model.keys().map(|n| format!("p-{n}")).collect();
            prop_assert_eq!(ids(&document, now), expected);
            let is_news = views.take(&document, now);
            let after = views.snapshot(&payment());
            let (old, new) = (before.cursor().revision(), after.cursor().revision());
            prop_assert!(new >= old, "a position went back");
            if before.instances() != after.instances() || before.authority() != after.authority() {
                prop_assert!(is_news && new > old, "a change without another position");
            }
            before = after;
        }
    }

    #[test]
    fn no_text_is_a_panic(text in ".{0,200}", cut in 0_usize..400) {
        let _refused = Document::parse(&text);
        let mut document = Document::default();
        put(&mut document, "p-1", NOW);
        let whole = document.render();
        if let Some(half) = whole.get(..cut.min(whole.len().saturating_sub(3))) {
            prop_assert!(Document::parse(half).is_err(), "half a file was taken for a whole one");
        }
    }
}

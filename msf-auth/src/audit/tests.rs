//! Events: bounded, named once, kept in order.

use std::collections::HashSet;

use super::*;

#[test]
fn each_kind_has_its_own_word() {
    let words: HashSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(words.len(), Kind::ALL.len());
}

#[test]
fn each_setter_writes_the_field_of_its_name() {
    let event = Event::new(Kind::TokenRefused)
        .subject("subject")
        .issuer("issuer")
        .client("client")
        .session("session")
        .key_id("key_id")
        .token_id("token_id")
        .network("network")
        .reason("reason")
        .request("request");
    assert_eq!(event.fields().count(), 9);
    for (name, value) in event.fields() {
        assert_eq!(name, value);
    }
    assert_eq!(event.field("password"), None);
}

#[test]
fn a_long_value_is_cut_between_characters() {
    let long = format!("{}ä", "x".repeat(255));
    let event = Event::new(Kind::TokenRefused).subject(&long);
    assert_eq!(event.field("subject").map(str::len), Some(255));
}

#[test]
fn the_oldest_event_goes_first() {
    let sink = MemorySink::new(2);
    let audit = Audit::new(sink.clone());
    for subject in ["1", "2", "3"] {
        audit.record(&Event::new(Kind::LoginFailed).subject(subject));
    }
    let kept = sink.events();
    let subjects: Vec<_> = kept
        .iter()
        .filter_map(|event| event.field("subject"))
        .collect();
    assert_eq!(subjects, ["2", "3"]);
    assert_eq!(sink.count(Kind::LoginFailed), 2);
    let nothing = MemorySink::new(0);
    nothing.record(&Event::new(Kind::LoginFailed));
    assert_eq!(nothing.events(), []);
}

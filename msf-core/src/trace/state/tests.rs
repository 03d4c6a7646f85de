//! Rules of W3C Trace Context §3.3, one row each.

use proptest::prelude::*;

use super::*;

#[test]
fn tracestate_follows_the_standard() {
    let long_key = format!("{}=1", "z".repeat(256));
    let accepted = [
        ("", "", "§3.3.1: an empty value"),
        ("foo=1", "foo=1", "one member"),
        ("foo=1,bar=2", "foo=1,bar=2", "order is kept"),
        (
            "foo=1 \t , \t bar=2, \t baz=3",
            "foo=1,bar=2,baz=3",
            "§3.3.1: white space",
        ),
        ("foo=1,", "foo=1", "§3.3.1: empty members"),
        (" ,foo=1,,\t,bar=2", "foo=1,bar=2", "§3.3.1: empty members"),
        (
            "foo=1,foo=2,bar=3",
            "foo=1,bar=3",
            "§3.3.1.4: one entry per key",
        ),
        (
            "foo= 1",
            "foo= 1",
            "§3.3.1.3.2: leading spaces belong to the value",
        ),
        ("foo=bar baz", "foo=bar baz", "§3.3.1.3.2: spaces inside"),
        (
            "0a_-*/@b=~!",
            "0a_-*/@b=~!",
            "§3.3.1.3.1: characters of a key",
        ),
        (&long_key, &long_key, "§3.3.1.3.1: 256 characters"),
    ];
    for (text, sent, rule) in accepted {
        let state = TraceState::parse(text).unwrap_or_else(|error| panic!("{rule}: {error}"));
        assert_eq!(state.as_str(), sent, "{rule}");
    }

    let longer_key = format!("{}=1", "z".repeat(257));
    let longer_value = format!("a={}", "z".repeat(257));
    let refused = [
        ("foo", "no equals sign"),
        ("=1", "empty key"),
        ("foo=", "empty value"),
        ("foo =1", "space in a key"),
        ("FOO=1", "upper case"),
        ("foo.bar=1", "dot in a key"),
        ("@foo=1", "first character of a key"),
        ("foo=a=b", "equals sign in a value"),
        ("foo=a\tb", "tab in a value"),
        ("foo=1,b\u{e9}=2", "not ASCII"),
        ("foo=1,bar", "one bad member spoils the list"),
        (&longer_key, "257 characters"),
        (&longer_value, "257 characters"),
    ];
    for (text, rule) in refused {
        assert_eq!(
            TraceState::parse(text),
            Err(InvalidTraceState::Member),
            "{rule}"
        );
    }
}

#[test]
fn the_33rd_member_spoils_the_list() {
    let list = |count| {
        (0..count)
            .map(|n| format!("k{n}=v"))
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(TraceState::parse(&list(32)).unwrap().iter().count(), 32);
    assert_eq!(
        TraceState::parse(&list(33)),
        Err(InvalidTraceState::TooManyMembers)
    );
    assert_eq!(
        TraceState::parse(&"a=1,".repeat(33)),
        Err(InvalidTraceState::TooManyMembers)
    );
}

#[test]
fn large_members_go_first_then_the_last() {
    let member = |key: &str, len: usize| format!("{key}={}", "x".repeat(len - key.len() - 1));

    let (a, b, c) = (member("a", 200), member("b", 129), member("c", 200));
    let state = TraceState::parse(&format!("{a},{b},{c}")).unwrap();
    assert_eq!(
        state.as_str(),
        format!("{a},{b}"),
        "one large member is enough"
    );

    let small: Vec<_> = (0..6).map(|n| member(&format!("k{n}"), 100)).collect();
    let state = TraceState::parse(&small.join(",")).unwrap();
    assert_eq!(state.as_str(), small[..5].join(","), "504 characters fit");
}

#[test]
fn setting_a_member_moves_it_to_the_front() {
    let full = (0..32)
        .map(|n| format!("k{n}=v"))
        .collect::<Vec<_>>()
        .join(",");
    let full = TraceState::parse(&full).unwrap();
    let state = full.with("new", "1").unwrap();
    assert_eq!(state.iter().next(), Some(("new", "1")));
    assert_eq!(state.iter().count(), 32);
    assert_eq!(state.get("k31"), None, "the oldest made room");

    assert_eq!(full.with("No", "1"), Err(InvalidTraceState::Member));
    assert_eq!(full.with("a", "1,b=2"), Err(InvalidTraceState::Member));
    assert_eq!(full.with("a", "trailing "), Err(InvalidTraceState::Member));
    assert!(full.with(&"k".repeat(256), &"v".repeat(256)).is_ok());
}

#[test]
fn several_lines_are_one_list() {
    let lines: [&[u8]; 3] = [b"foo=1,bar=2", b"", b"rojo=1,congo=2"];
    let state = TraceState::parse_lines(lines).unwrap();
    assert_eq!(state.as_str(), "foo=1,bar=2,rojo=1,congo=2");
}

proptest! {
    #[test]
    fn what_was_read_reads_the_same(text in "([a-c@]{1,3}=[ -~]{0,99}[ \t]?,?){0,36}") {
        if let Ok(state) = TraceState::parse(&text) {
            prop_assert!(state.as_str().len() <= TraceState::MAX_LEN);
            prop_assert!(state.iter().count() <= TraceState::MAX_MEMBERS);
            prop_assert_eq!(TraceState::parse(state.as_str()), Ok(state));
        }
    }

    #[test]
    fn any_bytes_never_panic(lines in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
        let _ = TraceState::parse_lines(lines.iter().map(Vec::as_slice));
    }
}

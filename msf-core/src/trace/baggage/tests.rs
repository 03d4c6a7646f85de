//! Rules of W3C Baggage §3, one row each.

use proptest::prelude::*;

use super::*;

#[test]
fn baggage_follows_the_standard() {
    let cases = [
        ("", "", "nothing"),
        ("a=1", "a=1", "one member"),
        ("a=1,b=2", "a=1,b=2", "order"),
        ("a = 1 ,\t b\t=\t2 ", "a=1,b=2", "§3.2: white space"),
        ("a=", "a=", "§3.2: an empty value"),
        ("a=b=c==", "a=b=c==", "§3.2.1.3: equals signs in a value"),
        ("a=1;p;q=2", "a=1;p;q=2", "§3.2.1.4: properties"),
        ("a=1 ; p ; q = 2", "a=1;p;q=2", "§3.2.1.4: white space"),
        (
            "a=1,a=2",
            "a=1,a=2",
            "§3.2.1.1: duplicates keep their order",
        ),
        (
            "a=%20%C3%A9",
            "a=%20%C3%A9",
            "escapes are passed on as they are",
        ),
        ("a,b=2", "b=2", "no equals sign"),
        ("=1,b=2", "b=2", "no key"),
        ("a b=1,b=2", "b=2", "a key is a token"),
        ("a=x y,b=2", "b=2", "white space in a value"),
        ("a=\"x\",b=2", "b=2", "quotes in a value"),
        ("a=1;,b=2", "b=2", "an empty property"),
        ("a=1;p q,b=2", "b=2", "a malformed property"),
        ("a=\u{e9},b=2", "b=2", "not ASCII"),
        (",, ,b=2,", "b=2", "empty members"),
    ];
    for (text, sent, rule) in cases {
        assert_eq!(Baggage::parse(text).as_str(), sent, "{rule}: {text:?}");
    }
}

#[test]
fn values_are_decoded_on_reading() {
    let cases = [
        ("a=DF%2028", "DF 28"),
        ("a=%e9%C3%A9", "\u{fffd}\u{e9}"),
        ("a=100%", "100%"),
        ("a=%zz%4", "%zz%4"),
        ("a=old,a=new", "new"),
    ];
    for (text, value) in cases {
        assert_eq!(
            Baggage::parse(text).get("a").as_deref(),
            Some(value),
            "{text}"
        );
    }
}

#[test]
fn a_refused_member_changes_nothing() {
    let mut baggage = Baggage::parse("a=1");
    let too_long = "x".repeat(Baggage::MAX_LEN);
    assert_eq!(baggage.insert("a b", "1"), Err(InvalidBaggage::Key));
    assert_eq!(baggage.insert("", "1"), Err(InvalidBaggage::Key));
    assert_eq!(baggage.insert("a", &too_long), Err(InvalidBaggage::TooLong));
    for properties in [";", "p;", "p q", "p=\"\"", "p,b=2"] {
        let refused = baggage.insert_with_properties("a", "2", properties);
        assert_eq!(refused, Err(InvalidBaggage::Properties), "{properties:?}");
    }
    assert_eq!(baggage.as_str(), "a=1");

    for n in 1..Baggage::MAX_MEMBERS {
        baggage.insert(&format!("k{n}"), "v").unwrap();
    }
    assert_eq!(
        baggage.insert("one-more", "v"),
        Err(InvalidBaggage::TooManyMembers)
    );
    assert_eq!(baggage.insert("a", "a key that is there fits"), Ok(()));
}

#[test]
fn mutation_leaves_clones_alone() {
    let mut baggage = Baggage::parse("a=1;p,b=2,a=3");
    let before = baggage.clone();
    baggage
        .insert_with_properties("a", "4", "ttl = 30")
        .unwrap();
    assert_eq!(baggage.as_str(), "b=2,a=4;ttl=30");
    assert!(baggage.remove("b") && baggage.remove("a") && !baggage.remove("a"));
    assert!(baggage.is_empty());
    assert_eq!(before.as_str(), "a=1;p,b=2,a=3");
}

#[test]
fn limits_hold_for_what_is_received() {
    let many = (0..100)
        .map(|n| format!("k{n}=v"))
        .collect::<Vec<_>>()
        .join(",");
    assert_eq!(Baggage::parse(&many).iter().count(), Baggage::MAX_MEMBERS);

    let long = format!("a={},b=2", "x".repeat(Baggage::MAX_LEN));
    assert_eq!(Baggage::parse(&long).as_str(), "b=2");

    let exact = format!("a={}", "x".repeat(Baggage::MAX_LEN - 2));
    assert_eq!(Baggage::parse(&exact).as_str(), exact);
}

#[test]
fn debug_hides_values() {
    assert_eq!(
        format!("{:?}", Baggage::parse("mail=me%40home")),
        r#"{"mail"}"#
    );
}

proptest! {
    #[test]
    fn any_value_survives_the_round_trip(value: String) {
        let mut baggage = Baggage::default();
        if baggage.insert("k", &value).is_ok() {
            prop_assert_eq!(&*baggage.get("k").unwrap(), &value);
            prop_assert_eq!(Baggage::parse(baggage.as_str()), baggage);
        }
    }

    #[test]
    fn what_was_read_reads_the_same(text in "([a-c ]{1,3}=[!-~ ]{0,40}(; ?p ?= ?[0-9]?)?,){0,70}") {
        let baggage = Baggage::parse(&text);
        prop_assert!(baggage.as_str().len() <= Baggage::MAX_LEN);
        prop_assert!(baggage.iter().count() <= Baggage::MAX_MEMBERS);
        prop_assert_eq!(Baggage::parse(baggage.as_str()), baggage);
    }

    #[test]
    fn any_bytes_never_panic(lines in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
        let baggage = Baggage::parse_lines(lines.iter().map(Vec::as_slice));
        for member in baggage.iter() {
            let _ = (member.key(), member.value(), member.properties());
        }
    }
}

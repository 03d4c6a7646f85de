//! What is walked is what `serde_json` takes.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::token::json::Strict;

/// An object is put around, since that is what is scanned.
fn scan(value: &str) -> Result<Kind, Malformed> {
    let json = format!("{{\"a\":{value}}}");
    let mut scanner = Scanner::new(&json);
    scanner.open_object()?;
    scanner.next_name(true)?.ok_or(Malformed)?;
    let raw = scanner.value()?;
    if scanner.next_name(false)?.is_some() {
        return Err(Malformed);
    }
    scanner.end()?;
    assert_eq!(
        raw.span.of(&json),
        value.trim_matches([' ', '\t', '\n', '\r'])
    );
    Ok(raw.kind)
}

#[test]
fn values_are_what_they_are() {
    assert_eq!(scan(r#""x""#), Ok(Kind::Text { has_escapes: false }));
    assert_eq!(scan(r#""\u0061""#), Ok(Kind::Text { has_escapes: true }));
    for (json, kind) in [
        ("-1.5e+3", Kind::Number),
        ("0", Kind::Number),
        ("18446744073709551616", Kind::Number),
        ("true", Kind::Bool),
        ("false", Kind::Bool),
        ("null", Kind::Null),
        ("[1, [2], {}]", Kind::Array),
        (r#"{"a" : {"a":1} , "b":[]}"#, Kind::Object),
    ] {
        assert_eq!(scan(json), Ok(kind), "{json}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for json in [
        "",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "1e400",
        "tru",
        "nul",
        "NaN",
        "[1,]",
        "[,]",
        "[",
        "{",
        "{]",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{,}"#,
        r#"{a:1}"#,
        r#"""#,
        r#""\""#,
        r#""\x""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        "\"\u{1}\"",
        "\"\n\"",
        "'a'",
        "1 2",
        "/**/1",
        "\u{a0}1",
    ] {
        assert_eq!(scan(json), Err(Malformed), "{json}");
    }
}

#[test]
fn a_member_twice_is_refused_at_any_depth_in_any_spelling_and_number() {
    assert_eq!(scan(r#"{"a":1,"\u0061":2}"#), Err(Malformed));
    assert_eq!(scan(r#"[{"x":{"a":1,"b":{"a":1},"a":1}}]"#), Err(Malformed));
    assert_eq!(scan(r#"{"a":{"a":{"a":1}}}"#), Ok(Kind::Object));
    let many = |last: usize| {
        let members: Vec<String> = (0..20)
            .chain([last])
            .map(|n| format!("\"{n}\":0"))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(scan(&many(20)), Ok(Kind::Object));
    assert_eq!(scan(&many(3)), Err(Malformed));
}

#[test]
fn depth_and_members_are_bounded() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(scan(&nested(32)), Ok(Kind::Array));
    assert_eq!(scan(&nested(33)), Err(Malformed));
    let wide = |count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"{n}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(scan(&wide(255)), Ok(Kind::Object));
    assert_eq!(scan(&wide(256)), Err(Malformed));
}

fn agrees(value: &str) {
    let tree = serde_json::from_str::<Value>(value);
    assert_eq!(scan(value).is_ok(), tree.is_ok(), "{value:?}");
}

#[test]
fn every_escape_is_what_serde_json_says() {
    for byte in 0..=0x24f_u32 {
        let c = char::from_u32(byte).unwrap();
        agrees(&format!("\"{c}\""));
        agrees(&format!("\"\\{c}\""));
        agrees(&format!("\"\\{c}0041\""));
        agrees(&format!("\"\\u004{c}\""));
    }
    for unit in 0..=0xffff_u32 {
        agrees(&format!("\"\\u{unit:04x}\""));
    }
    let units = [
        "0000", "d7ff", "d800", "D801", "dbff", "dc00", "DFFF", "dfff", "e000", "ffff",
    ];
    for first in units {
        for rest in ["", "x", "\\n", "\\u", "\\u00", "\\", "\\ud800\\udc00"] {
            agrees(&format!("\"\\u{first}{rest}\""));
        }
        for second in units {
            agrees(&format!("\"\\u{first}\\u{second}\""));
        }
    }
}

#[test]
fn the_ends_of_the_numbers_are_those_of_serde_json() {
    let digits = |count: usize| "9".repeat(count);
    for number in [
        "-0".to_owned(),
        "-".to_owned() + &digits(19),
        digits(18),
        digits(19),
        digits(20),
        digits(308),
        digits(310),
        digits(5_000),
        format!("0.{}", digits(5_000)),
        format!("{}e-5000", digits(5_000)),
        "1.7976931348623157e308".to_owned(),
        "1.7976931348623159e308".to_owned(),
        "1e308".to_owned(),
        "1e309".to_owned(),
        "1e-400".to_owned(),
        "1e99999999999999999999".to_owned(),
        "0e99999999999999999999".to_owned(),
        "1e-99999999999999999999".to_owned(),
    ] {
        agrees(&number);
    }
}

#[test]
fn the_first_byte_that_ends_what_is_plain_is_found_at_every_place() {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    for first in 0..=0xff_u8 {
        for second in [
            0, 0x1f, b' ', b'!', b'"', b'#', b'[', b'\\', 0x7f, 0x80, 0xff,
        ] {
            for place in 0..18 {
                let mut bytes = [b'x'; 20];
                (bytes[place], bytes[place + 1]) = (first, second);
                let expected = bytes.iter().position(|byte| !is_plain(*byte));
                assert_eq!(plain(&bytes), expected.unwrap_or(20), "{bytes:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn a_number_is_one_for_both(number in "-?[0-9]{0,3}[.eE+-]{0,2}[0-9]{0,25}[.eE]?[+-]?[0-9]{0,4}") {
        prop_assert_eq!(scan(&number).is_ok(), serde_json::from_str::<Value>(&number).is_ok());
    }

    #[test]
    fn it_takes_what_the_tree_takes(json in r#"[\[\]{}",:a\\u0-9eE+. -]{0,24}|(\{"[ab]":[0-9\[\]]{1,4}(,"[ab]":-?[0-9.eE]{1,4}){0,2}\})"#) {
        let inner: Result<Strict, _> = serde_json::from_str(&json);
        let wrapped = format!("{{\"a\":{json}}}");
        let around: Result<Value, _> = serde_json::from_str(&wrapped);
        prop_assert_eq!(scan(&json).is_ok(), inner.is_ok() && around.is_ok());
    }
}

//! Paths: what has one spelling, and what is refused.

use proptest::prelude::*;

use super::{CanonicalPath, InvalidPath};

fn canonical(path: &str) -> Result<String, InvalidPath> {
    CanonicalPath::parse(path).map(|path| path.as_str().to_owned())
}

#[test]
fn harmless_paths_have_one_spelling() {
    let same = [
        "/",
        "/a",
        "/a/",
        "/api/orders/7",
        "/a.b/c-d_e~f",
        "/...",
        "/a..b",
        "/..a",
        "/.well-known/x",
        "/a!$&'()*+,=:@b",
        "/caf%C3%A9",
        "/a%20b",
        "/100%25",
        "/100%25/7",
        "/a%25-b",
        "/%E2%82%AC",
    ];
    for path in same {
        assert_eq!(canonical(path).as_deref(), Ok(path));
        assert!(CanonicalPath::parse(path).unwrap().is_unchanged(), "{path}");
    }
    for (path, expected) in [
        ("/%61pi", "/api"),
        ("/%41", "/A"),
        ("/a%7eb%2db%5fc%2ed", "/a~b-b_c.d"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a%3ab", "/a%3Ab"),
        ("/%25%7a", "/%25z"),
    ] {
        assert_eq!(canonical(path).as_deref(), Ok(expected), "{path}");
    }
}

#[test]
fn ambiguous_paths_are_refused() {
    use InvalidPath::{
        Character, Control, DotSegment, DoubleEncoding, EmptySegment, Encoding, NotAbsolute,
        NotUtf8, Parameter, Separator,
    };
    let cases = [
        ("", NotAbsolute),
        ("*", NotAbsolute),
        ("a", NotAbsolute),
        ("/.", DotSegment),
        ("/..", DotSegment),
        ("/../", DotSegment),
        ("/a/./b", DotSegment),
        ("/api/users/login/../42", DotSegment),
        ("/a/%2e%2e/b", DotSegment),
        ("/a/%2E./b", DotSegment),
        ("/a/.%2e", DotSegment),
        ("/%2e", DotSegment),
        ("//", EmptySegment),
        ("//a", EmptySegment),
        ("/a//b", EmptySegment),
        ("/a//", EmptySegment),
        ("/a%2fb", Separator),
        ("/a%2Fb", Separator),
        ("/a%5cb", Separator),
        ("/a%5C..%5Cb", Separator),
        ("/a\\b", Separator),
        ("/login;/../admin", Parameter),
        ("/a;b=c", Parameter),
        ("/a%3bb", Parameter),
        ("/a%00", Control),
        ("/a%0d%0ab", Control),
        ("/a%7f", Control),
        ("/%", Encoding),
        ("/%2", Encoding),
        ("/%zz", Encoding),
        ("/%+1", Encoding),
        ("/%u002e", Encoding),
        ("/%252e%252e/a", DoubleEncoding),
        ("/%252f", DoubleEncoding),
        ("/%25%32f", DoubleEncoding),
        ("/%25%32%66", DoubleEncoding),
        ("/%c0%af", NotUtf8),
        ("/%c0%ae%c0%ae/a", NotUtf8),
        ("/%ff", NotUtf8),
        ("/%e2%82", NotUtf8),
        ("/caf\u{e9}", Character),
        ("/a b", Character),
        ("/a\"b", Character),
        ("/a<b>", Character),
        ("/{id}", Character),
        ("/a|b", Character),
        ("/a^b", Character),
        ("/a`b", Character),
        ("/a?b", Character),
        ("/a#b", Character),
    ];
    for (path, reason) in cases {
        assert_eq!(canonical(path), Err(reason), "{path:?}");
    }
}

/// What the most careless service makes of a path: it decodes as long as it can, takes backslashes for
/// slashes, cuts path parameters off, and resolves dots and empty segments.
fn as_read_by_a_careless_service(path: &str) -> String {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..4 {
        let mut decoded = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let digits = bytes
                .get(at + 1..at + 3)
                .and_then(|d| std::str::from_utf8(d).ok());
            let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            match value {
                Some(value) if bytes[at] == b'%' => {
                    decoded.push(value);
                    at += 3;
                }
                _ => {
                    decoded.push(bytes[at]);
                    at += 1;
                }
            }
        }
        bytes = decoded;
    }
    let text = String::from_utf8_lossy(&bytes).replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in text.split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Paths made of what attackers use, so that the interesting combinations are met often.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/"),
        Just("."),
        Just(".."),
        Just("%2e"),
        Just("%2E"),
        Just("%2f"),
        Just("%5c"),
        Just("\\"),
        Just("%25"),
        Just("%"),
        Just("2"),
        Just("e"),
        Just("f"),
        Just("%32"),
        Just("%65"),
        Just("%66"),
        Just(";"),
        Just("%3b"),
        Just("%c0%af"),
        Just("%C3%A9"),
        Just("a"),
        Just("admin"),
        Just("%00"),
        Just("%20"),
        Just("?"),
        Just("\u{e9}"),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn it_is_idempotent(path in prop_oneof![hostile(), "/[ -~]{0,20}"]) {
        if let Ok(once) = canonical(&format!("/{path}")) {
            prop_assert_eq!(canonical(&once), Ok(once.clone()));
            prop_assert!(CanonicalPath::parse(&once).unwrap().is_unchanged());
        }
    }

    #[test]
    fn no_reader_sees_it_outside_of_its_prefix(rest in hostile()) {
        if let Ok(path) = canonical(&format!("/api/login/{rest}")) {
            prop_assert!(path.starts_with("/api/login/"), "{path}");
            let read = as_read_by_a_careless_service(&path);
            prop_assert!(read == "/api/login" || read.starts_with("/api/login/"), "{path} as {read}");
        }
    }

    #[test]
    fn any_text_is_answered(path: String) {
        let _answered = canonical(&path);
    }

    #[test]
    fn plain_paths_are_untouched(path in "(/[A-Za-z0-9_~-]{1,8}){1,4}/?") {
        prop_assert_eq!(canonical(&path), Ok(path));
    }
}

//! The first line.

use super::row::{End, Row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = paths();
    rows.extend(lines());
    rows
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n")
}

fn paths() -> Vec<Row> {
    const RFC: &str = "RFC 3986 3.3";
    let refused = [
        ("MAL-URL-BACKSLASH", "/path\\file"),
        ("MAL-URL-PERCENT-NULL", "/path%00.html"),
        ("MAL-URL-PERCENT-CRLF", "/path%0d%0aX-Injected:%20true"),
        ("RFC3986-6.2.2.3-DOT-SEGMENT", "/a/../b"),
        ("RFC3986-6.2.2.3-DOT-SEGMENT-ENCODED", "/a/%2e%2e/b"),
        ("RFC3986-6.2.2.3-DOT-SEGMENT-HALF", "/a/.%2E/b"),
        ("RFC3986-2.2-SLASH-ENCODED", "/a%2f..%2fb"),
        ("RFC3986-2.2-BACKSLASH-ENCODED", "/a%5c..%5cb"),
        ("RFC3986-3.3-PARAMETER", "/a;x=1/../b"),
        ("RFC3986-3.3-PARAMETER-ENCODED", "/a%3bx"),
        ("RFC3986-2.4-ENCODED-TWICE", "/a%252f..%252fb"),
        ("RFC3986-2.1-ESCAPE-CUT", "/a%2"),
        ("RFC3986-2.1-ESCAPE-NO-HEX", "/a%zz"),
        ("RFC3986-3.3-EMPTY-SEGMENT", "//b/"),
        ("RFC3629-10-OVERLONG-ENCODED", "/a%c0%ae%c0%ae/b"),
        ("COMP-ASTERISK-WITH-GET", "*"),
        ("RFC9112-3.2-RELATIVE", "a"),
    ];
    let refused = refused.map(|(id, target)| Row::new(id, RFC, get(target)).answers(&["400"]));
    let raw = [
        ("MAL-NON-ASCII-URL", &b"/caf\xc3\xa9"[..]),
        ("MAL-URL-OVERLONG-UTF8", b"/\xc0\xaf"),
        ("MAL-NUL-IN-URL", b"/\0test"),
    ];
    let raw = raw.map(|(id, target)| {
        let bytes = [b"GET ", target, b" HTTP/1.1\r\nhost: a\r\n\r\n"].concat();
        Row::new(id, RFC, bytes).answers(&["400"])
    });
    let options = "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n";
    refused
        .into_iter()
        .chain(raw)
        .chain([
            Row::new("COMP-OPTIONS-STAR", "RFC 9110 9.3.7", options).answers(&["400"]),
            // One spelling goes to the service, and it is the one that was routed.
            Row::new(
                "RFC3986-6.2.2.2-UNRESERVED",
                "RFC 3986 6.2.2.2",
                get("/%61%2Db?%61"),
            )
            .passes("GET /a-b?%61"),
            Row::new("RFC3986-6.2.2.1-CASE", "RFC 3986 6.2.2.1", get("/%c3%a9"))
                .passes("GET /%C3%A9"),
            // A fragment is no part of a target; what the server reads of it is what the service gets.
            Row::new(
                "RFC9112-3.2-FRAGMENT-IN-TARGET",
                "RFC 9112 3.2",
                get("/path#frag"),
            )
            .passes("GET /path"),
        ])
        .collect()
}

fn lines() -> Vec<Row> {
    const RFC: &str = "RFC 9112 3";
    let refused = [
        (
            "COMP-SPACE-IN-TARGET",
            "GET /pa th HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "RFC9112-3-MULTI-SP-REQUEST-LINE",
            "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "RFC9112-3-MISSING-TARGET",
            "GET HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "COMP-REQUEST-LINE-TAB",
            "GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "RFC9112-3-CR-ONLY-LINE-ENDING",
            "GET / HTTP/1.1\rhost: a\r\n\r\n",
        ),
        (
            "RFC9112-2.3-INVALID-VERSION",
            "GET / HTTP/9.9\r\nhost: a\r\n\r\n",
        ),
        ("COMP-HTTP12-VERSION", "GET / HTTP/1.2\r\nhost: a\r\n\r\n"),
        (
            "COMP-VERSION-MISSING-MINOR",
            "GET / HTTP/1\r\nhost: a\r\n\r\n",
        ),
        (
            "COMP-VERSION-LEADING-ZEROS",
            "GET / HTTP/01.01\r\nhost: a\r\n\r\n",
        ),
        (
            "COMP-VERSION-WHITESPACE",
            "GET / HTTP/ 1.1\r\nhost: a\r\n\r\n",
        ),
        ("COMP-VERSION-CASE", "GET / http/1.1\r\nhost: a\r\n\r\n"),
        ("RFC9112-2.3-HTTP09-REQUEST", "GET /\r\n\r\n"),
        (
            "MAL-BINARY-GARBAGE",
            "\u{1}\u{2}\u{3}\u{fffd}\u{7f}\r\n\r\n",
        ),
        ("MAL-WHITESPACE-ONLY-LINE", "   \r\n\r\n"),
    ];
    let refused = refused.map(|(id, bytes)| Row::new(id, RFC, bytes).refused("400"));
    // Who tells the client's address in front of HTTP is not believed, and not understood either.
    let proxy = "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let proxy2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x01\x0a\0\0\x02\0\x01\0\x02";
    refused
        .into_iter()
        .chain([
            Row::new("RFC9112-2.2-PROXY-PREAMBLE", "RFC 9112 2.2", proxy).refused("400"),
            Row::new("RFC9112-2.2-PROXY-PREAMBLE-V2", "RFC 9112 2.2", &proxy2[..]).refused("400"),
            Row::new(
                "COMP-LEADING-CRLF",
                "RFC 9112 2.2",
                "\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
            )
            .passes("GET /"),
            // A line may end with a line feed alone; the service gets both.
            Row::new(
                "RFC9112-2.2-BARE-LF-REQUEST-LINE",
                "RFC 9112 2.2",
                "GET / HTTP/1.1\nhost: a\r\n\r\n",
            )
            .passes("GET /"),
            Row::new(
                "COMP-HTTP10-DEFAULT-CLOSE",
                "RFC 9112 9.3",
                "GET / HTTP/1.0\r\nhost: a\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
            )
            .passes("GET /")
            .end(End::Closed),
            Row::new("MAL-EMPTY-REQUEST", RFC, "")
                .half_closed()
                .answers(&[])
                .end(End::Closed),
            Row::new(
                "MAL-INCOMPLETE-REQUEST",
                "RFC 9110 15.5.9",
                "GET / HTTP/1.1\r\nhost: a\r\nx-test: value",
            )
            .refused("408"),
        ])
        .collect()
}

//! Who is meant.

use super::row::{End, Row};

pub(super) fn rows() -> Vec<Row> {
    const RFC: &str = "RFC 9112 3.2";
    let refused = [
        ("RFC9112-7.1-MISSING-HOST", "/", ""),
        ("COMP-HOST-EMPTY-VALUE", "/", "host: \r\n"),
        ("RFC9110-5.4-DUPLICATE-HOST", "/", "host: a\r\nhost: b\r\n"),
        ("COMP-DUPLICATE-HOST-SAME", "/", "host: a\r\nhost: a\r\n"),
        ("COMP-HOST-WITH-USERINFO", "/", "host: user@a\r\n"),
        ("COMP-HOST-WITH-PATH", "/", "host: a/path\r\n"),
        ("SMUG-MULTIPLE-HOST-COMMA", "/", "host: a, b\r\n"),
        (
            "SMUG-ABSOLUTE-URI-HOST-MISMATCH",
            "http://b/",
            "host: a\r\n",
        ),
        (
            "RFC9112-3.2.2-ABSOLUTE-WITH-USERINFO",
            "http://user@a/",
            "host: a\r\n",
        ),
        ("RFC9110-7.4-OTHER-SCHEME", "ftp://a/", "host: a\r\n"),
        ("RFC9110-7.2-HOST-PORT-TOO-LARGE", "/", "host: a:65536\r\n"),
        ("RFC9110-7.2-HOST-PORT-NOT-A-NUMBER", "/", "host: a:80x\r\n"),
        ("RFC9110-7.2-HOST-WITH-SPACE", "/", "host: a b\r\n"),
        ("RFC9110-7.2-HOST-WITH-QUERY", "/", "host: a?b\r\n"),
        ("RFC9110-7.2-HOST-OPEN-BRACKET", "/", "host: [::1\r\n"),
        ("RFC9110-7.2-HOST-NOT-AN-ADDRESS", "/", "host: [evil]\r\n"),
        ("RFC9110-7.2-HOST-NOT-ASCII", "/", "host: \u{e9}\r\n"),
    ];
    let refused = refused.map(|(id, target, fields)| {
        let bytes = format!("GET {target} HTTP/1.1\r\n{fields}\r\n");
        Row::new(id, RFC, bytes).answers(&["400"])
    });
    let taken = [
        (
            "RFC9110-7.2-HOST-WITH-PORT",
            "/",
            "host: a:8080\r\n",
            "a:8080",
        ),
        (
            "RFC9110-7.2-HOST-IPV6",
            "/",
            "host: [::1]:80\r\n",
            "[::1]:80",
        ),
        ("COMP-ABSOLUTE-FORM", "http://a/", "host: a\r\n", "a"),
        ("RFC9112-3.2.2-ABSOLUTE-NO-HOST", "http://a/", "", "a"),
    ];
    let taken = taken.map(|(id, target, fields, host)| {
        let bytes = format!("GET {target} HTTP/1.1\r\n{fields}\r\n");
        let said = match host {
            "a" => "\r\nx-forwarded-host: a\r\n",
            "a:8080" => "\r\nx-forwarded-host: a:8080\r\n",
            _ => "\r\nx-forwarded-host: [::1]:80\r\n",
        };
        let row = Row::new(id, RFC, bytes).passes("GET /");
        // The service is called by its own name.
        row.service_sees(&["\r\nhost: any\r\n", said])
    });
    let old = Row::new("COMP-HTTP10-NO-HOST", RFC, "GET / HTTP/1.0\r\n\r\n");
    refused
        .into_iter()
        .chain(taken)
        .chain([old.passes("GET /").end(End::Closed)])
        .collect()
}

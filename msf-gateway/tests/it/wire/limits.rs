//! How much there may be.

use super::row::{End, Row};

pub(super) fn rows() -> Vec<Row> {
    let long = "a".repeat(70_000);
    let many = "x: y\r\n".repeat(200);
    let post = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let large = "a".repeat((2 << 20) + 1);
    let too_large = |id, rfc, bytes: String| {
        let row = Row::new(id, rfc, bytes).answers(&["413"]);
        row.may_break_off().end(End::Closed)
    };
    vec![
        Row::new(
            "MAL-LONG-URL",
            "RFC 9110 15.5.15",
            format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"),
        )
        .refused("414")
        .answers(&["431"]),
        Row::new(
            "MAL-LONG-HEADER-VALUE",
            "RFC 6585 5",
            format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"),
        )
        .refused("431"),
        Row::new(
            "MAL-LONG-HEADER-NAME",
            "RFC 6585 5",
            format!("GET / HTTP/1.1\r\nhost: a\r\n{long}: x\r\n\r\n"),
        )
        .refused("431"),
        Row::new(
            "MAL-MANY-HEADERS",
            "RFC 6585 5",
            format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"),
        )
        .refused("431"),
        Row::new(
            "MAL-LONG-METHOD",
            "RFC 9112 3",
            format!("{long} / HTTP/1.1\r\nhost: a\r\n\r\n"),
        )
        .refused("400")
        .answers(&["431"])
        .answers(&["414"]),
        Row::new(
            "RFC9112-3-LONG-METHOD-WITHIN-HEADER",
            "RFC 9112 3",
            format!("{} / HTTP/1.1\r\nhost: a\r\n\r\n", "A".repeat(64)),
        )
        .answers(&["501"])
        .answers(&["400"]),
        // No limit of a body counts what stands around it.
        Row::new(
            "MAL-CHUNK-EXT-64K",
            "RFC 9112 7.1.1",
            format!("{post}5;ext={long}\r\nhello\r\n0\r\n\r\n"),
        )
        .breaks(),
        Row::new(
            "RFC9112-7.1.2-LONG-TRAILER",
            "RFC 9112 7.1.2",
            format!("{post}5\r\nhello\r\n0\r\nx: {long}\r\n\r\n"),
        )
        .breaks(),
        too_large(
            "MAL-POST-CL-HUGE-NO-BODY",
            "RFC 9110 15.5.14",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999\r\n\r\n".to_owned(),
        ),
        too_large(
            "RFC9110-15.5.14-CHUNKED-TOO-LARGE",
            "RFC 9110 15.5.14",
            format!("{post}{:x}\r\n{large}\r\n0\r\n\r\n", large.len()),
        )
        // What little is left of it may be read to its end.
        .end(End::Either),
    ]
}

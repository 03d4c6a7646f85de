//! Methods, and what is expected.

use super::row::{End, Row};

pub(super) fn rows() -> Vec<Row> {
    const RFC: &str = "RFC 9110 9.1";
    let not_allowed = [
        (
            "COMP-METHOD-CONNECT",
            "CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n",
        ),
        (
            "RFC9110-9.3.6-CONNECT-PATH",
            "CONNECT / HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        ("COMP-METHOD-TRACE", "TRACE / HTTP/1.1\r\nhost: a\r\n\r\n"),
        (
            "COMP-TRACE-SENSITIVE",
            "TRACE / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer secret-token-123\r\n\r\n",
        ),
        (
            "COMP-TRACE-WITH-BODY",
            "TRACE / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
        ),
    ];
    let not_allowed = not_allowed.map(|(id, bytes)| {
        let row = Row::new(id, RFC, bytes).answers(&["405"]);
        row.client_sees(&["\r\nallow: get"])
            .client_never_sees(&["secret"])
    });
    let options =
        |hops: &str| format!("OPTIONS / HTTP/1.1\r\nhost: a\r\nmax-forwards: {hops}\r\n\r\n");
    let hops = |id, bytes: String| Row::new(id, "RFC 9110 7.6.2", bytes);
    not_allowed
        .into_iter()
        .chain([
            Row::new("COMP-METHOD-CASE", RFC, "get / HTTP/1.1\r\nhost: a\r\n\r\n").passes("get /"),
            Row::new("COMP-UNKNOWN-METHOD", RFC, "FOOBAR / HTTP/1.1\r\nhost: a\r\n\r\n")
                .passes("FOOBAR /"),
            Row::new(
                "RFC9110-9.1-METHOD-NO-TOKEN",
                RFC,
                "GE(T / HTTP/1.1\r\nhost: a\r\n\r\n",
            )
            .refused("400"),
            Row::new(
                "COMP-EXPECT-UNKNOWN",
                "RFC 9110 10.1.1",
                "GET / HTTP/1.1\r\nhost: a\r\nexpect: 200-ok\r\n\r\n",
            )
            .answers(&["417"]),
            Row::new(
                "COMP-NO-1XX-HTTP10",
                "RFC 9110 15.2",
                "POST / HTTP/1.0\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello",
            )
            .passes("POST / hello")
            .end(End::Closed),
            hops("RFC9110-7.6.2-MAX-FORWARDS-ZERO", options("0"))
                .answers(&["200"])
                .client_sees(&["\r\nallow: get"]),
            hops("RFC9110-7.6.2-MAX-FORWARDS", options("7"))
                .passes("OPTIONS /")
                .service_sees(&["\r\nmax-forwards: 6\r\n"]),
            hops("RFC9110-7.6.2-MAX-FORWARDS-MALFORMED", options("x")).answers(&["400"]),
            hops(
                "RFC9110-7.6.2-MAX-FORWARDS-OF-GET",
                options("0").replace("OPTIONS", "GET"),
            )
            .passes("GET /"),
        ])
        .collect()
}

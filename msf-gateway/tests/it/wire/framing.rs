//! Where a request ends.

use super::row::{End, Row};

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("transfer-encoding: chunked", body)
}

const GET: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
const HELLO: &str = "5\r\nhello\r\n0\r\n\r\n";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = honest();
    rows.extend(lengths());
    rows.extend(both());
    rows.extend(codings());
    rows.extend(chunks());
    rows.extend(trailers());
    rows.extend(one_after_the_other());
    rows
}

fn honest() -> Vec<Row> {
    const RFC: &str = "RFC 9112 6.3";
    vec![
        Row::new("COMP-BASELINE", RFC, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").passes("GET /"),
        Row::new("COMP-POST-CL-BODY", RFC, post("content-length: 5", "hello"))
            .passes("POST / hello"),
        Row::new("COMP-POST-CL-ZERO", RFC, post("content-length: 0", "")).passes("POST /"),
        Row::new("COMP-POST-NO-CL-NO-TE", RFC, post("x: y", "")).passes("POST /"),
        Row::new("COMP-CHUNKED-BODY", "RFC 9112 7.1", chunked(HELLO)).passes("POST / hello"),
        Row::new(
            "COMP-CHUNKED-MULTI",
            "RFC 9112 7.1",
            chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
        )
        .passes("POST / hello world"),
        Row::new("COMP-CHUNKED-EMPTY", "RFC 9112 7.1", chunked("0\r\n\r\n")).passes("POST /"),
        Row::new(
            "COMP-CHUNKED-HEX-UPPERCASE",
            "RFC 9112 7.1",
            chunked("A\r\nhelloworld\r\n0\r\n\r\n"),
        )
        .passes("POST / helloworld"),
        Row::new(
            "COMP-GET-WITH-CL-BODY",
            "RFC 9110 9.3.1",
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
        )
        .passes("GET / hello"),
        Row::new(
            "RFC9110-9.3.1-GET-CHUNKED",
            "RFC 9110 9.3.1",
            format!("GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{HELLO}"),
        )
        .passes("GET / hello"),
        Row::new(
            "SMUG-HEAD-CL-BODY",
            "RFC 9110 9.3.2",
            "HEAD / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
        )
        .served("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
        .answers(&["200"])
        .forwards(&["HEAD / hello"]),
        Row::new(
            "SMUG-OPTIONS-CL-BODY",
            "RFC 9110 9.3.7",
            "OPTIONS / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
        )
        .passes("OPTIONS / hello"),
    ]
}

fn lengths() -> Vec<Row> {
    const RFC: &str = "RFC 9110 8.6";
    let bad = [
        (
            "SMUG-DUPLICATE-CL",
            "content-length: 5\r\ncontent-length: 10",
        ),
        (
            "SMUG-DUPLICATE-CL-SMUGGLED-GET",
            "content-length: 4\r\ncontent-length: 44",
        ),
        ("SMUG-CL-NEGATIVE", "content-length: -1"),
        ("SMUG-CL-NEGATIVE-ZERO", "content-length: -0"),
        ("SMUG-CL-OCTAL", "content-length: 0o5"),
        ("SMUG-CL-HEX-PREFIX", "content-length: 0x5"),
        ("SMUG-CL-INTERNAL-SPACE", "content-length: 1 0"),
        ("SMUG-CL-UNDERSCORE", "content-length: 1_0"),
        ("SMUG-CL-COMMA-DIFFERENT", "content-length: 5, 10"),
        ("SMUG-CL-COMMA-SAME", "content-length: 5, 5"),
        ("SMUG-CL-COMMA-TRIPLE", "content-length: 5, 5, 5"),
        ("RFC9112-6.1-CL-NON-NUMERIC", "content-length: abc"),
        ("RFC9112-6.1-CL-PLUS-SIGN", "content-length: +5"),
        ("MAL-CL-EMPTY", "content-length: "),
        ("MAL-CL-OVERFLOW", "content-length: 99999999999999999999"),
    ];
    let good = [
        ("SMUG-CL-LEADING-ZEROS", "content-length: 0010"),
        ("SMUG-CL-TRAILING-SPACE", "content-length: 10 "),
        ("SMUG-CL-EXTRA-LEADING-SP", "content-length:  10"),
        ("MAL-CL-TAB-BEFORE-VALUE", "content-length:\t10"),
        (
            "RFC9110-8.6-DUPLICATE-CL-SAME",
            "content-length: 10\r\ncontent-length: 10",
        ),
    ];
    let bad = bad.map(|(id, field)| {
        Row::new(id, RFC, post(field, &format!("helloworld{GET}"))).refused("400")
    });
    // It is one number to everybody once it was written anew.
    let good = good.map(|(id, field)| {
        let row = Row::new(id, RFC, post(field, "helloworld")).passes("POST / helloworld");
        row.service_sees(&["\r\ncontent-length: 10\r\n"])
    });
    let zero = Row::new("SMUG-CL-DOUBLE-ZERO", RFC, post("content-length: 00", ""));
    let short = Row::new(
        "COMP-POST-CL-UNDERSEND",
        RFC,
        post("content-length: 10", "hello"),
    );
    let gone = Row::new(
        "RFC9112-8-CL-CLOSED-EARLY",
        "RFC 9112 8",
        post("content-length: 10", "hello"),
    );
    bad.into_iter()
        .chain(good)
        .chain([
            zero.passes("POST /"),
            short.breaks(),
            gone.half_closed().breaks().answers(&[]),
        ])
        .collect()
}

/// Both lengths: the coding holds, the length is not passed on, and nothing after it is believed.
fn both() -> Vec<Row> {
    const RFC: &str = "RFC 9112 6.3";
    let holds = |id, bytes: String, request| {
        Row::new(id, RFC, bytes)
            .answers(&["200 ok"])
            .end(End::Closed)
            .forwards(&[request])
            .service_never_sees(&[
                "content-length: 4\r",
                "content-length: 30\r",
                "smuggled http",
            ])
    };
    let te = "transfer-encoding: chunked";
    let in_chunk = "GET /in HTTP/1.1\r\n\r\n";
    vec![
        holds(
            "SMUG-CL-TE-BOTH",
            post(&format!("content-length: 4\r\n{te}"), HELLO),
            "POST / hello",
        ),
        holds(
            "SMUG-CLTE-PIPELINE",
            post(&format!("content-length: 4\r\n{te}"), "0\r\n\r\n"),
            "POST /",
        ),
        holds(
            "SMUG-TECL-PIPELINE",
            post(&format!("{te}\r\ncontent-length: 30"), "0\r\n\r\n"),
            "POST /",
        ),
        holds(
            "SMUG-CLTE-CONN-CLOSE",
            post(&format!("content-length: 5\r\n{te}"), "0\r\n\r\n") + GET,
            "POST /",
        ),
        holds(
            "SMUG-TECL-CONN-CLOSE",
            post(&format!("{te}\r\ncontent-length: 5"), "0\r\n\r\n") + GET,
            "POST /",
        ),
        holds(
            "SMUG-CLTE-DESYNC",
            post(&format!("content-length: 6\r\n{te}"), "0\r\n\r\nX") + GET,
            "POST /",
        ),
        holds(
            "SMUG-TECL-DESYNC",
            post(&format!("{te}\r\ncontent-length: 30"), "0\r\n\r\nX") + GET,
            "POST /",
        ),
        holds(
            "SMUG-CLTE-SMUGGLED-GET",
            post(&format!("content-length: 44\r\n{te}"), "0\r\n\r\n") + GET,
            "POST /",
        ),
        holds(
            "SMUG-CLTE-SMUGGLED-HEAD",
            post(&format!("content-length: 45\r\n{te}"), "0\r\n\r\n")
                + "HEAD /smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST /",
        ),
        holds(
            "SMUG-TECL-SMUGGLED-GET",
            post(
                &format!("{te}\r\ncontent-length: 4"),
                &format!("{:x}\r\n{in_chunk}\r\n0\r\n\r\n", in_chunk.len()),
            ),
            "POST / GET /in HTTP/1.1\\r\\n\\r\\n",
        ),
        holds(
            "SMUG-CLTE-SMUGGLED-GET-TE-TRAILING-SPACE",
            post(
                "content-length: 44\r\ntransfer-encoding: chunked ",
                "0\r\n\r\n",
            ) + GET,
            "POST /",
        ),
        holds(
            "SMUG-CLTE-SMUGGLED-GET-TE-CASE-MISMATCH",
            post(
                "content-length: 44\r\ntransfer-encoding: Chunked",
                "0\r\n\r\n",
            ) + GET,
            "POST /",
        ),
        holds(
            "SMUG-TE-TAB-BEFORE-VALUE",
            post("transfer-encoding:\tchunked\r\ncontent-length: 4", HELLO),
            "POST / hello",
        ),
        Row::new(
            "SMUG-CLTE-SMUGGLED-GET-CL-PLUS",
            RFC,
            post(&format!("content-length: +44\r\n{te}"), "0\r\n\r\n") + GET,
        )
        .refused("400"),
        Row::new(
            "SMUG-CLTE-SMUGGLED-GET-CL-NON-NUMERIC",
            RFC,
            post(&format!("content-length: 44x\r\n{te}"), "0\r\n\r\n") + GET,
        )
        .refused("400"),
        Row::new(
            "SMUG-CLTE-SMUGGLED-GET-TE-OBS-FOLD",
            "RFC 9112 5.2",
            post(
                "transfer-encoding:\r\n chunked\r\ncontent-length: 44",
                "0\r\n\r\n",
            ) + GET,
        )
        .refused("400"),
        Row::new(
            "SMUG-CLTE-SMUGGLED-GET-TE-LEADING-COMMA",
            RFC,
            post(
                "content-length: 44\r\ntransfer-encoding: , chunked",
                "0\r\n\r\n",
            ) + GET,
        )
        .refused("501"),
        Row::new(
            "NORM-CASE-TE",
            RFC,
            post(
                "content-length: 11\r\nTRANSFER-ENCODING: chunked",
                "hello world",
            ),
        )
        .breaks(),
    ]
}

fn codings() -> Vec<Row> {
    const RFC: &str = "RFC 9112 6.1";
    // What does not end in `chunked` has no end; what does, and is more, another server may read otherwise.
    let refused = [
        ("SMUG-TE-XCHUNKED", "transfer-encoding: xchunked", "400"),
        (
            "SMUG-TE-SP-BEFORE-COLON",
            "transfer-encoding : chunked",
            "400",
        ),
        (
            "SMUG-TE-DOUBLE-CHUNKED",
            "transfer-encoding: chunked, chunked",
            "501",
        ),
        (
            "SMUG-TE-NOT-FINAL-CHUNKED",
            "transfer-encoding: chunked, gzip",
            "400",
        ),
        ("SMUG-TE-EMPTY-VALUE", "transfer-encoding: ", "400"),
        (
            "SMUG-TE-LEADING-COMMA",
            "transfer-encoding: , chunked",
            "501",
        ),
        (
            "SMUG-TE-TRAILING-COMMA",
            "transfer-encoding: chunked,",
            "400",
        ),
        (
            "SMUG-TE-DUPLICATE-HEADERS",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity",
            "400",
        ),
        (
            "SMUG-TE-DUPLICATE-HEADERS-SMUGGLED-GET",
            "transfer-encoding: identity\r\ntransfer-encoding: chunked",
            "501",
        ),
        ("SMUG-TE-IDENTITY", "transfer-encoding: identity", "400"),
        (
            "SMUG-CHUNKED-WITH-PARAMS",
            "transfer-encoding: chunked;ext=val",
            "400",
        ),
        ("COMP-UNKNOWN-TE-501", "transfer-encoding: gzip", "400"),
        (
            "RFC9112-6.1-TE-GZIP-CHUNKED",
            "transfer-encoding: gzip, chunked",
            "501",
        ),
        ("SMUG-TE-OBS-FOLD", "transfer-encoding:\r\n chunked", "400"),
        ("SMUG-TE-VTAB", "transfer-encoding: \u{b}chunked", "400"),
        ("SMUG-TE-FORMFEED", "transfer-encoding: \u{c}chunked", "400"),
        ("SMUG-TE-NULL", "transfer-encoding: chunked\0", "400"),
    ];
    let refused = refused
        .map(|(id, field, status)| Row::new(id, RFC, post(field, HELLO) + GET).refused(status));
    let old = format!("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{HELLO}");
    let fold = "OPTIONS / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n";
    refused
        .into_iter()
        .chain([
            Row::new("SMUG-TE-HTTP10", "CVE-2026-2835", old).refused("400"),
            Row::new("SMUG-OPTIONS-TE-OBS-FOLD", "RFC 9112 5.2", fold).refused("400"),
            Row::new(
                "SMUG-TE-CASE-MISMATCH",
                RFC,
                post("transfer-encoding: Chunked", HELLO),
            )
            .passes("POST / hello"),
            Row::new(
                "SMUG-TE-TRAILING-SPACE",
                RFC,
                post("transfer-encoding: chunked \r\ncontent-length: 5", "hello"),
            )
            .breaks(),
            // A name with an underscore is nobody's coding, and is not passed on for somebody to read it as one.
            Row::new(
                "SMUG-TRANSFER_ENCODING",
                RFC,
                post("transfer_encoding: chunked\r\ncontent-length: 5", "hello"),
            )
            .passes("POST / hello")
            .service_never_sees(&["transfer_encoding"]),
            Row::new(
                "NORM-UNDERSCORE-CL",
                "RFC 9110 8.6",
                post("content-length: 5\r\ncontent_length: 99", "hello"),
            )
            .passes("POST / hello")
            .service_never_sees(&["content_length"]),
        ])
        .collect()
}

fn chunks() -> Vec<Row> {
    const RFC: &str = "RFC 9112 7.1";
    let broken = [
        (
            "SMUG-CHUNK-UNDERSCORE",
            "1_0\r\nhello world!!!!!\r\n0\r\n\r\n",
        ),
        ("SMUG-CHUNK-HEX-PREFIX", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("SMUG-CHUNK-SIZE-PLUS", "+5\r\nhello\r\n0\r\n\r\n"),
        ("SMUG-CHUNK-NEGATIVE", "-1\r\nhello\r\n0\r\n\r\n"),
        ("SMUG-CHUNK-LEADING-SP", " 5\r\nhello\r\n0\r\n\r\n"),
        ("SMUG-CHUNK-MISSING-TRAILING-CRLF", "5\r\nhello0\r\n\r\n"),
        ("SMUG-CHUNK-SPILL", "5\r\nhello!!\r\n0\r\n\r\n"),
        ("SMUG-CHUNK-LF-TERM", "5\r\nhello\n0\r\n\r\n"),
        ("SMUG-CHUNK-EXT-LF", "5;\nhello\r\n0\r\n\r\n"),
        ("SMUG-CHUNK-EXT-CR", "5;a\rX\r\nhello\r\n0\r\n\r\n"),
        ("SMUG-CHUNK-BARE-CR-TERM", "5\rhello\r\n0\r\n\r\n"),
        (
            "SMUG-CHUNK-INVALID-SIZE-DESYNC",
            "+0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        ("SMUG-CHUNK-LF-TRAILER", "5\r\nhello\r\n0\r\n\n"),
        (
            "MAL-CHUNK-SIZE-OVERFLOW",
            "FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n",
        ),
        ("RFC9112-7.1-CHUNK-SIZE-EMPTY", "\r\nhello\r\n0\r\n\r\n"),
        ("COMP-CHUNKED-NO-FINAL", "5\r\nhello\r\n"),
    ];
    // What is written between size and line end is read by nobody and not passed on.
    let dropped = [
        (
            "COMP-CHUNKED-EXTENSION",
            "5;ext=value\r\nhello\r\n0\r\n\r\n",
        ),
        ("SMUG-CHUNK-BARE-SEMICOLON", "5;\r\nhello\r\n0\r\n\r\n"),
        (
            "SMUG-CHUNK-EXT-INVALID-TOKEN",
            "5;bad[=x\r\nhello\r\n0\r\n\r\n",
        ),
        ("SMUG-CHUNK-EXT-CTRL", "5;\0ext\r\nhello\r\n0\r\n\r\n"),
        ("SMUG-CHUNK-SIZE-TRAILING-OWS", "5 \r\nhello\r\n0\r\n\r\n"),
    ];
    let broken = broken.map(|(id, body)| Row::new(id, RFC, chunked(body)).breaks());
    let dropped = dropped
        .map(|(id, body)| Row::new(id, "RFC 9112 7.1.1", chunked(body)).passes("POST / hello"));
    broken.into_iter().chain(dropped).collect()
}

/// Who merges trailers into the header must not be told there what it would not believe here.
fn trailers() -> Vec<Row> {
    const RFC: &str = "RFC 9110 6.5.1";
    let hostile = [
        ("SMUG-TRAILER-CL", "content-length: 50"),
        ("SMUG-TRAILER-TE", "transfer-encoding: evil"),
        ("SMUG-TRAILER-HOST", "host: evil.example.com"),
        ("SMUG-TRAILER-AUTH", "authorization: Bearer evil"),
        ("SMUG-TRAILER-CONTENT-TYPE", "content-type: text/evil"),
        ("RFC9110-6.5.1-TRAILER-IDENTITY", "x-user-id: evil"),
    ];
    let hostile = hostile.map(|(id, field)| {
        let name = field.split(':').next().unwrap_or_default();
        let fields = format!("te: trailers\r\ntrailer: {name}\r\ntransfer-encoding: chunked");
        let body = format!("5\r\nhello\r\n0\r\n{field}\r\n\r\n");
        let row = Row::new(id, RFC, post(&fields, &body)).passes("POST / hello");
        row.service_never_sees(&["evil", "content-length: 50"])
    });
    let announced = "trailer: x-checksum\r\ntransfer-encoding: chunked";
    let body = "5\r\nhello\r\n0\r\nx-checksum: abc\r\n\r\n";
    hostile
        .into_iter()
        .chain([
            Row::new("COMP-CHUNKED-TRAILER-VALID", RFC, post(announced, body))
                .passes("POST / hello")
                .service_sees(&["x-checksum: abc\r\n"]),
            Row::new("RFC9110-6.5.1-TRAILER-UNANNOUNCED", RFC, chunked(body))
                .passes("POST / hello")
                .service_never_sees(&["x-checksum"]),
        ])
        .collect()
}

/// Several requests on one connection.
fn one_after_the_other() -> Vec<Row> {
    const RFC: &str = "RFC 9112 9.3.2";
    let two = |id, rfc, bytes: String, first, second| {
        Row::new(id, rfc, bytes)
            .answers(&["200 ok", "200 ok"])
            .forwards(&[first, second])
            .end(End::Open)
    };
    let next = "GET /next HTTP/1.1\r\nhost: a\r\n\r\n";
    vec![
        two(
            "SMUG-PIPELINE-SAFE",
            RFC,
            format!("GET / HTTP/1.1\r\nhost: a\r\n\r\n{next}"),
            "GET /",
            "GET /next",
        ),
        two(
            "SMUG-GET-CL-BODY-DESYNC",
            "RFC 9110 9.3.1",
            format!("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello{next}"),
            "GET / hello",
            "GET /next",
        ),
        two(
            "SMUG-GET-CL-PREFIX-DESYNC",
            "RFC 9112 2.2",
            format!("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nGET / \r\n{next}"),
            "GET / GET / ",
            "GET /next",
        ),
        two(
            "SMUG-OPTIONS-CL-BODY-DESYNC",
            "RFC 9110 9.3.7",
            format!("OPTIONS / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello{next}"),
            "OPTIONS / hello",
            "GET /next",
        ),
        Row::new(
            "SMUG-EXPECT-100-CL",
            "RFC 9110 10.1.1",
            post("expect: 100-continue\r\ncontent-length: 5", "hello"),
        )
        .passes("POST / hello")
        .answers(&["100", "200 ok"])
        .end(End::Either),
        Row::new(
            "COMP-CONNECTION-CLOSE",
            "RFC 9112 9.6",
            format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n{next}"),
        )
        .answers(&["200 ok"])
        .forwards(&["GET /"])
        .end(End::Closed),
    ]
}

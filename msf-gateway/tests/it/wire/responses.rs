//! Services that answer what no honest service does.

use super::row::{End, Row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = framing();
    rows.extend(no_answers());
    rows.extend(without_content());
    rows.extend(behind_the_end());
    rows.extend(hygiene());
    rows
}

fn ok(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}")
}

fn framing() -> Vec<Row> {
    const RFC: &str = "RFC 9112 6.3";
    let chunked = "transfer-encoding: chunked";
    let passes = |id, fields: &str, body: &str| {
        let row = Row::of_service(id, RFC, ok(fields, body));
        row.answers(&["200 hello"]).end(End::Open)
    };
    let fails = |id, fields: &str, body: &str| {
        let row = Row::of_service(id, RFC, ok(fields, body)).service_closes();
        row.answers(&["502"])
    };
    // Begun and not ended: whatever the client has got of it, perhaps nothing, it does not look whole.
    let cut = |id, fields: &str, body: &str| {
        let row = Row::of_service(id, RFC, ok(fields, body)).service_closes();
        row.answers(&["200 hello~"])
            .answers(&["200~"])
            .answers(&["502"])
            .answers(&[])
            .end(End::Closed)
    };
    vec![
        passes(
            "RFC9112-6.3-RESPONSE-CL-TE",
            &format!("content-length: 3\r\n{chunked}"),
            "5\r\nhello\r\n0\r\n\r\n",
        )
        .client_never_sees(&["content-length"]),
        passes(
            "RFC9112-6.3-RESPONSE-TE-CL",
            &format!("{chunked}\r\ncontent-length: 3"),
            "5\r\nhello\r\n0\r\n\r\n",
        )
        .client_never_sees(&["content-length"]),
        passes(
            "RFC9110-8.6-RESPONSE-CL-TWICE",
            "content-length: 5\r\ncontent-length: 5",
            "hello",
        )
        .client_sees(&["\r\ncontent-length: 5\r\n"]),
        passes(
            "RFC9112-7.1.1-RESPONSE-EXTENSION",
            chunked,
            "5;evil=\"\r\nhello\r\n0\r\n\r\n",
        ),
        passes(
            "RFC9112-6.3-RESPONSE-UNTIL-CLOSE",
            "content-type: text/plain",
            "hello",
        )
        .service_closes(),
        Row::of_service(
            "RFC9112-6.3-RESPONSE-HTTP10",
            RFC,
            "HTTP/1.0 200 OK\r\n\r\nhello",
        )
        .service_closes()
        .answers(&["200 hello"])
        .end(End::Open)
        .client_sees(&["http/1.1 200 ok\r\n"]),
        fails(
            "RFC9110-8.6-RESPONSE-CL-DIFFERENT",
            "content-length: 5\r\ncontent-length: 6",
            "hello",
        ),
        fails(
            "RFC9110-8.6-RESPONSE-CL-LIST",
            "content-length: 5, 6",
            "hello",
        ),
        fails(
            "RFC9110-8.6-RESPONSE-CL-PLUS",
            "content-length: +5",
            "hello",
        ),
        fails(
            "RFC9110-8.6-RESPONSE-CL-HEX",
            "content-length: 0x5",
            "hello",
        ),
        fails(
            "RFC9110-8.6-RESPONSE-CL-NEGATIVE",
            "content-length: -5",
            "hello",
        ),
        fails("RFC9110-8.6-RESPONSE-CL-EMPTY", "content-length: ", "hello"),
        fails(
            "RFC9112-6.1-RESPONSE-GZIP-CHUNKED",
            "transfer-encoding: gzip, chunked",
            "0\r\n\r\n",
        ),
        fails(
            "RFC9112-6.1-RESPONSE-CHUNKED-TWICE",
            "transfer-encoding: chunked, chunked",
            "0\r\n\r\n",
        ),
        fails(
            "RFC9112-6.1-RESPONSE-XCHUNKED",
            "transfer-encoding: xchunked",
            "hello",
        ),
        fails(
            "RFC9112-6.1-RESPONSE-TWO-CODINGS",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity",
            "0\r\n\r\n",
        ),
        fails(
            "RFC9112-6.1-RESPONSE-SP-BEFORE-COLON",
            "transfer-encoding : chunked",
            "0\r\n\r\n",
        ),
        Row::of_service(
            "RFC9112-6.1-RESPONSE-TE-HTTP10",
            RFC,
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        )
        .service_closes()
        .answers(&["502"]),
        cut("RFC9112-8-RESPONSE-SHORT", "content-length: 9", "hello"),
        cut(
            "RFC9112-8-RESPONSE-NO-LAST-CHUNK",
            chunked,
            "5\r\nhello\r\n",
        ),
        cut(
            "RFC9112-7.1-RESPONSE-BAD-CHUNK-SIZE",
            chunked,
            "5\r\nhello\r\nzz\r\n",
        ),
        cut(
            "RFC9112-7.1-RESPONSE-CHUNK-SPILL",
            chunked,
            "5\r\nhello!!\r\n0\r\n\r\n",
        ),
        cut(
            "RFC9112-7.1-RESPONSE-CHUNK-OVERFLOW",
            chunked,
            "5\r\nhello\r\nFFFFFFFFFFFFFFFF0\r\n",
        ),
        cut(
            "RFC9112-7.1.1-RESPONSE-EXTENSION-64K",
            chunked,
            &format!("5\r\nhello\r\n1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(70_000)),
        ),
        cut(
            "RFC9112-7.1.2-RESPONSE-TRAILER-64K",
            chunked,
            &format!("5\r\nhello\r\n0\r\nx: {}\r\n\r\n", "a".repeat(70_000)),
        ),
    ]
}

/// Nothing of it reaches the client.
fn no_answers() -> Vec<Row> {
    const RFC: &str = "RFC 9112 4";
    let long = "a".repeat(1 << 20);
    let many = "x: y\r\n".repeat(2_000);
    let all = [
        ("RFC9112-4-NOTHING", String::new()),
        ("RFC9112-4-NOT-HTTP", "SSH-2.0-OpenSSH_9.9\r\n".to_owned()),
        ("RFC9112-4-HTTP09", "<html>hello</html>".to_owned()),
        ("RFC9112-4-CUT", "HTTP/1.1 200 OK\r\ncontent-le".to_owned()),
        (
            "RFC9112-2.3-RESPONSE-VERSION",
            "HTTP/2 200 OK\r\n\r\n".to_owned(),
        ),
        (
            "RFC9110-15-STATUS-TWO-DIGITS",
            "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
        ),
        (
            "RFC9110-15-STATUS-FOUR-DIGITS",
            "HTTP/1.1 2000 OK\r\n\r\n".to_owned(),
        ),
        (
            "RFC9110-15-STATUS-BELOW-100",
            "HTTP/1.1 099 OK\r\n\r\n".to_owned(),
        ),
        (
            "RFC9112-5.2-RESPONSE-OBS-FOLD",
            ok("x: 1\r\n 2\r\ncontent-length: 0", ""),
        ),
        ("RFC9112-5.1-RESPONSE-NAME", ok("bad name: 1", "")),
        ("RFC9110-5.5-RESPONSE-NUL", ok("x: a\0b", "")),
        (
            "RFC9110-5.5-RESPONSE-BARE-CR",
            ok("x: a\rset-cookie: evil=1", ""),
        ),
        ("RFC9112-5-RESPONSE-HEAD-1M", ok(&format!("x: {long}"), "")),
        (
            "RFC9112-5-RESPONSE-2000-FIELDS",
            ok(&format!("{many}content-length: 0"), ""),
        ),
        (
            "RFC9110-15.2.2-UNASKED-101",
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
                .to_owned(),
        ),
        (
            "RFC9110-15.2-ONLY-INTERIM",
            "HTTP/1.1 103 Early Hints\r\n\r\n".to_owned(),
        ),
    ];
    let all = all.map(|(id, answer)| {
        let row = Row::of_service(id, RFC, answer).service_closes();
        row.answers(&["502"]).client_never_sees(&["evil", "ssh"])
    });
    let flood = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n".repeat(1_000);
    let flood = Row::of_service(
        "RFC9110-15.2-INTERIM-FLOOD",
        "RFC 9110 15.2",
        flood + &ok("content-length: 2", "ok"),
    );
    let unasked = Row::of_service(
        "RFC9110-15.2.1-UNASKED-100",
        "RFC 9110 15.2",
        "HTTP/1.1 100 Continue\r\n\r\n".to_owned() + &ok("content-length: 2", "ok"),
    );
    // Interim answers are not passed on: the server underneath cannot send any but 100.
    all.into_iter()
        .chain([flood, unasked].map(|row| row.answers(&["200 ok"]).end(End::Open)))
        .collect()
}

/// Answers that have no content, whatever they say.
fn without_content() -> Vec<Row> {
    const RFC: &str = "RFC 9110 6.4.1";
    let head = "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n";
    let none = |id, answer: String| Row::of_service(id, RFC, answer).end(End::Open);
    vec![
        none(
            "COMP-NO-CL-IN-204",
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n".to_owned(),
        )
        .answers(&["204"])
        .client_never_sees(&["content-length", "transfer-encoding"]),
        none(
            "RFC9110-15.3.5-204-CHUNKED",
            "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        )
        .answers(&["204"])
        .client_never_sees(&["content-length", "transfer-encoding"]),
        none(
            "RFC9110-15.3.5-204-WITH-BODY",
            "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello".to_owned(),
        )
        .answers(&["204"])
        .client_never_sees(&["content-length"]),
        none(
            "RFC9110-15.4.5-304-LENGTH",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\netag: \"1\"\r\n\r\n".to_owned(),
        )
        .answers(&["304"])
        .client_sees(&["\r\netag: \"1\"\r\n"]),
        none(
            "RFC9110-15.4.5-304-WITH-BODY",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\nhello".to_owned(),
        )
        .answers(&["304"]),
        none("COMP-HEAD-NO-BODY", ok("content-length: 7", ""))
            .sending(head)
            .forwards(&["HEAD /"])
            .answers(&["200"])
            .client_sees(&["\r\ncontent-length: 7\r\n"]),
        none(
            "RFC9110-9.3.2-HEAD-WITH-BODY",
            ok("content-length: 5", "hello"),
        )
        .sending(head)
        .forwards(&["HEAD /"])
        .answers(&["200"]),
        none(
            "RFC9110-9.3.2-HEAD-CHUNKED",
            ok("transfer-encoding: chunked", ""),
        )
        .sending(head)
        .forwards(&["HEAD /"])
        .answers(&["200"]),
        // The gateway's own failure has no content either.
        Row::of_service("RFC9110-9.3.2-HEAD-FAILED", RFC, "")
            .service_closes()
            .sending(head)
            .forwards(&["HEAD /"])
            .answers(&["502"])
            .end(End::Open),
    ]
}

/// Bytes that belong to no answer are not the next client's: each of these rows has one.
fn behind_the_end() -> Vec<Row> {
    const RFC: &str = "RFC 9112 9.2";
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    let row = |id, answer: String| {
        let row = Row::of_service(id, RFC, answer + poison);
        row.answers(&["200 hello"]).end(End::Open)
    };
    vec![
        row("CVE-2025-4366", ok("content-length: 5", "hello")),
        row(
            "RFC9112-9.2-BEHIND-CHUNKS",
            ok("transfer-encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ),
        row("RFC9112-9.2-BEHIND-NOTHING", ok("content-length: 0", "")).answers(&["200"]),
        row(
            "RFC9112-9.2-BEHIND-CLOSE",
            ok("connection: close\r\ncontent-length: 5", "hello"),
        ),
        row("RFC9112-9.2-BEHIND-BOTH-LENGTHS", {
            let both = "content-length: 5\r\ntransfer-encoding: chunked";
            ok(both, "5\r\nhello\r\n0\r\n\r\n")
        }),
        // Answered before the body was there: what is left of it is not the next request's.
        Row::of_service(
            "RFC9112-9.3-EARLY-ANSWER",
            "RFC 9112 9.3",
            "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n",
        )
        .sending(
            "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello",
        )
        .answers(&["413"])
        .answers(&["100", "413"])
        .forwards(&["POST / hello"]),
    ]
}

fn hygiene() -> Vec<Row> {
    let answer = ok(
        "connection: x-hop, set-cookie\r\nx-hop: evil\r\nkeep-alive: timeout=5\r\nproxy-authenticate: evil\r\nproxy-authentication-info: evil\r\n\
            server: evil/7.1\r\nx-powered-by: evil\r\nalt-svc: evil\r\nset-cookie: a=b\r\n\
            strict-transport-security: max-age=1\r\ndate: Tue, 15 Nov 1994 08:12:31 GMT\r\ncontent-length: 2",
        "ok",
    );
    vec![
        Row::of_service("RFC9110-7.6.1-RESPONSE", "RFC 9110 7.6.1", answer)
            .answers(&["200 ok"])
            .end(End::Open)
            .client_sees(&[
                "\r\nset-cookie: a=b\r\n",
                "\r\nstrict-transport-security: max-age=1\r\n",
                "\r\ndate: tue, 15 nov 1994",
            ])
            .client_never_sees(&["evil", "keep-alive", "server:"]),
        Row::of_service(
            "RFC9110-7.8-RESPONSE-UPGRADE",
            "RFC 9110 7.8",
            ok(
                "connection: upgrade\r\nupgrade: evil\r\ncontent-length: 2",
                "ok",
            ),
        )
        .answers(&["200 ok"])
        .end(End::Open)
        .client_never_sees(&["upgrade"]),
        Row::of_service(
            "RFC9112-4-REASON",
            "RFC 9112 4",
            "HTTP/1.1 200 evil-7 at 10.0.0.7\r\ncontent-length: 2\r\n\r\nok",
        )
        .answers(&["200 ok"])
        .end(End::Open)
        .client_sees(&["http/1.1 200 ok\r\n"])
        .client_never_sees(&["evil"]),
    ]
}

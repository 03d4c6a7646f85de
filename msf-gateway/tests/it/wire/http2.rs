//! HTTP/2 as frames: what HTTP/1.1 would read as another request, and what costs its sender nothing.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use super::{
    Got, PATIENCE,
    row::{End, Row},
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = downgrade();
    rows.extend(floods());
    rows.extend(services());
    rows
}

const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "shop.example"),
    (":path", "/"),
];

fn with(at: usize, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut fields = GET.to_vec();
    fields[at].1 = value;
    fields
}

fn and(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let mut fields = GET.to_vec();
    fields.extend_from_slice(more);
    fields
}

/// No service sees any of it, and none sees two requests where there is one.
fn downgrade() -> Vec<Row> {
    const RFC: &str = "RFC 9113 8.2.1";
    let evil = "GET /evil HTTP/1.1\r\nhost: a\r\n\r\n";
    let cases: Vec<(&'static str, Vec<(&str, &str)>, &str)> = vec![
        (
            "RFC9113-8.3.1-PATH-CRLF",
            with(3, "/ HTTP/1.1\r\nx: evil"),
            "",
        ),
        ("RFC9113-8.3.1-PATH-SPACE", with(3, "/ evil"), ""),
        ("RFC9113-8.3.1-PATH-TAB", with(3, "/\tevil"), ""),
        ("RFC9113-8.3.1-PATH-NUL", with(3, "/\0evil"), ""),
        ("RFC9113-8.3.1-PATH-RELATIVE", with(3, "evil"), ""),
        ("RFC9113-8.3.1-PATH-EMPTY", with(3, ""), ""),
        (
            "RFC9113-8.3.1-METHOD-CRLF",
            with(0, "GET /evil HTTP/1.1\r\nx: "),
            "",
        ),
        ("RFC9113-8.3.1-METHOD-SPACE", with(0, "GET /evil"), ""),
        ("RFC9113-8.3.1-AUTHORITY-CRLF", with(2, "a\r\nx: evil"), ""),
        ("RFC9113-8.3.1-AUTHORITY-PATH", with(2, "a/evil"), ""),
        ("RFC9113-8.3.1-AUTHORITY-USERINFO", with(2, "evil@a"), ""),
        (
            "RFC9113-8.3.1-AUTHORITY-AND-HOST",
            and(&[("host", "evil")]),
            "",
        ),
        ("RFC9113-8.3.1-SCHEME-OTHER", with(1, "ftp"), ""),
        ("RFC9113-8.3.1-SCHEME-CRLF", with(1, "http\r\nx: evil"), ""),
        (
            "RFC9113-8.2.1-VALUE-CRLF",
            and(&[("x", "1\r\nevil: 1")]),
            "",
        ),
        ("RFC9113-8.2.1-VALUE-LF", and(&[("x", "1\nevil: 1")]), ""),
        ("RFC9113-8.2.1-VALUE-CR", and(&[("x", "1\revil: 1")]), ""),
        ("RFC9113-8.2.1-VALUE-NUL", and(&[("x", "1\0evil")]), ""),
        ("RFC9113-8.2.1-NAME-COLON", and(&[("x: evil", "1")]), ""),
        ("RFC9113-8.2.1-NAME-CRLF", and(&[("x\r\nevil", "1")]), ""),
        ("RFC9113-8.2.1-NAME-SPACE", and(&[("x evil", "1")]), ""),
        ("RFC9113-8.2.1-NAME-UPPERCASE", and(&[("Evil", "1")]), ""),
        ("RFC9113-8.2.1-NAME-EMPTY", and(&[("", "evil")]), ""),
        (
            "RFC9113-8.2.2-TRANSFER-ENCODING",
            and(&[("transfer-encoding", "chunked")]),
            evil,
        ),
        (
            "RFC9113-8.2.2-CONNECTION",
            and(&[("connection", "evil")]),
            "",
        ),
        (
            "RFC9113-8.2.2-PROXY-CONNECTION",
            and(&[("proxy-connection", "evil")]),
            "",
        ),
        (
            "RFC9113-8.2.2-KEEP-ALIVE",
            and(&[("keep-alive", "evil")]),
            "",
        ),
        ("RFC9113-8.2.2-UPGRADE", and(&[("upgrade", "evil")]), ""),
        ("RFC9113-8.2.2-TE", and(&[("te", "evil")]), ""),
        (
            "RFC9113-8.1.1-LENGTH-TOO-SHORT",
            and(&[("content-length", "3")]),
            evil,
        ),
        (
            "RFC9113-8.1.1-LENGTH-TOO-LONG",
            and(&[("content-length", "99")]),
            evil,
        ),
        (
            "RFC9113-8.1.1-TWO-LENGTHS",
            and(&[("content-length", "3"), ("content-length", "33")]),
            evil,
        ),
        (
            "RFC9113-8.1.1-LENGTH-PLUS",
            and(&[("content-length", "+33")]),
            evil,
        ),
        ("RFC9113-8.3-SECOND-PATH", and(&[(":path", "/evil")]), ""),
        ("RFC9113-8.3-UNKNOWN-PSEUDO", and(&[(":evil", "1")]), ""),
        (
            "RFC9113-8.3-PSEUDO-AFTER-FIELD",
            and(&[("x", "1"), (":path", "/evil")]),
            "",
        ),
        ("RFC9113-8.3-STATUS", and(&[(":status", "200")]), ""),
        ("RFC9113-8.3.1-NO-METHOD", GET[1..].to_vec(), ""),
        ("RFC9113-8.3.1-NO-PATH", GET[..3].to_vec(), ""),
        (
            "RFC8441-4-UNASKED-PROTOCOL",
            and(&[(":protocol", "websocket")]),
            "",
        ),
        (
            "RFC9113-8.5-CONNECT",
            vec![(":method", "CONNECT"), (":authority", "evil:80")],
            "",
        ),
    ];
    let refused = cases.into_iter().map(|(id, fields, data)| {
        let row = Row::new(id, RFC, request(&fields, data)).over_http2();
        let row = row
            .answers(&["reset"])
            .answers(&["closed"])
            .answers(&["400"]);
        row.answers(&["other"])
            .may_break_off()
            .service_never_sees(&["evil"])
    });
    let passes = |id, fields: &[(&str, &str)], data, seen| {
        let row = Row::new(id, RFC, request(fields, data)).over_http2();
        row.answers(&["200"]).forwards(&[seen])
    };
    let mut post = and(&[("content-length", "5")]);
    post[0].1 = "POST";
    refused
        .chain([
            passes("RFC9113-8.1-BASELINE", &GET, "", "GET /"),
            passes("RFC9113-8.1-BODY", &post, "hello", "POST / hello")
                .service_sees(&["\r\ncontent-length: 5\r\n"]),
            passes("RFC9113-8.1-GET-WITH-BODY", &GET, "hello", "GET / hello"),
            passes(
                "RFC9113-8.2.3-COOKIE-CRUMBS",
                &and(&[("cookie", "a=1"), ("cookie", "b=2")]),
                "",
                "GET /",
            )
            .service_sees(&["\r\ncookie: a=1; b=2\r\n"]),
            passes(
                "RFC9113-8.2.2-TE-TRAILERS",
                &and(&[("te", "trailers")]),
                "",
                "GET /",
            )
            .service_sees(&["\r\nte: trailers\r\n"]),
            passes(
                "RFC9113-8.3.1-HOST-SAME",
                &and(&[("host", "shop.example")]),
                "",
                "GET /",
            )
            .service_sees(&["\r\nx-forwarded-host: shop.example\r\n"]),
            passes(
                "RFC9113-8.2.1-FORGED",
                &and(&[("x-forwarded-for", "10.9.8.7"), ("x-user-id", "10.9.8.7")]),
                "",
                "GET /",
            )
            .service_never_sees(&["10.9.8.7"]),
        ])
        .collect()
}

/// What must end, or be borne; the next client of each row is served.
fn floods() -> Vec<Row> {
    let flood = |id, rfc, bytes: Vec<u8>| Row::new(id, rfc, bytes).over_http2();
    let ends = |row: Row| row.answers(&["closed"]).end(End::Closed).may_break_off();
    let bears = |row: Row| row.answers(&["200"]).forwards(&["GET /"]);
    let begun = || [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let of = |one: Vec<u8>, count: usize| [begun(), one.repeat(count)].concat();
    let get = || block(&GET);

    let mut continued = [begun(), frame(HEADERS, END_STREAM, 1, &get())].concat();
    continued.extend(frame(CONTINUATION, 0, 1, &block(&[("x", "evil")])).repeat(20_000));
    let mut empty = [begun(), frame(HEADERS, END_STREAM, 1, &get())].concat();
    empty.extend(frame(CONTINUATION, 0, 1, &[]).repeat(20_000));
    let mut reset = begun();
    let mut unclosed = begun();
    for stream in (1..8_001).step_by(2) {
        reset.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &get()));
        reset.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        // The server resets this one itself: a window that overflows.
        unclosed.extend(frame(HEADERS, END_HEADERS, stream, &get()));
        unclosed.extend(frame(
            WINDOW_UPDATE,
            0,
            stream,
            &0x7fff_ffff_u32.to_be_bytes(),
        ));
    }
    let large = "a".repeat(16_000);
    let mut bomb = [begun(), frame(HEADERS, END_STREAM, 1, &get())].concat();
    for _ in 0..40 {
        bomb.extend(frame(CONTINUATION, 0, 1, &long_field("x", &large)));
    }
    bomb.extend(frame(CONTINUATION, END_HEADERS, 1, &[]));
    let mut settings = of(frame(SETTINGS, 0, 0, &[]), 10_000);
    settings.extend(whole(1));
    let mut pings = of(frame(PING, 0, 0, &[0; 8]), 10_000);
    pings.extend(whole(1));
    let mut nothing = [
        begun(),
        frame(HEADERS, END_HEADERS, 1, &block(&with(0, "POST"))),
    ]
    .concat();
    nothing.extend(frame(DATA, 0, 1, &[]).repeat(20_000));
    let zero = [
        PREFACE,
        &frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]),
        &whole(1),
    ]
    .concat();
    vec![
        ends(flood("CVE-2024-27316", "CVE-2024-27316", continued)),
        ends(flood("CVE-2024-27316-EMPTY", "CVE-2024-27316", empty)),
        ends(flood("CVE-2023-44487", "CVE-2023-44487", reset)),
        ends(flood("CVE-2025-8671", "CVE-2025-8671", unclosed)),
        bears(flood("CVE-2019-9515", "CVE-2019-9515", settings)),
        bears(flood("CVE-2019-9512", "CVE-2019-9512", pings)),
        ends(flood("CVE-2019-9518", "CVE-2019-9518", nothing)),
        flood("CVE-2016-1544", "CVE-2016-1544", bomb)
            .may_break_off()
            .answers(&["431"])
            .answers(&["other"])
            .answers(&["reset"])
            .answers(&["closed"]),
        // The head of the answer needs no window.
        Row::new("CVE-2019-9517", "CVE-2019-9517", zero)
            .over_http2()
            .answers(&["200"])
            .forwards(&["GET /"]),
        ends(flood(
            "RFC9113-6.5.2-WINDOW-TOO-LARGE",
            "RFC 9113 6.5.2",
            [
                PREFACE,
                &frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
            ]
            .concat(),
        )),
        ends(flood(
            "RFC9113-6.9-WINDOW-UPDATE-ZERO",
            "RFC 9113 6.9",
            [begun(), frame(WINDOW_UPDATE, 0, 0, &[0; 4])].concat(),
        )),
        ends(flood(
            "RFC9113-5.1.1-EVEN-STREAM",
            "RFC 9113 5.1.1",
            [begun(), whole(2)].concat(),
        )),
        ends(flood(
            "RFC9113-4.2-FRAME-TOO-LARGE",
            "RFC 9113 4.2",
            [begun(), frame(DATA, 0, 1, &[0; 20_000])].concat(),
        )),
        ends(flood(
            "RFC9113-6.1-DATA-ON-NO-STREAM",
            "RFC 9113 6.1",
            [begun(), frame(DATA, 0, 0, b"evil")].concat(),
        )),
        ends(flood(
            "RFC9113-6.6-PUSH-PROMISE",
            "RFC 9113 8.4",
            [begun(), frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])].concat(),
        )),
        ends(flood(
            "RFC7541-5.2-BAD-BLOCK",
            "RFC 7541 5.2",
            [
                begun(),
                frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff; 9]),
            ]
            .concat(),
        )),
    ]
}

/// Services that answer over HTTP/2 what no honest service does, for a client of HTTP/1.1.
fn services() -> Vec<Row> {
    const RFC: &str = "RFC 9113 8.1.1";
    let fails = |id, frames: Vec<u8>| Row::of_http2_service(id, RFC, frames).answers(&["502"]);
    let answers = |id, fields: &[(&str, &str)], body: &str| {
        Row::of_http2_service(id, RFC, answer(1, fields, body))
    };
    let refused = |id, fields: &[(&str, &str)]| {
        let row = answers(id, fields, "hello").answers(&["502"]);
        row.client_never_sees(&["evil"])
    };
    // Whatever the client has got of it, perhaps nothing, it does not look whole.
    let cut = |row: Row| {
        let row = row.answers(&["502"]).answers(&[]).end(End::Either);
        row.answers(&["200~"]).answers(&["200 hello~"])
    };
    let ok = block(&[(":status", "200")]);
    let mut reset = frame(HEADERS, END_HEADERS, 1, &ok);
    reset.extend(frame(DATA, 0, 1, b"hello"));
    reset.extend(frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes()));
    let mut continued = frame(HEADERS, END_STREAM, 1, &ok);
    continued.extend(frame(CONTINUATION, 0, 1, &block(&[("x", "evil")])).repeat(20_000));
    let mut trailing = frame(HEADERS, END_HEADERS, 1, &ok);
    trailing.extend(frame(DATA, 0, 1, b"hello"));
    let fields = block(&[("set-cookie", "evil=1"), ("content-length", "9")]);
    trailing.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields));
    let away = [0, 0, 0, 0, 0, 0, 0, 0];
    vec![
        answers("RFC9113-8.1-RESPONSE", &[("content-length", "5")], "hello")
            .answers(&["200 hello"])
            .end(End::Open),
        cut(answers(
            "RFC9113-8.1.1-RESPONSE-SHORT",
            &[("content-length", "9")],
            "hello",
        )),
        cut(answers(
            "RFC9113-8.1.1-RESPONSE-LONG",
            &[("content-length", "3")],
            "hello",
        ))
        .answers(&["200 hel~"]),
        cut(Row::of_http2_service(
            "RFC9113-8.1-RESPONSE-RESET",
            RFC,
            reset,
        )),
        Row::of_http2_service("RFC9113-8.1-RESPONSE-TRAILERS", RFC, trailing)
            .answers(&["200 hello"])
            .client_never_sees(&["evil"]),
        refused(
            "RFC9113-8.2.2-RESPONSE-CONNECTION",
            &[("connection", "evil")],
        ),
        refused(
            "RFC9113-8.2.2-RESPONSE-TRANSFER-ENCODING",
            &[("transfer-encoding", "chunked")],
        ),
        refused(
            "RFC9113-8.2.1-RESPONSE-CRLF",
            &[("x", "a\r\nset-cookie: evil=1")],
        ),
        refused("RFC9113-8.2.1-RESPONSE-NUL", &[("x", "evil\0")]),
        refused("RFC9113-8.2.1-RESPONSE-UPPERCASE", &[("X-Evil", "1")]),
        // The library underneath takes it, and drops it.
        refused("RFC9113-8.3.2-RESPONSE-PSEUDO", &[(":path", "/evil")]).answers(&["200 hello"]),
        fails(
            "RFC9113-8.3.2-RESPONSE-NO-STATUS",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[("x", "1")])),
        ),
        fails(
            "RFC9113-8.6-RESPONSE-101",
            frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                1,
                &block(&[(":status", "101")]),
            ),
        ),
        fails(
            "RFC9113-8.4-RESPONSE-PUSH",
            frame(
                PUSH_PROMISE,
                END_HEADERS,
                1,
                &[&[0, 0, 0, 2][..], &block(&GET)].concat(),
            ),
        ),
        fails("RFC9113-10.5-RESPONSE-CONTINUATIONS", continued),
        fails(
            "RFC9113-4.2-RESPONSE-FRAME-TOO-LARGE",
            frame(DATA, 0, 1, &[0; 20_000]),
        ),
        // Above the last stream that it names nothing was done: the request goes to another connection.
        Row::of_http2_service(
            "RFC9113-6.8-RESPONSE-GOAWAY",
            RFC,
            frame(GOAWAY, 0, 0, &away),
        )
        .answers(&["200 control"]),
    ]
}

/// An answer, which may say a length that is not the body's.
pub(super) fn answer(stream: u32, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut all = vec![(":status", "200")];
    all.extend_from_slice(fields);
    let mut frames = frame(HEADERS, END_HEADERS, stream, &block(&all));
    frames.extend(frame(DATA, END_STREAM, stream, body.as_bytes()));
    frames
}

/// A request of one stream, with its preface.
fn request(fields: &[(&str, &str)], data: &str) -> Vec<u8> {
    let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let last = if data.is_empty() { END_STREAM } else { 0 };
    bytes.extend(frame(HEADERS, END_HEADERS | last, 1, &block(fields)));
    if !data.is_empty() {
        bytes.extend(frame(DATA, END_STREAM, 1, data.as_bytes()));
    }
    bytes
}

fn whole(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(&GET))
}

/// Fields of a request as HPACK has them, none of them checked.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields
        .iter()
        .flat_map(|(name, value)| long_field(name, value))
        .collect()
}

/// A literal that is not indexed, with a name of its own (RFC 7541 section 6.2.2).
fn long_field(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        let mut len = text.len();
        if len < 127 {
            block.push(u8::try_from(len).unwrap());
        } else {
            // RFC 7541 section 5.1, with a prefix of 7 bits.
            block.push(127);
            len -= 127;
            while len >= 128 {
                block.push(u8::try_from(len % 128).unwrap() | 128);
                len /= 128;
            }
            block.push(u8::try_from(len).unwrap());
        }
        block.extend_from_slice(text.as_bytes());
    }
    block
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = len[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Sends a row and reads how it ends: answered, reset, or with the connection.
pub(super) async fn talk(addr: SocketAddr, row: &Row) -> Got {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sends = row.sends.clone();
    let sending = msf_core::task::spawn("frames", async move {
        let _sent = write.write_all(&sends).await;
        write
    });
    let waits_for_end = row.end == End::Closed;
    let end = async {
        let mut head = [0; 9];
        while read.read_exact(&mut head).await.is_ok() {
            let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; len];
            if read.read_exact(&mut payload).await.is_err() {
                break;
            }
            match head[3] {
                HEADERS if !waits_for_end => return status(&payload),
                RST_STREAM if !waits_for_end => return "reset",
                GOAWAY => return "closed",
                _ => {}
            }
        }
        "closed"
    };
    let answer = time::timeout(PATIENCE, end).await.unwrap_or("nothing");
    drop(sending);
    Got {
        answers: vec![answer.to_owned()],
        end: (answer == "closed").then_some(End::Closed),
        ..Got::default()
    }
}

/// Of the answers that HPACK has in its table, which one it is.
fn status(block: &[u8]) -> &'static str {
    // The table may be resized first.
    let first = block.iter().find(|byte| **byte & 0xe0 != 0x20);
    match first {
        Some(0x88) => "200",
        Some(0x8c) => "400",
        Some(0x8d) => "404",
        Some(0x8e) => "500",
        _ => "other",
    }
}

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

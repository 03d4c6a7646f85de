//! Fields: how they are written, and which of them go on.

use super::row::{End, Row};

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n")
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = malformed();
    rows.extend(of_connection());
    rows.extend(of_the_inside());
    rows
}

fn malformed() -> Vec<Row> {
    const RFC: &str = "RFC 9112 5";
    let refused = [
        ("RFC9112-5.1-OBS-FOLD", "x-test: value\r\n continued"),
        ("RFC9110-5.6.2-SP-BEFORE-COLON", "x-test : value"),
        ("SMUG-BARE-CR-HEADER-VALUE", "x-test: val\rue"),
        ("RFC9112-5-EMPTY-HEADER-NAME", ": empty-name"),
        ("RFC9112-5-INVALID-HEADER-NAME", "bad[name: value"),
        ("RFC9112-5-HEADER-NO-COLON", "NoColonHere"),
        ("MAL-CONTROL-CHARS-HEADER", "x-test: abc\u{7}\u{8}\u{b}def"),
        ("MAL-NUL-IN-HEADER-VALUE", "x-test: val\0ue"),
        ("MAL-NON-ASCII-HEADER-NAME", "x-t\u{e9}st: value"),
        ("NORM-TAB-IN-NAME", "content\tlength: 99"),
        ("NORM-SP-BEFORE-COLON-CL", "content-length : 5"),
    ];
    let refused = refused.map(|(id, field)| Row::new(id, RFC, get(field)).refused("400"));
    refused
        .into_iter()
        .chain([
            Row::new(
                "COMP-WHITESPACE-BEFORE-HEADERS",
                "RFC 9112 2.2",
                "GET / HTTP/1.1\r\n \r\nhost: a\r\n\r\n",
            )
            .refused("400"),
            // A line may end with a line feed alone; the service gets both.
            Row::new(
                "RFC9112-2.2-BARE-LF-HEADER",
                "RFC 9112 2.2",
                "GET / HTTP/1.1\r\nhost: a\nx-test: value\r\n\r\n",
            )
            .passes("GET /")
            .service_sees(&["\r\nx-test: value\r\n"]),
            Row::new(
                "RFC9110-5.5-OBS-TEXT",
                "RFC 9110 5.5",
                get("x-test: caf\u{e9}"),
            )
            .answers(&["200 ok"])
            .forwards(&["GET /"])
            .service_sees(&["x-test: caf\u{e9}"]),
        ])
        .collect()
}

/// What concerns the client's own connection ends here.
fn of_connection() -> Vec<Row> {
    const RFC: &str = "RFC 9110 7.6.1";
    let passes = |id, fields: &str| Row::new(id, RFC, get(fields)).passes("GET /");
    vec![
        passes(
            "RFC9110-7.6.1-HOP-BY-HOP",
            "keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nproxy-authorization: Basic eDp5\r\n\
                te: gzip;q=0.5",
        )
        .service_never_sees(&["keep-alive", "proxy-", "gzip", "\r\nte:"]),
        passes(
            "RFC9110-7.6.1-LISTED",
            "connection: X-One , keep-alive,x-two\r\nconnection: x-three\r\nx-one: evil\r\nx-two: evil\r\n\
                x-three: evil",
        )
        .service_never_sees(&["evil", "connection"]),
        // The client has nothing removed that the service or the gateway relies on.
        passes(
            "CVE-2024-45410",
            "connection: x-forwarded-for, x-forwarded-host, authorization, cookie, host, via, close2\r\n\
                authorization: Bearer t\r\ncookie: a=b\r\nx-forwarded-for: 10.0.0.1",
        )
        .service_sees(&[
            "\r\nx-forwarded-for: 127.0.0.1\r\n",
            "\r\nx-forwarded-host: a\r\n",
            "\r\nauthorization: bearer t\r\n",
            "\r\ncookie: a=b\r\n",
            "\r\nvia: 1.1 msf-gateway\r\n",
        ])
        .service_never_sees(&["10.0.0.1"]),
        // What would become a connection of HTTP/2 past all routes and policies.
        passes(
            "RFC9113-3.1-H2C-UPGRADE",
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk",
        )
        .service_never_sees(&["h2c", "http2-settings", "upgrade"]),
        passes(
            "COMP-UPGRADE-UNKNOWN",
            "connection: upgrade\r\nupgrade: totally-made-up/1.0",
        )
        .service_never_sees(&["totally-made-up"]),
        passes(
            "COMP-UPGRADE-MISSING-CONN",
            "upgrade: websocket\r\nsec-websocket-version: 13",
        )
        .service_never_sees(&["\r\nupgrade:"]),
        Row::new(
            "COMP-UPGRADE-HTTP10",
            "RFC 9110 7.8",
            "GET / HTTP/1.0\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        )
        .answers(&["200 ok"])
        .forwards(&["GET /"])
        .end(End::Closed)
        .service_never_sees(&["\r\nupgrade:"]),
        passes("RFC9110-10.1.4-TE-TRAILERS", "te: trailers, gzip")
            .service_sees(&["\r\nte: trailers\r\n", "\r\nconnection: te\r\n"]),
    ]
}

/// What only the inside may say.
fn of_the_inside() -> Vec<Row> {
    let passes = |id, rfc, fields: &str| Row::new(id, rfc, get(fields)).passes("GET /");
    vec![
        passes(
            "RFC7239-8.1-FORWARDED-FORGED",
            "RFC 7239 8.1",
            "x-forwarded-for: 10.9.8.7\r\nforwarded: for=10.9.8.7\r\nx-real-ip: 10.9.8.7\r\n\
                x-forwarded-proto: evil\r\nx-forwarded-prefix: /evil\r\nx-client-ip: 10.9.8.7\r\n\
                true-client-ip: 10.9.8.7",
        )
        .service_sees(&["\r\nx-forwarded-for: 127.0.0.1\r\n", "\r\nx-forwarded-proto: http\r\n"])
        .service_never_sees(&["10.9.8.7", "evil"]),
        passes(
            "CVE-2026-33433",
            "CVE-2026-33433",
            "x_forwarded_for: evil\r\nx-user_id: evil\r\nauthorization_: evil",
        )
        .service_never_sees(&["evil"]),
        passes(
            "RFC9110-17-IDENTITY-FORGED",
            "RFC 9110 17",
            "x-user-id: evil\r\nx-roles: evil\r\nx-forwarded-client-cert: evil\r\nx-original-url: /evil\r\n\
                x-http-method-override: EVIL\r\nremote-user: evil",
        )
        .service_never_sees(&["evil"]),
        passes("RFC9110-7.6.3-VIA", "RFC 9110 7.6.3", "via: 1.0 fred")
            .service_sees(&["\r\nvia: 1.0 fred\r\n", "\r\nvia: 1.1 msf-gateway\r\n"]),
        passes("RFC9113-8.2.3-COOKIES", "RFC 9113 8.2.3", "cookie: a=1\r\ncookie: b=2")
            .service_sees(&["\r\ncookie: a=1; b=2\r\n"]),
        // What a service and its clients agree on is none of the gateway's business.
        passes(
            "RFC9110-8.4-CODING-UNTOUCHED",
            "RFC 9110 8.4",
            "accept-encoding: br\r\nif-none-match: W/\"1\"\r\nrange: bytes=0-1\r\ncache-control: no-transform",
        )
        .served(
            "HTTP/1.1 206 Partial Content\r\ncontent-encoding: br\r\nvary: accept-encoding\r\n\
                etag: W/\"1\"\r\ncontent-range: bytes 0-1/9\r\ncache-control: no-transform\r\n\
                content-length: 2\r\n\r\nok",
        )
        .service_sees(&[
            "\r\naccept-encoding: br\r\n",
            "\r\nif-none-match: w/\"1\"\r\n",
            "\r\nrange: bytes=0-1\r\n",
            "\r\ncache-control: no-transform\r\n",
        ])
        .client_sees(&[
            "\r\ncontent-encoding: br\r\n",
            "\r\nvary: accept-encoding\r\n",
            "\r\netag: w/\"1\"\r\n",
            "\r\ncontent-range: bytes 0-1/9\r\n",
            "\r\ncache-control: no-transform\r\n",
        ])
        .answers(&["206 ok"]),
        // The last answer that a chain of this many gives.
        Row::new(
            "RFC9110-7.6.3-LOOP",
            "RFC 9110 7.6.3",
            get(&vec!["via: 1.1 msf-gateway, 1.1 other"; 16].join("\r\n")),
        )
        .answers(&["508"])
        .client_sees(&["application/problem+json"]),
        passes(
            "RFC9110-7.6.3-CHAIN",
            "RFC 9110 7.6.3",
            "via: 1.1 msf-gateway, 1.1 other (msf-gateway)\r\nvia: 2.0 msf-gateway",
        ),
    ]
}

//! Headers of both versions: by table, cut anywhere, and of any bytes.

use proptest::prelude::*;

use super::*;

/// A header of version 2.
fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let len = u16::try_from(block.len()).unwrap().to_be_bytes();
    [V2_SIGNATURE, &[0x20 | command, family], &len, block].concat()
}

fn v4_block() -> Vec<u8> {
    let mut block = vec![203, 0, 113, 9, 10, 0, 0, 1];
    block.extend_from_slice(&4711_u16.to_be_bytes());
    block.extend_from_slice(&443_u16.to_be_bytes());
    block
}

fn complete(bytes: &[u8], said: Said) -> Result<Parsed, InvalidHeader> {
    Ok(Parsed::Complete {
        len: bytes.len(),
        said,
    })
}

fn client(text: &str) -> Said {
    Said::Client(text.parse().unwrap())
}

#[test]
fn a_line_says_who_the_client_is() {
    for (line, said) in [
        (
            "PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n",
            client("203.0.113.9:4711"),
        ),
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            client("255.255.255.255:65535"),
        ),
        (
            "PROXY TCP6 2001:db8::7 ::1 0 443\r\n",
            client("[2001:db8::7]:0"),
        ),
        ("PROXY UNKNOWN\r\n", Said::Nothing),
        (
            "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
            Said::Nothing,
        ),
    ] {
        let bytes = line.as_bytes();
        assert_eq!(parse(bytes), complete(bytes, said), "{line:?}");
    }
    let longest = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert_eq!(longest.len(), V1_LEN_MAX);
    assert_eq!(
        parse(longest.as_bytes()),
        complete(longest.as_bytes(), Said::Nothing)
    );
}

#[test]
fn a_line_that_is_not_exactly_so_is_refused() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
        "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2  2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
        "PROXY TCP4 1.1.1.1\t2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 \u{e9}\r\n",
    ] {
        assert!(parse(line.as_bytes()).is_err(), "{line:?}");
    }
    let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'a'; 200]].concat();
    assert_eq!(parse(&endless[..V1_LEN_MAX - 1]), Ok(Parsed::Partial));
    assert_eq!(parse(&endless), Err(InvalidHeader::Length));
    // The end of the line comes too late.
    let late = [b"PROXY UNKNOWN ".as_slice(), &[b'a'; 92], b"\r\n"].concat();
    assert_eq!(parse(&late), Err(InvalidHeader::Length));
}

#[test]
fn a_block_says_who_the_client_is() {
    let v4 = v2(1, 0x11, &v4_block());
    assert_eq!(parse(&v4), complete(&v4, client("203.0.113.9:4711")));

    let mut block = "2001:db8::7".parse::<Ipv6Addr>().unwrap().octets().to_vec();
    block.extend_from_slice(&[0; 16]);
    block.extend_from_slice(&[1, 2, 3, 4]);
    let v6 = v2(1, 0x21, &block);
    assert_eq!(parse(&v6), complete(&v6, client("[2001:db8::7]:258")));
    // Too short for its family.
    assert_eq!(
        parse(&v2(1, 0x21, &block[..35])),
        Err(InvalidHeader::Address)
    );
}

#[test]
fn extensions_are_skipped() {
    let block = [v4_block(), vec![0x04, 0, 3, 1, 2, 3, 0xEA, 0xFF, 0xFF]].concat();
    let header = v2(1, 0x11, &block);
    assert_eq!(
        parse(&header),
        complete(&header, client("203.0.113.9:4711"))
    );
}

#[test]
fn connections_of_the_balancer_say_nothing() {
    for header in [
        v2(0, 0x00, &[]),
        // The block of a LOCAL connection, its family included, is to be ignored.
        v2(0, 0x11, &v4_block()),
        v2(0, 0xFF, &[1]),
        v2(1, 0x00, &[1, 2, 3]),
        v2(1, 0x31, &[0; 216]),
    ] {
        assert_eq!(parse(&header), complete(&header, Said::Nothing));
    }
}

#[test]
fn other_blocks_are_refused_as_soon_as_they_are_known() {
    let head = |version: u8, family: u8, len: u16| {
        let len = len.to_be_bytes();
        [V2_SIGNATURE, &[version, family], &len].concat()
    };
    for (bytes, error) in [
        (head(0x11, 0x11, 12), InvalidHeader::Version),
        (head(0x31, 0x11, 12), InvalidHeader::Version),
        (head(0x22, 0x11, 12), InvalidHeader::Command),
        (head(0x21, 0x12, 12), InvalidHeader::Family),
        (head(0x21, 0x41, 12), InvalidHeader::Family),
        (head(0x21, 0x11, 11), InvalidHeader::Address),
        (head(0x21, 0x11, 4_081), InvalidHeader::Length),
        (head(0x20, 0x00, u16::MAX), InvalidHeader::Length),
    ] {
        assert_eq!(parse(&bytes), Err(error), "{bytes:?}");
    }
    assert_eq!(parse(&head(0x21, 0x11, 4_080)), Ok(Parsed::Partial));
    // A signature that is almost one.
    let mut almost = V2_SIGNATURE.to_vec();
    almost[11] = b'\r';
    assert_eq!(parse(&almost), Err(InvalidHeader::Missing));
}

fn valid() -> impl Strategy<Value = (Vec<u8>, Said)> {
    let v1 = (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| {
        let client = SocketAddr::new(ip.into(), port);
        let line = format!("PROXY TCP4 {} 10.0.0.1 {port} 443\r\n", client.ip());
        (line.into_bytes(), Said::Client(client))
    });
    let v1_v6 = (any::<[u8; 16]>(), any::<u16>()).prop_map(|(ip, port)| {
        let client = SocketAddr::new(ip.into(), port);
        let line = format!("PROXY TCP6 {} ::1 {port} 443\r\n", client.ip());
        (line.into_bytes(), Said::Client(client))
    });
    let block = (
        any::<[u8; 4]>(),
        any::<u16>(),
        proptest::collection::vec(any::<u8>(), 0..300),
    );
    let v2 = block.prop_map(|(ip, port, extensions)| {
        let mut block = ip.to_vec();
        block.extend_from_slice(&[10, 0, 0, 1]);
        block.extend_from_slice(&port.to_be_bytes());
        block.extend_from_slice(&[1, 187]);
        block.extend_from_slice(&extensions);
        let said = Said::Client(SocketAddr::new(ip.into(), port));
        (v2(1, 0x11, &block), said)
    });
    prop_oneof![v1, v1_v6, v2]
}

proptest! {
    #[test]
    fn a_header_ends_where_it_ends((header, said) in valid(), rest in proptest::collection::vec(any::<u8>(), 0..80)) {
        let bytes = [header.clone(), rest].concat();
        prop_assert_eq!(parse(&bytes), complete(&header, said));
        // However the bytes come in, no beginning is more than a beginning.
        for len in 0..header.len() {
            prop_assert_eq!(parse(&header[..len]), Ok(Parsed::Partial), "{}", len);
        }
    }

    #[test]
    fn any_bytes_are_bounded(
        mark in prop_oneof![Just(V1_PREFIX), Just(V2_SIGNATURE), Just(&b""[..])],
        rest in proptest::collection::vec(any::<u8>(), 0..6_000),
    ) {
        let bytes = [mark, &rest].concat();
        match parse(&bytes) {
            Ok(Parsed::Complete { len, .. }) => prop_assert!(len <= bytes.len() && len <= V2_LEN_MAX),
            Ok(Parsed::Partial) => prop_assert!(bytes.len() < V2_LEN_MAX),
            Err(_) => {}
        }
    }
}

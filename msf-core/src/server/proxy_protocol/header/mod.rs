//! The header itself: bytes in, an address out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a header says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Said {
    /// It is of this client.
    Client(SocketAddr),
    /// It is the balancer's own, or of somebody without an address.
    Nothing,
}

/// How far the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// The header is as long as this.
    Complete { len: usize, said: Said },
    /// All of these bytes belong to it, and more is to come.
    Partial,
}

/// Bytes that do not begin with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::server) enum InvalidHeader {
    #[error("the addresses are not what the header says they are")]
    Address,
    #[error("the command is neither LOCAL nor PROXY")]
    Command,
    #[error("the connection is of a family that is not known, or not over TCP")]
    Family,
    #[error("it is too long")]
    Length,
    #[error("there is none")]
    Missing,
    #[error("the version is not 2")]
    Version,
}

/// Looks at what has arrived so far, from the first byte of the connection on.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, InvalidHeader> {
    if begins(bytes, V2_SIGNATURE) {
        parse_v2(bytes)
    } else if begins(bytes, V1_PREFIX) {
        parse_v1(bytes)
    } else {
        Err(InvalidHeader::Missing)
    }
}

/// Whether the bytes are a prefix of the mark, or begin with it.
fn begins(bytes: &[u8], mark: &[u8]) -> bool {
    let len = bytes.len().min(mark.len());
    bytes[..len] == mark[..len]
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, InvalidHeader> {
    let searched = &bytes[..bytes.len().min(V1_LEN_MAX)];
    let Some(newline) = searched.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < V1_LEN_MAX {
            Ok(Parsed::Partial)
        } else {
            Err(InvalidHeader::Length)
        };
    };
    let line = searched[..newline]
        .strip_suffix(b"\r")
        .and_then(|line| std::str::from_utf8(line).ok())
        .ok_or(InvalidHeader::Address)?;
    Ok(Parsed::Complete {
        len: newline + 1,
        said: said_v1(line)?,
    })
}

fn said_v1(line: &str) -> Result<Said, InvalidHeader> {
    let mut fields = line.split(' ');
    let [_proxy, family] = [fields.next(), fields.next()];
    let is_v6 = match family {
        // What else stands there is to be ignored.
        Some("UNKNOWN") => return Ok(Said::Nothing),
        Some("TCP4") => false,
        Some("TCP6") => true,
        _ => return Err(InvalidHeader::Family),
    };
    let address = |text: Option<&str>| -> Option<IpAddr> {
        if is_v6 {
            text?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        } else {
            text?.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
        }
    };
    let [source, target] = [address(fields.next()), address(fields.next())];
    let [source_port, target_port] = [port(fields.next()), port(fields.next())];
    match (source, target, source_port, target_port, fields.next()) {
        (Some(source), Some(_), Some(port), Some(_), None) => {
            Ok(Said::Client(SocketAddr::new(source, port)))
        }
        _ => Err(InvalidHeader::Address),
    }
}

/// Digits without a sign or a leading zero.
fn port(text: Option<&str>) -> Option<u16> {
    let text = text?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    if is_plain && is_short {
        text.parse().ok()
    } else {
        None
    }
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, InvalidHeader> {
    let byte = |at: usize| bytes.get(at).copied();
    let Some(version_and_command) = byte(12) else {
        return Ok(Parsed::Partial);
    };
    if version_and_command >> 4 != 2 {
        return Err(InvalidHeader::Version);
    }
    let is_local = match version_and_command & 0xF {
        0 => true,
        1 => false,
        _ => return Err(InvalidHeader::Command),
    };
    let (Some(family), Some(high), Some(low)) = (byte(13), byte(14), byte(15)) else {
        return Ok(Parsed::Partial);
    };
    let len = V2_HEAD_LEN + usize::from(u16::from_be_bytes([high, low]));
    if len > V2_LEN_MAX {
        return Err(InvalidHeader::Length);
    }
    let family = match family {
        _ if is_local => Family::Nothing,
        0x00 => Family::Nothing,
        0x11 => Family::V4,
        0x21 => Family::V6,
        0x31 => Family::Unix,
        _ => return Err(InvalidHeader::Family),
    };
    if len < V2_HEAD_LEN + family.addresses_len() {
        return Err(InvalidHeader::Address);
    }
    // What follows the addresses are extensions.
    let Some(block) = bytes.get(V2_HEAD_LEN..len) else {
        return Ok(Parsed::Partial);
    };
    Ok(Parsed::Complete {
        len,
        said: family.client(block).map_or(Said::Nothing, Said::Client),
    })
}

#[derive(Clone, Copy)]
enum Family {
    Nothing,
    V4,
    V6,
    Unix,
}

impl Family {
    /// Two addresses, and two ports where there are any.
    const fn addresses_len(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::V4 => 12,
            Self::V6 => 36,
            Self::Unix => 216,
        }
    }

    fn client(self, block: &[u8]) -> Option<SocketAddr> {
        let (ip, port) = match self {
            Self::Nothing | Self::Unix => return None,
            Self::V4 => (IpAddr::from(*block.first_chunk::<4>()?), block.get(8..10)?),
            Self::V6 => (
                IpAddr::from(*block.first_chunk::<16>()?),
                block.get(32..34)?,
            ),
        };
        Some(SocketAddr::new(
            ip,
            u16::from_be_bytes(*port.first_chunk()?),
        ))
    }
}

const V1_PREFIX: &[u8] = b"PROXY ";
/// The longest line with its end, by the specification.
const V1_LEN_MAX: usize = 107;
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_HEAD_LEN: usize = 16;
/// Addresses take 36 bytes; cloud balancers add less than a hundred bytes of their own.
const V2_LEN_MAX: usize = 4 << 10;

#[cfg(test)]
mod tests;

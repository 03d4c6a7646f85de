//! The two messages of `grpc.health.v1`, written and read by hand: they have one field each.

use bytes::{BufMut, Bytes, BytesMut};

/// What an instance says about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServingStatus {
    Unknown,
    Serving,
    NotServing,
    ServiceUnknown,
    /// A number that the protocol does not define.
    Other,
}

/// Not an answer of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the message is compressed, which was not asked for")]
    Compressed,
    #[error("the message ends early or is followed by more")]
    Length,
    #[error("the message is no HealthCheckResponse")]
    Field,
}

impl ServingStatus {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "status UNKNOWN",
            Self::Serving => "status SERVING",
            Self::NotServing => "status NOT_SERVING",
            Self::ServiceUnknown => "status SERVICE_UNKNOWN",
            Self::Other => "a status that the protocol does not define",
        }
    }

    const fn of(number: u64) -> Self {
        match number {
            0 => Self::Unknown,
            1 => Self::Serving,
            2 => Self::NotServing,
            3 => Self::ServiceUnknown,
            _ => Self::Other,
        }
    }
}

/// `HealthCheckRequest { service }` with the prefix of a gRPC message. A field that is empty is left out, as
/// proto3 has it.
pub(super) fn request(service: &str) -> Bytes {
    let mut message = BytesMut::with_capacity(service.len() + 3);
    if !service.is_empty() {
        message.put_u8(SERVICE_TAG);
        put_varint(&mut message, service.len());
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(PREFIX_LEN + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(&message);
    framed.freeze()
}

/// Reads a `HealthCheckResponse` with its prefix. Fields that it does not know are skipped; of a field that
/// comes twice the last counts, as protobuf has it.
pub(super) fn response(framed: &[u8]) -> Result<ServingStatus, Malformed> {
    let Some((prefix, mut message)) = framed.split_first_chunk::<PREFIX_LEN>() else {
        return Err(Malformed::Length);
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err(Malformed::Compressed);
    }
    if u32::from_be_bytes(length) as usize != message.len() {
        return Err(Malformed::Length);
    }
    let mut status = ServingStatus::Unknown;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (0, _) => return Err(Malformed::Field),
            (STATUS_FIELD, 0) => status = ServingStatus::of(varint(&mut message)?),
            (STATUS_FIELD, _) => return Err(Malformed::Field),
            (_, wire_type) => skip(&mut message, wire_type)?,
        }
    }
    Ok(status)
}

fn skip(message: &mut &[u8], wire_type: u64) -> Result<(), Malformed> {
    let length = match wire_type {
        0 => return varint(message).map(|_any| ()),
        1 => 8,
        2 => varint(message)?,
        5 => 4,
        _ => return Err(Malformed::Field),
    };
    let length = usize::try_from(length).map_err(|_too_long| Malformed::Length)?;
    *message = message.get(length..).ok_or(Malformed::Length)?;
    Ok(())
}

fn varint(message: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().ok_or(Malformed::Length)?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed::Field)
}

fn put_varint(buffer: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        buffer.put_u8(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value.to_le_bytes()[0]);
}

/// Field 1, length-delimited.
const SERVICE_TAG: u8 = 0x0a;
const STATUS_FIELD: u64 = 1;
/// Compressed flag and length.
const PREFIX_LEN: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[0], &length[..], message].concat()
    }

    #[test]
    fn a_request_is_as_protoc_writes_it() {
        assert_eq!(&request("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&request("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = request(&"x".repeat(200));
        assert_eq!(&long[..8], [0, 0, 0, 0, 203, 0x0a, 0xc8, 0x01]);
    }

    #[test]
    fn a_response_is_read_as_protobuf_says() {
        for (message, expected) in [
            (&[][..], ServingStatus::Unknown),
            (&[0x08, 1], ServingStatus::Serving),
            (&[0x08, 2], ServingStatus::NotServing),
            (&[0x08, 3], ServingStatus::ServiceUnknown),
            (&[0x08, 9], ServingStatus::Other),
            // A varint may be longer than it has to be.
            (&[0x08, 0x81, 0x00], ServingStatus::Serving),
            // The last one counts; fields 2 to 5 of every wire type are skipped.
            (
                &[
                    0x08, 2, 0x10, 0x96, 0x01, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x22, 1, 9, 0x2d, 1,
                    2, 3, 4, 0x08, 1,
                ],
                ServingStatus::Serving,
            ),
        ] {
            assert_eq!(response(&framed(message)), Ok(expected), "{message:?}");
        }
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        for (bytes, expected) in [
            (vec![], Malformed::Length),
            (vec![0, 0, 0, 0], Malformed::Length),
            (vec![0, 0, 0, 0, 9, 0x08, 1], Malformed::Length),
            (vec![0, 0, 0, 0, 1, 0x08, 1], Malformed::Length),
            (vec![1, 0, 0, 0, 2, 0x08, 1], Malformed::Compressed),
            (framed(&[0x08]), Malformed::Length),
            (framed(&[0x0a, 0]), Malformed::Field),
            (framed(&[0x13]), Malformed::Field),
            (framed(&[0x00, 1]), Malformed::Field),
            (framed(&[0x12, 5, 1]), Malformed::Length),
            (framed(&[0x08; 41]), Malformed::Length),
            (framed(&[0xff; 40]), Malformed::Field),
            (
                framed(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
                Malformed::Length,
            ),
        ] {
            assert_eq!(response(&bytes), Err(expected), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _any = response(&bytes);
            let _any = response(&framed(&bytes));
        }
    }
}

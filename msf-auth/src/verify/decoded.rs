//! The three segments of a token as bytes.

use crate::token::{Compact, base64url};

/// Room for what usual tokens decode to, so that reading one allocates nothing.
pub(super) const SCRATCH_BYTES: usize = 2_048;

/// Decoded segments, in a buffer of the caller's.
pub(super) struct Decoded<'b> {
    pub(super) header: &'b [u8],
    pub(super) payload: &'b [u8],
    pub(super) signature: &'b [u8],
}

impl<'b> Decoded<'b> {
    /// `None` for a segment that is not base64url, or not the one text of its bytes.
    pub(super) fn new(
        parts: &Compact<'_>,
        scratch: &'b mut [u8; SCRATCH_BYTES],
        heap: &'b mut Vec<u8>,
    ) -> Option<Self> {
        let segments = [parts.header, parts.payload, parts.signature];
        let [header, payload, signature] = segments.map(|text| base64url::room(text.len()));
        let all = header + payload + signature;
        let buffer = if all <= SCRATCH_BYTES {
            scratch.as_mut_slice()
        } else {
            heap.resize(all, 0);
            heap.as_mut_slice()
        };
        let (header, rest) = buffer.split_at_mut(header);
        let (payload, rest) = rest.split_at_mut(payload);
        let (signature, _) = rest.split_at_mut(signature);
        Some(Self {
            header: base64url::decode_into(parts.header, header)?,
            payload: base64url::decode_into(parts.payload, payload)?,
            signature: base64url::decode_into(parts.signature, signature)?,
        })
    }
}

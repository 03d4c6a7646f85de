//! Three segments and two dots (RFC 7515 section 3.1).

/// The segments of a token, still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compact<'a> {
    /// What the signature covers: header, dot, payload.
    pub(crate) signing_input: &'a str,
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
}

impl<'a> Compact<'a> {
    /// `None` unless there are exactly three segments and none is empty.
    pub(crate) fn split(token: &'a str) -> Option<Self> {
        Self::split_message(token).filter(|compact| !compact.payload.is_empty())
    }

    /// As [`split`](Self::split), but the payload may be empty: a message can say all it has to by being signed.
    pub(crate) fn split_message(message: &'a str) -> Option<Self> {
        let (signing_input, signature) = message.rsplit_once('.')?;
        let (header, payload) = signing_input.split_once('.')?;
        let is_complete = !header.is_empty() && !signature.is_empty();
        (is_complete && !payload.contains('.')).then_some(Self {
            signing_input,
            header,
            payload,
            signature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_segments_and_no_other_number() {
        let compact = Compact::split("aa.bb.cc").unwrap();
        assert_eq!(compact.signing_input, "aa.bb");
        assert_eq!(
            (compact.header, compact.payload, compact.signature),
            ("aa", "bb", "cc")
        );
        for token in [
            "",
            ".",
            "..",
            "a.b",
            "a.b.",
            "a..c",
            ".b.c",
            "a.b.c.d",
            "a.b.c.d.e",
        ] {
            assert_eq!(Compact::split(token), None, "{token:?}");
            assert_eq!(Compact::split_message(token).is_some(), token == "a..c");
        }
    }
}

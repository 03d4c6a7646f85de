//! Rules of W3C Trace Context §3.2, one row each.

use proptest::prelude::*;

use super::{InvalidTraceParent as Error, *};
use crate::trace::{InvalidId, SpanId, TraceId};

const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// W3C Trace Context §3.2.2 (fields) and §3.2.4 (versions), one row for each rule.
#[test]
fn traceparent_follows_the_standard() {
    let accepted = [
        (GOOD, "01", "version 00"),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "00",
            "not sampled",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            "03",
            "level 2: random",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
            "03",
            "unknown bits",
        ),
        (
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01",
            "future version",
        ),
        (
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
            "01",
            "future flags",
        ),
        (
            "fe-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "01",
            "empty suffix",
        ),
        (
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-Ever",
            "01",
            "suffix",
        ),
    ];
    for (text, flags, rule) in accepted {
        let context = TraceContext::parse(text).unwrap_or_else(|error| panic!("{rule}: {error}"));
        assert_eq!(context.flags().to_string(), flags, "{rule}");
        assert_eq!(
            context.to_string()[..53],
            GOOD[..53],
            "{rule}: written as version 00"
        );
    }

    let refused = [
        ("", Error::Length, "empty"),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            Error::Length,
            "short",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            Error::Length,
            "00 suffix",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
            Error::Length,
            "00 suffix",
        ),
        (
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
            Error::Separator,
            "dash",
        ),
        (
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-012",
            Error::Separator,
            "dash",
        ),
        (
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Error::Version,
            "ff",
        ),
        (
            "FE-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Error::Version,
            "upper case",
        ),
        (
            ".0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Error::Version,
            "no hex",
        ),
        (
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Error::Separator,
            "dash",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e473600f067aa0ba902b7--01",
            Error::Separator,
            "dash",
        ),
        (
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            Error::TraceId(InvalidId::NotLowerHex),
            "upper case trace id",
        ),
        (
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            Error::TraceId(InvalidId::Zero),
            "zero trace id",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            Error::SpanId(InvalidId::NotLowerHex),
            "upper case parent id",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            Error::SpanId(InvalidId::Zero),
            "zero parent id",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-.0",
            Error::Flags,
            "flags",
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
            Error::Flags,
            "flags",
        ),
    ];
    for (text, reason, rule) in refused {
        assert_eq!(TraceContext::parse(text), Err(reason), "{rule}: {text}");
    }
}

#[test]
fn a_root_is_sampled_and_random() {
    let root = TraceContext::root();
    assert!(root.flags().sampled() && root.flags().random());
    assert!(size_of::<TraceContext>() <= 32);
}

proptest! {
    #[test]
    fn format_then_parse_is_identity(trace: [u8; 16], span: [u8; 8], bits: u8) {
        prop_assume!(trace != [0; 16] && span != [0; 8]);
        let context = TraceContext::new(
            TraceId::from_bytes(trace).unwrap(),
            SpanId::from_bytes(span).unwrap(),
            TraceFlags::from_bits(bits),
        );
        prop_assert_eq!(TraceContext::parse(&context.to_string()), Ok(context));
        let value = context.to_header_value();
        prop_assert_eq!(value.as_bytes(), &context.to_bytes()[..]);
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = TraceContext::parse_bytes(&bytes);
    }

    #[test]
    fn one_wrong_byte_never_panics(at in 0usize..55, byte: u8) {
        let mut text = GOOD.as_bytes().to_vec();
        text[at] = byte;
        let _ = TraceContext::parse_bytes(&text);
    }
}

//! What is around a token.

use http::{HeaderMap, HeaderValue, header};

use crate::{
    api_key::{ApiKeyId, text::parse},
    bearer::bearer_token,
    token::{Compact, base64url},
};

/// What is taken apart and decoded is, encoded and put together, the same text.
///
/// # Panics
///
/// When that is not so: then two texts would be one token.
pub fn compact(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let Some(parts) = Compact::split(text) else {
        return;
    };
    let segments = [parts.header, parts.payload, parts.signature];
    assert_eq!(segments.join("."), text);
    assert_eq!(parts.signing_input, segments[..2].join("."));
    for segment in segments {
        assert!(!segment.is_empty() && !segment.contains('.'));
        if let Some(bytes) = base64url::decode(segment) {
            assert_eq!(base64url::encode(&bytes), segment);
            let mut buffer = vec![0; base64url::room(segment.len())];
            assert_eq!(base64url::decode_into(segment, &mut buffer), Some(&*bytes));
        }
    }
}

/// What is taken for an API key is, put together from its parts, the same text, and found under one id.
///
/// # Panics
///
/// When that is not so.
pub fn api_key(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let Some(key) = parse(text) else {
        return;
    };
    let start = format!("msf_{}_{}_", key.environment, key.id);
    let secret = text
        .strip_prefix(&start)
        .expect("the parts are in their order");
    assert_eq!(secret.len(), 39);
    assert!(
        secret
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
    );
    assert_eq!(ApiKeyId::parse(key.id.as_str()), Some(key.id));
    assert_ne!(key.hash, [0; 32]);
    for other in [
        text.to_uppercase(),
        format!("{text}a"),
        format!("{text} "),
        format!("_{text}"),
    ] {
        assert!(parse(&other).is_none(), "no other text is this key");
    }
}

/// The token of a header is the end of it, one word, behind the one scheme.
///
/// # Panics
///
/// When that is not so.
pub fn bearer(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return;
    };
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.clone())]);
    if let Ok(Some(token)) = bearer_token(&headers) {
        let start = &data[..data.len() - token.len()];
        assert!(start.len() > 6 && start[..6].eq_ignore_ascii_case(b"Bearer"));
        assert!(start[6..].iter().all(|byte| *byte == b' '));
        assert!(data.ends_with(token.as_bytes()) && !token.is_empty());
        assert!(!token.contains(|c: char| c.is_whitespace() || c.is_control() || c == ','));
    }
    let mut twice = headers;
    twice.append(header::AUTHORIZATION, value);
    assert!(bearer_token(&twice).is_err(), "two headers are never one");
}

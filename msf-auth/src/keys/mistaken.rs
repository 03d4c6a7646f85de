//! Keys in place of secrets: the mistake that lets everybody sign who knows the public key.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose},
};

use super::{
    curve::Curve,
    der::{INTEGER, Reader, SEQUENCE},
};

/// Whether the bytes are a key in PEM, OpenSSH's form, JSON, DER, base64 of one of these, or an uncompressed point.
///
/// What has no form of its own (the 32 bytes of an Ed25519 key, the modulus of an RSA key) cannot be told from
/// a secret. Random bytes of 32 or more are refused with a chance of less than 1 in a million.
pub(super) fn is_key_document(secret: &[u8]) -> bool {
    is_text_of_key(secret) || is_der(secret) || is_point(secret) || is_base64_of_key(secret)
}

fn is_text_of_key(secret: &[u8]) -> bool {
    let text = String::from_utf8_lossy(secret);
    // The byte order mark and white space in front have fooled such checks before.
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    text.contains("-----BEGIN ")
        || OPENSSH.iter().any(|name| start.starts_with(name))
        || (start.starts_with(['{', '['])
            && (text.contains("\"kty\"") || text.contains("\"keys\"")))
}

const OPENSSH: [&str; 4] = ["ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-", "---- BEGIN SSH2"];

/// One sequence that is the whole and begins as SubjectPublicKeyInfo, RSAPublicKey, PKCS#8 and SEC 1 do, and
/// certificates.
fn is_der(bytes: &[u8]) -> bool {
    let mut document = Reader::new(bytes);
    let Some(content) = document.value(SEQUENCE) else {
        return false;
    };
    let starts_with = |tag| Reader::new(content).value(tag).is_some();
    document.end().is_some() && (starts_with(SEQUENCE) || starts_with(INTEGER))
}

fn is_point(bytes: &[u8]) -> bool {
    Curve::ALL.into_iter().any(|curve| {
        super::material::Material::ec_point(curve, bytes)
            .and_then(|point| point.parse(curve.algorithm()))
            .is_ok()
    })
}

fn is_base64_of_key(secret: &[u8]) -> bool {
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    let text: Vec<u8> = secret
        .iter()
        .copied()
        .filter(|byte| !is_space(byte))
        .collect();
    // Of PEM and JSON also: environments that take no line breaks have keys in base64.
    let decodes_to_key = |engine: &GeneralPurpose| {
        let decoded = engine.decode(&text);
        decoded.is_ok_and(|bytes| is_der(&bytes) || is_text_of_key(&bytes))
    };
    decodes_to_key(&GeneralPurpose::new(&STANDARD, ANY_PADDING))
        || decodes_to_key(&GeneralPurpose::new(&URL_SAFE, ANY_PADDING))
}

const ANY_PADDING: GeneralPurposeConfig = general_purpose::PAD
    .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

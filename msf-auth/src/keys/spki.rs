//! Public keys as SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7, RFC 3279, RFC 5480, RFC 8410) and in PEM.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    InvalidKey,
    curve::Curve,
    der::{self, BIT_STRING, NULL, OID, Reader, SEQUENCE},
    material::Material,
};

/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// An RSA key of 8192 bits has 1.5 KiB.
const PEM_BYTES_MAX: usize = 8 * 1024;

pub(super) fn decode(der: &[u8]) -> Result<Material, InvalidKey> {
    read(der).unwrap_or(Err(InvalidKey::Rejected))
}

/// `None` for what is not this kind of document.
fn read(der: &[u8]) -> Option<Result<Material, InvalidKey>> {
    let mut document = Reader::new(der);
    let mut info = Reader::new(document.value(SEQUENCE)?);
    document.end()?;
    let mut kind = Reader::new(info.value(SEQUENCE)?);
    // The first byte counts unused bits, which keys do not have.
    let (0, key) = info.value(BIT_STRING)?.split_first()? else {
        return None;
    };
    info.end()?;

    let oid = kind.value(OID)?;
    if oid == RSA_ENCRYPTION {
        kind.value(NULL)?.is_empty().then_some(())?;
        kind.end()?;
        let mut key = Reader::new(key);
        let mut numbers = Reader::new(key.value(SEQUENCE)?);
        key.end()?;
        let (n, e) = (numbers.positive()?, numbers.positive()?);
        numbers.end()?;
        return Some(Ok(Material::rsa(n, e)));
    }
    if oid == EC_PUBLIC_KEY {
        let name = kind.value(OID)?;
        kind.end()?;
        let curve = Curve::ALL.into_iter().find(|curve| curve.oid() == name)?;
        return Some(Material::ec_point(curve, key));
    }
    kind.end()?;
    (oid == ED25519).then(|| Material::ed25519(key))
}

pub(super) fn encode(material: &Material) -> Vec<u8> {
    let (kind, key) = match material {
        Material::Ed25519(bytes) => (der::encode(OID, &[ED25519]), bytes.to_vec()),
        Material::Ec(curve, point) => {
            let kind = [
                der::encode(OID, &[EC_PUBLIC_KEY]),
                der::encode(OID, &[curve.oid()]),
            ];
            (kind.concat(), point.to_vec())
        }
        Material::Rsa { n, e } => {
            let kind = [der::encode(OID, &[RSA_ENCRYPTION]), der::encode(NULL, &[])];
            let (n, e) = (der::encode_positive(n), der::encode_positive(e));
            (kind.concat(), der::encode(SEQUENCE, &[&n, &e]))
        }
    };
    let kind = der::encode(SEQUENCE, &[&kind]);
    let key = der::encode(BIT_STRING, &[&[0], &key]);
    der::encode(SEQUENCE, &[&kind, &key])
}

/// The document of the one block that there is.
pub(super) fn decode_pem(pem: &str) -> Result<Vec<u8>, InvalidKey> {
    if pem.len() > PEM_BYTES_MAX {
        return Err(InvalidKey::Rejected);
    }
    if pem.contains("PRIVATE KEY-----") {
        return Err(InvalidKey::Private);
    }
    let block = pem.trim().strip_prefix(BEGIN);
    let body = block.and_then(|block| block.strip_suffix(END));
    let joined: Option<String> = body.map(|body| body.split_ascii_whitespace().collect());
    joined
        .and_then(|joined| STANDARD.decode(joined).ok())
        .ok_or(InvalidKey::Rejected)
}

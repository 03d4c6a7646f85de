//! What a public key is made of, apart from what it is for.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, ParsedPublicKey},
};
use serde_json::{Value, json};

use super::{InvalidKey, curve::Curve, rsa};
use crate::{algorithm::Algorithm, token::base64url};

/// The numbers of a public key, checked for their lengths only; [`parse`](Self::parse) checks the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Material {
    Ed25519([u8; 32]),
    /// An uncompressed point (SEC 1 section 2.3.3).
    Ec(Curve, Box<[u8]>),
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
}

/// SEC 1 section 2.3.3: both coordinates follow.
const UNCOMPRESSED: u8 = 4;

impl Material {
    pub(super) fn ed25519(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let bytes = bytes.try_into().map_err(|_| InvalidKey::Rejected)?;
        Ok(Self::Ed25519(bytes))
    }

    pub(super) fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, InvalidKey> {
        // RFC 7518 section 6.2.1.2: leading zeros stay.
        let wanted = curve.coordinate_bytes();
        if (x.len(), y.len()) != (wanted, wanted) {
            return Err(InvalidKey::Rejected);
        }
        Ok(Self::Ec(curve, [&[UNCOMPRESSED], x, y].concat().into()))
    }

    /// A point as SPKI has it; compressed ones are not taken.
    pub(super) fn ec_point(curve: Curve, point: &[u8]) -> Result<Self, InvalidKey> {
        let is_whole = point.len() == 1 + 2 * curve.coordinate_bytes();
        if point.first() != Some(&UNCOMPRESSED) || !is_whole {
            return Err(InvalidKey::Rejected);
        }
        Ok(Self::Ec(curve, point.into()))
    }

    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self::Rsa {
            n: n.into(),
            e: e.into(),
        }
    }

    /// The one algorithm of its type; `None` for RSA, which has six.
    pub(super) const fn own_algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::Ed25519(_) => Some(Algorithm::EdDsa),
            Self::Ec(curve, _) => Some(curve.algorithm()),
            Self::Rsa { .. } => None,
        }
    }

    /// Checks everything and prepares the key for one algorithm.
    pub(super) fn parse(&self, algorithm: Algorithm) -> Result<ParsedPublicKey, InvalidKey> {
        match self {
            Self::Rsa { n, e } => rsa::parse(algorithm, n, e),
            _ if self.own_algorithm() != Some(algorithm) => Err(InvalidKey::Algorithm),
            Self::Ed25519(bytes) if has_small_order(bytes) => Err(InvalidKey::Weak),
            Self::Ed25519(bytes) => {
                ParsedPublicKey::new(&ED25519, bytes).map_err(|_| InvalidKey::Rejected)
            }
            Self::Ec(curve, point) => {
                ParsedPublicKey::new(curve.parameters(), point).map_err(|_| InvalidKey::Rejected)
            }
        }
    }

    /// The length of every signature, in bytes.
    pub(super) const fn signature_bytes(&self) -> usize {
        match self {
            Self::Ed25519(_) => 64,
            Self::Ec(curve, _) => 2 * curve.coordinate_bytes(),
            Self::Rsa { n, .. } => n.len(),
        }
    }

    /// The members of a JWK that make the key what it is.
    pub(super) fn to_jwk(&self) -> Value {
        let text = |bytes: &[u8]| base64url::encode(bytes);
        match self {
            Self::Ed25519(bytes) => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(bytes) }),
            Self::Ec(curve, point) => {
                let (x, y) = point[1..].split_at(curve.coordinate_bytes());
                json!({ "kty": "EC", "crv": curve.name(), "x": text(x), "y": text(y) })
            }
            Self::Rsa { n, e } => json!({ "kty": "RSA", "n": text(n), "e": text(e) }),
        }
    }

    /// RFC 7638 section 3: the hash of exactly those members, sorted and without spaces.
    pub(super) fn thumbprint(&self) -> [u8; 32] {
        let text = |bytes: &[u8]| base64url::encode(bytes);
        let members = match self {
            Self::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
            Self::Ec(curve, point) => {
                let (x, y) = point[1..].split_at(curve.coordinate_bytes());
                let (crv, x, y) = (curve.name(), text(x), text(y));
                format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n))
            }
        };
        let hash = digest(&SHA256, members.as_bytes());
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(hash.as_ref());
        thumbprint
    }
}

/// Points of order 1, 2, 4 and 8, with which a signature of one message is a signature of many: no honest
/// generator makes one. The last two are longer texts of the first and the third.
fn has_small_order(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    let last = |first: u8| {
        let mut y = [0xff; 32];
        (y[0], y[31]) = (first, 0x7f);
        y
    };
    let first = |first: u8| {
        let mut y = [0; 32];
        y[0] = first;
        y
    };
    [
        first(0),
        first(1),
        ORDER_8[0],
        ORDER_8[1],
        last(0xec),
        last(0xed),
        last(0xee),
    ]
    .contains(&y)
}

/// The `y` of the four points of order 8 on Curve25519 in Edwards form, little-endian.
const ORDER_8: [[u8; 32]; 2] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

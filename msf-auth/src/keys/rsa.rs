//! Which RSA keys are taken.

use aws_lc_rs::{
    encoding::AsDer,
    signature::{
        ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
        RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    },
};

use super::InvalidKey;
use crate::algorithm::Algorithm;

/// Shorter moduli are within reach of factoring; longer ones make each verification a burden.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// What the library takes; every key in use has 17.
const EXPONENT_BITS_MAX: usize = 33;

/// Checks a modulus and an exponent, big-endian and without leading zeros (RFC 7518 section 6.3.1), and
/// prepares them for one algorithm.
pub(super) fn parse(
    algorithm: Algorithm,
    n: &[u8],
    e: &[u8],
) -> Result<ParsedPublicKey, InvalidKey> {
    let parameters = parameters(algorithm).ok_or(InvalidKey::Algorithm)?;
    if !bits(n).is_some_and(|bits| MODULUS_BITS.contains(&bits)) || !is_odd(n) {
        return Err(InvalidKey::Modulus);
    }
    // 1 would make every message its own signature.
    if !bits(e).is_some_and(|bits| (2..=EXPONENT_BITS_MAX).contains(&bits)) || !is_odd(e) {
        return Err(InvalidKey::Exponent);
    }
    if is_roca(n) {
        return Err(InvalidKey::Weak);
    }
    // Not straight from the components: only reading DER runs the library's own check of the key.
    let der = RsaPublicKeyComponents { n, e }.as_der();
    let der = der.map_err(|_| InvalidKey::Rejected)?;
    ParsedPublicKey::new(parameters, der.as_ref()).map_err(|_| InvalidKey::Rejected)
}

const fn parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::Es512
        | Algorithm::EdDsa
        | Algorithm::Hs256
        | Algorithm::Hs384
        | Algorithm::Hs512 => None,
    }
}

/// `None` for nothing and for a leading zero: one number, one text.
fn bits(number: &[u8]) -> Option<usize> {
    let first = number.first().filter(|first| **first != 0)?;
    Some(number.len() * 8 - first.leading_zeros() as usize)
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last % 2 == 1)
}

/// Whether the modulus has the fingerprint of a broken generator (ROCA, CVE-2017-15361): its primes, and so
/// the modulus, are powers of 65537 modulo each small prime. A sound modulus is that for all of these with a chance
/// of less than 1 in 2^27.
fn is_roca(n: &[u8]) -> bool {
    SMALL_PRIMES.iter().all(|prime| {
        let rest = n
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            power = power * 65_537 % prime;
            power == rest
        })
    })
}

const SMALL_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

//! Public keys: of every algorithm, in every document, and the weak ones.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::{collection, prelude::*};

use super::{
    pairs::{PUBLIC_KEY_ALGORITHMS, Pair},
    *,
};

#[test]
fn a_key_verifies_what_its_pair_signs_and_nothing_else() {
    for algorithm in PUBLIC_KEY_ALGORITHMS {
        let pair = Pair::of(algorithm);
        let key = pair.verifying_key(algorithm);
        let signature = pair.sign(b"message");
        assert!(key.verify(b"message", &signature), "{algorithm}");
        assert!(!key.verify(b"massage", &signature), "{algorithm}");
        let mut longer = signature.clone();
        longer.push(0);
        let mut bent = signature.clone();
        bent[0] ^= 1;
        let zeros = vec![0; signature.len()];
        for wrong in [&[][..], &signature[1..], &longer, &bent, &zeros] {
            assert!(!key.verify(b"message", wrong), "{algorithm}");
        }
    }
}

#[test]
fn a_key_takes_the_signatures_of_no_other_algorithm_of_its_type() {
    let rsa: Vec<_> = PUBLIC_KEY_ALGORITHMS
        .into_iter()
        .filter(|a| a.is_rsa())
        .collect();
    for signs in &rsa {
        let signature = Pair::of(*signs).sign(b"message");
        for verifies in &rsa {
            let key = Pair::of(*signs).verifying_key(*verifies);
            assert_eq!(key.verify(b"message", &signature), signs == verifies);
        }
    }
}

#[test]
fn a_key_is_the_same_from_each_document() {
    for algorithm in PUBLIC_KEY_ALGORITHMS {
        let der = Pair::of(algorithm).spki();
        let key = VerifyingKey::from_spki_der(&der, algorithm).unwrap();
        assert_eq!(key.to_spki_der(), der, "{algorithm}");
        assert_eq!(key.id(), base64url::encode(key.thumbprint()));

        let pem = format!(
            "\n-----BEGIN PUBLIC KEY-----\r\n{}\r\n-----END PUBLIC KEY-----\n\n",
            STANDARD.encode(&der)
        );
        assert_eq!(
            VerifyingKey::from_spki_pem(&pem, algorithm),
            Ok(key.clone())
        );

        let document = KeySet::new([key.clone()]).unwrap().to_json();
        let keys = KeySet::parse(document.as_bytes()).unwrap();
        match keys.find(Some(key.id())).unwrap() {
            Key::Public(read) => assert_eq!(*read, key),
            Key::Hmac(_) => panic!("{algorithm}"),
        }
        for other in Algorithm::ALL.iter().filter(|other| **other != algorithm) {
            let both_rsa = other.is_rsa() && algorithm.is_rsa();
            let read = VerifyingKey::from_spki_der(&der, *other);
            assert_eq!(read.is_ok(), both_rsa, "{algorithm} as {other}");
        }
    }
}

#[test]
fn an_rsa_key_without_an_algorithm_is_for_the_one_that_the_reader_names() {
    let pair = Pair::of(Algorithm::Ps256);
    let mut jwk = pair.verifying_key(Algorithm::Ps256).to_jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let document = serde_json::json!({ "keys": [jwk] }).to_string();
    let signature = pair.sign(b"message");

    let only = |keys: KeySet| keys.find(None).unwrap().clone();
    let assumed = only(KeySet::parse_assuming(document.as_bytes(), Algorithm::Ps256).unwrap());
    assert_eq!(assumed.algorithm(), Algorithm::Ps256);
    assert!(assumed.verify(b"message", &signature));
    let default = only(KeySet::parse(document.as_bytes()).unwrap());
    assert_eq!(default.algorithm(), Algorithm::Rs256);
    assert!(!default.verify(b"message", &signature));
    assert!(matches!(
        KeySet::parse_assuming(document.as_bytes(), Algorithm::Es256),
        Err(InvalidKeySet::NotRsa(Algorithm::Es256))
    ));
}

#[test]
fn the_thumbprint_is_that_of_rfc_7638_and_of_rfc_8037() {
    // RFC 7638 section 3.1.
    let rsa = br#"{"kty":"RSA","e":"AQAB","alg":"RS256","kid":"2011-04-29","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#;
    let key = VerifyingKey::from_jwk(rsa).unwrap();
    assert_eq!(key.id(), "2011-04-29");
    assert_eq!(
        base64url::encode(key.thumbprint()),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    let other_id = key.clone().with_id("a").unwrap();
    assert_eq!(other_id.thumbprint(), key.thumbprint());
    assert_ne!(other_id, key);

    // RFC 8037 appendix A.3.
    let x = base64url::decode(X25519_X).unwrap();
    let key = VerifyingKey::ed25519(&x).unwrap();
    assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn an_rsa_key_has_2048_to_8192_bits_and_an_odd_exponent_above_1() {
    let modulus = |bits: usize| {
        let mut n = vec![0xff; bits.div_ceil(8)];
        n[0] = 0xff >> (n.len() * 8 - bits);
        n
    };
    let key = |n: &[u8], e: &[u8]| VerifyingKey::rsa(Algorithm::Rs256, n, e).map(drop);
    for bits in [2_048, 2_049, 2_050, 3_072, 4_096, 8_192] {
        assert_eq!(key(&modulus(bits), &[1, 0, 1]), Ok(()), "{bits}");
    }
    for bits in [8, 512, 1_024, 2_047, 8_193, 16_384] {
        assert_eq!(
            key(&modulus(bits), &[1, 0, 1]),
            Err(InvalidKey::Modulus),
            "{bits}"
        );
    }
    let n = modulus(2_048);
    let mut even = n.clone();
    even[255] = 0xfe;
    let with_zero = [&[0], &n[..]].concat();
    for wrong in [&[][..], &[0], &even, &with_zero] {
        assert_eq!(key(wrong, &[1, 0, 1]), Err(InvalidKey::Modulus));
    }
    for e in [&[3][..], &[17], &[1, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert_eq!(key(&n, e), Ok(()), "{e:?}");
    }
    for e in [
        &[][..],
        &[0],
        &[1],
        &[2],
        &[0, 3],
        &[1, 0, 0],
        &[2, 0, 0, 0, 1],
        &[1; 9],
    ] {
        assert_eq!(key(&n, e), Err(InvalidKey::Exponent), "{e:?}");
    }
    let hmac = VerifyingKey::rsa(Algorithm::Hs256, &n, &[3]);
    assert_eq!(hmac.unwrap_err(), InvalidKey::Algorithm);
}

/// A number that is 65537 modulo every small prime, as the moduli of the broken generator are powers of it.
#[test]
fn a_modulus_of_the_broken_generator_is_refused() {
    let mut n = vec![0; 256];
    n[0] = 0x80;
    n[255] = 1;
    let rest = |n: &[u8], prime: u32| {
        n.iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
    };
    // Adds the product of the primes so far until the next one agrees too.
    let mut product: Vec<u8> = vec![2];
    for prime in [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ] {
        while rest(&n, prime) != 65_537 % prime {
            add(&mut n, &product);
        }
        product = times(&product, prime);
    }
    let key = VerifyingKey::rsa(Algorithm::Rs256, &n, &[1, 0, 1]);
    assert_eq!(key.unwrap_err(), InvalidKey::Weak);
    add(&mut n, &[2]);
    assert!(VerifyingKey::rsa(Algorithm::Rs256, &n, &[1, 0, 1]).is_ok());
}

fn add(n: &mut [u8], other: &[u8]) {
    let mut carry = 0;
    let padded = other.iter().rev().chain(std::iter::repeat(&0));
    for (byte, more) in n.iter_mut().rev().zip(padded) {
        let sum = u16::from(*byte) + u16::from(*more) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

fn times(n: &[u8], factor: u32) -> Vec<u8> {
    let mut carry = 0;
    let mut product = Vec::new();
    for byte in n.iter().rev() {
        let sum = u32::from(*byte) * factor + carry;
        product.push(sum.to_le_bytes()[0]);
        carry = sum >> 8;
    }
    product.push(u8::try_from(carry).unwrap());
    product.reverse();
    product
}

#[test]
fn a_point_of_small_order_is_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut order_2 = [0xff; 32];
    (order_2[0], order_2[31]) = (0xec, 0x7f);
    let mut order_4_with_sign = [0; 32];
    order_4_with_sign[31] = 0x80;
    for point in [identity, order_2, [0; 32], order_4_with_sign] {
        assert_eq!(VerifyingKey::ed25519(&point).unwrap_err(), InvalidKey::Weak);
    }
}

#[test]
fn a_point_that_is_not_on_the_curve_is_refused() {
    for (x, y) in [
        (vec![1; 32], vec![1; 32]),
        (vec![1; 33], vec![1; 31]),
        (vec![0; 32], vec![0; 32]),
    ] {
        assert_eq!(
            VerifyingKey::es256(&x, &y).unwrap_err(),
            InvalidKey::Rejected
        );
    }
    assert_eq!(
        VerifyingKey::es384(&[1; 48], &[1; 48]).unwrap_err(),
        InvalidKey::Rejected
    );
    assert_eq!(
        VerifyingKey::es512(&[1; 66], &[1; 66]).unwrap_err(),
        InvalidKey::Rejected
    );
    assert_eq!(
        VerifyingKey::es512(&[0xff; 66], &[1; 66]).unwrap_err(),
        InvalidKey::Rejected
    );
}

#[test]
fn other_documents_are_no_public_key() {
    let der = Pair::of(Algorithm::EdDsa).spki();
    let read = |der: &[u8]| VerifyingKey::from_spki_der(der, Algorithm::EdDsa);
    assert!(read(&der).is_ok());
    let mut trailing = der.clone();
    trailing.push(0);
    // The length in two bytes although one is enough.
    let long_length = [&[0x30, 0x81, der[1]], &der[2..]].concat();
    let mut unused_bits = der.clone();
    unused_bits[11] = 1;
    for wrong in [
        &[][..],
        &[0x30],
        &[0x30, 0x84, 0, 0, 0, 1, 0],
        &trailing,
        &long_length,
        &unused_bits,
    ] {
        assert_eq!(read(wrong), Err(InvalidKey::Rejected));
    }
    let compressed = {
        let point = Pair::of(Algorithm::Es256).spki();
        let (start, point) = point.split_at(point.len() - 65);
        let mut der = [start, &[2], &point[1..33]].concat();
        (der[1], der[24]) = (der[1] - 32, der[24] - 32);
        der
    };
    let read = VerifyingKey::from_spki_der(&compressed, Algorithm::Es256);
    assert_eq!(read, Err(InvalidKey::Rejected));

    let pem = |label: &str| {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(&der)
        )
    };
    let read = |pem: &str| VerifyingKey::from_spki_pem(pem, Algorithm::EdDsa).map(drop);
    assert_eq!(read(&pem("PUBLIC KEY")), Ok(()));
    assert_eq!(read(&pem("PRIVATE KEY")), Err(InvalidKey::Private));
    assert_eq!(read(&pem("EC PRIVATE KEY")), Err(InvalidKey::Private));
    let twice = pem("PUBLIC KEY").repeat(2);
    for wrong in ["", "x", &pem("CERTIFICATE"), &pem("RSA PUBLIC KEY"), &twice] {
        assert_eq!(read(wrong), Err(InvalidKey::Rejected), "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_document_panic(der in collection::vec(any::<u8>(), 0..200), pem in ".{0,100}") {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let _ = VerifyingKey::from_spki_der(&der, algorithm);
            let _ = VerifyingKey::from_spki_pem(&pem, algorithm);
            let _ = VerifyingKey::from_jwk(&der);
        }
    }

    #[test]
    fn a_document_with_a_byte_changed_is_another_key_or_none(
        algorithm in prop::sample::select(vec![Algorithm::EdDsa, Algorithm::Es384]),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let der = Pair::of(algorithm).spki();
        let mut changed = der.clone();
        let at = place.index(der.len());
        changed[at] = byte;
        if let Ok(key) = VerifyingKey::from_spki_der(&changed, algorithm) {
            prop_assert_eq!(key.to_spki_der(), changed);
        }
    }

    #[test]
    fn any_numbers_give_an_rsa_key_or_a_fault(
        n in collection::vec(any::<u8>(), 0..300),
        e in collection::vec(any::<u8>(), 0..8),
    ) {
        if let Ok(key) = VerifyingKey::rsa(Algorithm::Ps256, &n, &e) {
            prop_assert!(n.len() >= 256 && n[0] != 0 && n[n.len() - 1] % 2 == 1);
            prop_assert!(!key.verify(b"", &vec![1; n.len()]));
        }
    }
}

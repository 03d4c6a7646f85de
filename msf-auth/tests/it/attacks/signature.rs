//! Signatures that nobody with the key made.

use msf_auth::Reason;

use super::{Row, world::World};
use crate::support::{Keyring, SECRET, ed25519, es256, hs256, signed};

/// The order of P-256 (FIPS 186-4 D.1.2.3).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

pub(super) fn rows(world: &World) -> Vec<Row> {
    vec![forged(world), malleable(world)]
}

fn forged(world: &World) -> Row {
    let payload = world.claims().to_string();
    let es = |sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        signed(
            &world.header("ES256", world.keys.es256.id()),
            &payload,
            sign,
        )
    };
    let good = es256(&world.keys.es256);
    let of = |r: [u8; 32], s: [u8; 32]| es(&|_| [r, s].concat());
    let one = {
        let mut one = [0; 32];
        one[31] = 1;
        one
    };
    let der = |message: &[u8]| {
        let fixed = good(message);
        let integer = |bytes: &[u8]| [&[2, 33, 0], bytes].concat();
        let (r, s) = (integer(&fixed[..32]), integer(&fixed[32..]));
        [&[0x30, 70], r.as_slice(), s.as_slice()].concat()
    };
    let strangers = Keyring::generate();
    let ed = |sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        signed(
            &world.header("EdDSA", world.keys.ed25519.id()),
            &payload,
            sign,
        )
    };
    let refused = Reason::Signature;
    Row::new(
        6,
        "signatures of zeros, of another form or length, by another key",
    )
    .refused("r = s = 0", of([0; 32], [0; 32]), refused)
    .refused("r = s = 1", of(one, one), refused)
    .refused("r = s = n", of(ORDER, ORDER), refused)
    .refused("r = n, s = 1", of(ORDER, one), refused)
    .refused("r = 1, s = n", of(one, ORDER), refused)
    .refused("all bits", of([255; 32], [255; 32]), refused)
    .refused("DER", es(&der), refused)
    .refused(
        "a byte more",
        es(&|message| [good(message), vec![0]].concat()),
        refused,
    )
    .refused(
        "a byte less",
        es(&|message| good(message)[..63].to_vec()),
        refused,
    )
    .refused(
        "s only",
        es(&|message| good(message)[32..].to_vec()),
        refused,
    )
    .refused("96 bytes, as of P-384", es(&|_| vec![1; 96]), refused)
    .refused("another key, ES256", es(&es256(&strangers.es256)), refused)
    .refused(
        "another key, EdDSA",
        ed(&ed25519(&strangers.ed25519)),
        refused,
    )
    .refused("zeros, EdDSA", ed(&|_| vec![0; 64]), refused)
    .refused(
        "another secret",
        signed(&world.header("HS256", "hmac"), &payload, hs256(&[8; 32])),
        refused,
    )
    .refused(
        "half of the HMAC",
        signed(&world.header("HS256", "hmac"), &payload, |message| {
            hs256(&SECRET)(message)[..16].to_vec()
        }),
        refused,
    )
}

fn malleable(world: &World) -> Row {
    let sign = es256(&world.keys.es256);
    let token = signed(
        &world.header("ES256", world.keys.es256.id()),
        &world.claims().to_string(),
        |message| {
            let mut signature = sign(message);
            let s: [u8; 32] = signature[32..].try_into().unwrap();
            signature[32..].copy_from_slice(&negated(s));
            signature
        },
    );
    Row::new(
        7,
        "ECDSA: of (r, s) anybody makes (r, n - s). Both are good signatures, so nothing here is kept or taken back \
         by the bytes of a signature",
    )
    .accepted("(r, n - s)", token)
}

/// n - s
fn negated(s: [u8; 32]) -> [u8; 32] {
    let (mut difference, mut borrow) = ([0; 32], false);
    for index in (0..32).rev() {
        let (byte, first) = ORDER[index].overflowing_sub(s[index]);
        let (byte, second) = byte.overflowing_sub(u8::from(borrow));
        difference[index] = byte;
        borrow = first || second;
    }
    difference
}

//! Hashes that an older system left.

use std::num::NonZero;

use aws_lc_rs::pbkdf2;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};

/// Compares passwords with hashes of another form, so that users of an older system can log in; who does gets a hash of
/// today's form.
///
/// It is called on a blocking thread, within the same bound as every other comparison. It must compare in constant time,
/// and must bound what a stored text can make it cost.
///
/// ```
/// use msf_auth::password::{LegacyHash, Passwords};
///
/// struct Reversed;
///
/// impl LegacyHash for Reversed {
///     fn compare(&self, password: &str, stored: &str) -> Option<bool> {
///         let hash = stored.strip_prefix("reversed:")?;
///         Some(password.chars().rev().eq(hash.chars())) // never do this
///     }
/// }
///
/// let passwords = Passwords::builder().legacy(Reversed).build()?;
/// # Ok::<(), msf_auth::password::InvalidPasswordConfig>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` compares no hashes",
    note = "implement `msf_auth::password::LegacyHash`, or use `msf_auth::password::Pbkdf2`"
)]
pub trait LegacyHash: Send + Sync + 'static {
    /// Whether the password is the one; `None` when the stored text is not of this form.
    fn compare(&self, password: &str, stored: &str) -> Option<bool>;
}

/// PBKDF2 with HMAC-SHA-256 or HMAC-SHA-512, in the two forms that are around:
/// `$pbkdf2-sha256$i=600000,l=32$<salt>$<hash>`, a PHC string, and `pbkdf2_sha256$600000$<salt>$<hash>`, as Django writes
/// it.
///
/// Hashes of above 2 000 000 iterations are not taken: one would keep a core busy for a second.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Pbkdf2;

impl LegacyHash for Pbkdf2 {
    fn compare(&self, password: &str, stored: &str) -> Option<bool> {
        let Parts {
            algorithm,
            iterations,
            salt,
            hash,
        } = parse(stored)?;
        let outcome = pbkdf2::verify(algorithm, iterations, &salt, password.as_bytes(), &hash);
        Some(outcome.is_ok())
    }
}

struct Parts {
    algorithm: pbkdf2::Algorithm,
    iterations: NonZero<u32>,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

fn parse(stored: &str) -> Option<Parts> {
    if stored.len() > STORED_BYTES_MAX {
        return None;
    }
    let (algorithm, parts) = match stored.strip_prefix('$') {
        Some(phc) => {
            let (name, rest) = phc.split_once('$')?;
            let algorithm = algorithm(name.strip_prefix("pbkdf2-")?)?;
            (algorithm, phc_parts(rest)?)
        }
        None => {
            let (name, rest) = stored.split_once('$')?;
            let algorithm = algorithm(name.strip_prefix("pbkdf2_")?)?;
            (algorithm, django_parts(rest)?)
        }
    };
    let (iterations, salt, hash) = parts;
    let is_usable = iterations.get() <= ITERATIONS_MAX && (16..=64).contains(&hash.len());
    is_usable.then_some(Parts {
        algorithm,
        iterations,
        salt,
        hash,
    })
}

type Fields = (NonZero<u32>, Vec<u8>, Vec<u8>);

fn phc_parts(rest: &str) -> Option<Fields> {
    let mut parts = rest.split('$');
    let (params, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let mut iterations = None;
    let mut length = None;
    for param in params.split(',') {
        let slot = match param.split_once('=')? {
            ("i", value) => (&mut iterations, value),
            ("l", value) => (&mut length, value),
            _ => return None,
        };
        if slot.0.replace(slot.1.parse::<u32>().ok()?).is_some() {
            return None;
        }
    }
    let hash = STANDARD_NO_PAD.decode(hash).ok()?;
    let is_whole = parts.next().is_none()
        && length.is_none_or(|length| usize::try_from(length) == Ok(hash.len()));
    if !is_whole {
        return None;
    }
    let salt = STANDARD_NO_PAD.decode(salt).ok()?;
    Some((NonZero::new(iterations?)?, salt, hash))
}

fn django_parts(rest: &str) -> Option<Fields> {
    let mut parts = rest.split('$');
    let (iterations, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let iterations = iterations.parse().ok()?;
    Some((iterations, salt.into(), STANDARD.decode(hash).ok()?))
}

fn algorithm(digest: &str) -> Option<pbkdf2::Algorithm> {
    match digest {
        "sha256" => Some(pbkdf2::PBKDF2_HMAC_SHA256),
        "sha512" => Some(pbkdf2::PBKDF2_HMAC_SHA512),
        _ => None,
    }
}

const ITERATIONS_MAX: u32 = 2_000_000;
/// Twice the longest that the forms give.
const STORED_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash(iterations: u32, salt: &[u8]) -> [u8; 32] {
        let mut hash = [0; 32];
        let iterations = NonZero::new(iterations).unwrap();
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            salt,
            b"lovelace-1815",
            &mut hash,
        );
        hash
    }

    fn phc() -> String {
        let hash = STANDARD_NO_PAD.encode(hash(10, b"salt"));
        format!("$pbkdf2-sha256$i=10,l=32$c2FsdA${hash}")
    }

    #[test]
    fn both_forms_are_read() {
        let django = format!(
            "pbkdf2_sha256$10$salt${}",
            STANDARD.encode(hash(10, b"salt"))
        );
        for stored in [phc(), django] {
            assert_eq!(Pbkdf2.compare("lovelace-1815", &stored), Some(true));
            assert_eq!(Pbkdf2.compare("lovelace-1816", &stored), Some(false));
        }
    }

    #[test]
    fn what_is_not_of_the_form_or_a_trap_is_left() {
        let good = phc();
        for stored in [
            String::new(),
            "$".to_owned(),
            "pbkdf2_sha256$0$salt$".to_owned(),
            good.replace("sha256", "sha1"),
            good.replace("i=10", "i=0"),
            good.replace("i=10", "i=4000000000"),
            good.replace("i=10", "i=2000001"),
            good.replace("i=10", "i=10,i=10"),
            good.replace("l=32", "l=33"),
            good.replace("i=10,", ""),
            good[..good.len() - 30].to_owned(),
            format!("{good}$"),
            format!("{good}A"),
            good.repeat(20),
        ] {
            assert_eq!(Pbkdf2.compare("lovelace-1815", &stored), None, "{stored}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(stored in "[$]?pbkdf2[_-]sha(256|512)[$]([a-z0-9=,$+/]{0,60})") {
            let _ = parse(&stored);
        }
    }
}

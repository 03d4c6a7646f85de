//! Which passwords may be chosen.

use std::{fmt, sync::Arc};

use msf_core::{
    config::Secret,
    problem::{Code, Problem},
};
use thiserror::Error;

use super::{
    Blocklist, CommonPasswords,
    normal::{folded, nfc},
    passwords::PASSWORD_BYTES_MAX,
};

/// What a new password has to be: long, and not one that is guessed first.
///
/// These are the rules of NIST SP 800-63B-4, section 3.1.1.2: a least length, a list of what is guessed first, the names
/// that belong to the account, and nothing else. There is no rule about capitals, digits or signs, since those make
/// passwords that are hard to keep in mind and not hard to guess, and none about age.
///
/// ```
/// use msf_auth::password::{PasswordRules, WeakPassword};
/// use msf_core::config::Secret;
///
/// let rules = PasswordRules::alone();
/// let check = |text: &str| rules.check(&Secret::new(text.to_owned()), &["Ada", "ada@example.com"]);
///
/// assert_eq!(check("three grey owls on a wire"), Ok(()));
/// assert_eq!(check("lovelace-1815"), Err(WeakPassword::TooShort { chars_min: 15 }));
/// assert_eq!(check("Password123456789!"), Err(WeakPassword::Common));
/// assert_eq!(check("ada@example.com1815"), Err(WeakPassword::Personal));
/// ```
#[derive(Clone)]
#[must_use]
pub struct PasswordRules {
    chars_min: usize,
    blocklists: Vec<Arc<dyn Blocklist>>,
}

/// A password that is refused as a new one. It never has the password in it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeakPassword {
    /// It has too few characters.
    #[error("the password must have at least {chars_min} characters")]
    TooShort {
        /// How many it must have.
        chars_min: usize,
    },
    /// It is above 1024 bytes.
    #[error("the password is above 1024 bytes")]
    TooLong,
    /// It is among those that are guessed first.
    #[error("the password is one that is easily guessed")]
    Common,
    /// It is little more than a name or an address that belongs to the account.
    #[error("the password is made of what is known about the account")]
    Personal,
}

impl PasswordRules {
    /// For passwords that are all that is asked for: at least 15 characters, and not a [common one](CommonPasswords).
    pub fn alone() -> Self {
        Self::new(15)
    }

    /// For passwords beside a second factor: at least 8 characters, and not a [common one](CommonPasswords).
    pub fn with_second_factor() -> Self {
        Self::new(8)
    }

    fn new(chars_min: usize) -> Self {
        Self {
            chars_min,
            blocklists: vec![Arc::new(CommonPasswords::default())],
        }
    }

    /// Asks for more characters; less than there were is not taken. At most 64, so that there is room for any sentence.
    pub fn at_least(mut self, chars: usize) -> Self {
        self.chars_min = self.chars_min.max(chars.min(64));
        self
    }

    /// Refuses what is on a list as well, such as a [file](super::FileBlocklist) of passwords that were stolen elsewhere.
    pub fn blocklist(mut self, list: impl Blocklist) -> Self {
        self.blocklists.push(Arc::new(list));
        self
    }

    /// Checks a new password. `about` is what is known about the account, such as names and addresses, and the name of the
    /// service.
    ///
    /// It takes up to a millisecond, and as long as the lists take.
    ///
    /// # Errors
    ///
    /// [`WeakPassword`].
    pub fn check(&self, password: &Secret<String>, about: &[&str]) -> Result<(), WeakPassword> {
        let password = password.expose();
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(WeakPassword::TooLong);
        }
        let chars_min = self.chars_min;
        if nfc(password).chars().count() < chars_min {
            return Err(WeakPassword::TooShort { chars_min });
        }
        let folded = folded(password);
        if is_personal(&folded, about) {
            return Err(WeakPassword::Personal);
        }
        if self.blocklists.iter().any(|list| list.contains(&folded)) {
            return Err(WeakPassword::Common);
        }
        Ok(())
    }
}

/// Whether little is left without the words about the account.
fn is_personal(password: &str, about: &[&str]) -> bool {
    let about: Vec<String> = about
        .iter()
        .filter(|text| text.len() <= PASSWORD_BYTES_MAX)
        .map(|text| folded(text))
        .collect();
    let parts = about
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let wholes = about.iter().map(|text| text.trim());
    let mut words: Vec<&str> = wholes
        .chain(parts)
        .filter(|word| word.chars().count() >= PART_CHARS_MIN)
        .collect();
    // The longest first: what is left of a name must not be taken for a part of another.
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words.truncate(PARTS_MAX);
    let mut rest = password.to_owned();
    let mut is_found = false;
    for word in words {
        if rest.contains(word) {
            is_found = true;
            rest = rest.replace(word, "\u{0}");
        }
    }
    let is_word = |c: &char| *c != '\u{0}' && c.is_alphanumeric();
    is_found && rest.chars().filter(is_word).count() < REST_CHARS_MIN
}

/// Shorter parts, such as `de`, are in many words.
const PART_CHARS_MIN: usize = 3;
/// A bound for long names; nobody has so many.
const PARTS_MAX: usize = 32;
/// As much as NIST asks of a password beside a second factor; without the names there must be that much of one.
const REST_CHARS_MIN: usize = 8;

impl From<WeakPassword> for Problem {
    fn from(error: WeakPassword) -> Self {
        Self::new(Code::ValidationFailed).with_detail(error.to_string())
    }
}

impl fmt::Debug for PasswordRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordRules")
            .field("chars_min", &self.chars_min)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &PasswordRules, text: &str, about: &[&str]) -> Result<(), WeakPassword> {
        rules.check(&Secret::new(text.to_owned()), about)
    }

    #[test]
    fn length_is_counted_in_characters_as_they_are_seen() {
        let rules = PasswordRules::with_second_factor();
        let short = Err(WeakPassword::TooShort { chars_min: 8 });
        assert_eq!(check(&rules, "grüne7!", &[]), short);
        // Eight characters of which each has an accent of its own.
        assert_eq!(check(&rules, &"e\u{301}".repeat(7), &[]), short);
        assert_eq!(check(&rules, "vögelflug", &[]), Ok(()));
        assert_eq!(
            check(&rules, &"ab".repeat(513), &[]),
            Err(WeakPassword::TooLong)
        );
        let strict = rules.at_least(20).at_least(3);
        let short = Err(WeakPassword::TooShort { chars_min: 20 });
        assert_eq!(check(&strict, "vögelflug im sturm", &[]), short);
    }

    #[test]
    fn names_are_no_passwords_and_do_not_make_others_bad() {
        let rules = PasswordRules::alone();
        let about = ["Ada Lovelace", "ada.lovelace@example.com", "shop", ""];
        for text in [
            "Ada.Lovelace@Example.com",
            "lovelace-ada-1815",
            "shop-ada-lovelace!!",
            "EXAMPLElovelaceshop",
        ] {
            assert_eq!(
                check(&rules, text, &about),
                Err(WeakPassword::Personal),
                "{text}"
            );
        }
        for text in [
            "lovelace wrote the first program",
            "a shop below the seven hills",
        ] {
            assert_eq!(check(&rules, text, &about), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_list_of_ones_own_counts_too() {
        struct Owls;
        impl Blocklist for Owls {
            fn contains(&self, password: &str) -> bool {
                password.contains("owls")
            }
        }
        let rules = PasswordRules::alone().blocklist(Owls);
        assert_eq!(
            check(&rules, "three grey OWLS on a wire", &[]),
            Err(WeakPassword::Common)
        );
    }

    #[test]
    fn nothing_shows_the_password() {
        let secret = "Password123456789!";
        let error = check(&PasswordRules::alone(), secret, &[]).unwrap_err();
        let said = format!("{error:?} {error} {:?}", Problem::from(error));
        assert!(!said.contains(secret), "{said}");
    }
}

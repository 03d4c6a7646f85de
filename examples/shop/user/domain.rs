//! Users, and what a user may be called.

use msf_core::{
    config::Secret,
    problem::{Code, Problem},
};
use serde::Serialize;

use crate::{identity::Role, ids::UserId, timestamp::Timestamp};

/// A user as the database knows it.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) email: Email,
    /// The hash, as a PHC string.
    pub(crate) password: Secret<String>,
    pub(crate) role: Role,
    pub(crate) created_at: Timestamp,
}

/// A user as it is shown to itself and to staff.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Profile {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) email: Email,
    pub(crate) created_at: Timestamp,
}

impl From<User> for Profile {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            name: user.name,
            email: user.email,
            created_at: user.created_at,
        }
    }
}

/// An address in the one spelling by which accounts are told apart: trimmed, in lower case, in ASCII. With other
/// scripts two accounts could look like one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Email(String);

impl Email {
    /// Normalises an address; `None` when it cannot be one.
    ///
    /// Whether mail arrives there only a mail can tell, so this looks at the form alone.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let email = text.trim().to_ascii_lowercase();
        let (local, domain) = email.rsplit_once('@')?;
        let fits = email.len() <= EMAIL_MAX
            && !local.is_empty()
            && !local.contains('@')
            && domain.split('.').count() >= 2
            && domain.split('.').all(|label| !label.is_empty())
            && email.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(Self(email))
    }

    /// The address.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// An address that was normalised before it was stored.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }
}

/// Collects what is wrong with a request, so that all of it is told at once.
#[derive(Debug, Default)]
pub(crate) struct Faults(Option<Problem>);

impl Faults {
    fn add(&mut self, pointer: &str, detail: impl Into<String>) {
        let problem = self
            .0
            .take()
            .unwrap_or_else(|| Problem::new(Code::ValidationFailed));
        self.0 = Some(problem.with_error(pointer, detail));
    }

    /// A name: trimmed, 1 to 100 characters.
    pub(crate) fn name(&mut self, text: &str) -> String {
        let name = text.trim();
        let length = name.chars().count();
        if !(1..=NAME_MAX).contains(&length) || name.chars().any(char::is_control) {
            self.add("/name", format!("must have 1 to {NAME_MAX} characters"));
        }
        name.to_owned()
    }

    /// An address.
    pub(crate) fn email(&mut self, text: &str) -> Option<Email> {
        let email = Email::parse(text);
        if email.is_none() {
            self.add("/email", "is not an e-mail address");
        }
        email
    }

    /// A new password: long enough, and not what everybody can guess.
    pub(crate) fn password(
        &mut self,
        text: String,
        name: &str,
        email: Option<&Email>,
    ) -> Secret<String> {
        let length = text.chars().count();
        let lower = text.to_lowercase();
        if length < PASSWORD_MIN {
            self.add(
                "/password",
                format!("must have at least {PASSWORD_MIN} characters"),
            );
        } else if text.len() > PASSWORD_MAX {
            self.add(
                "/password",
                format!("must have at most {PASSWORD_MAX} bytes"),
            );
        } else if lower == name.to_lowercase() || email.is_some_and(|email| email.0 == lower) {
            self.add("/password", "must not be the name or the address");
        }
        Secret::new(text)
    }

    /// Something else that is wrong.
    pub(crate) fn other(&mut self, pointer: &str, detail: &str) {
        self.add(pointer, detail);
    }

    /// All that was wrong, as one problem.
    ///
    /// # Errors
    ///
    /// `validation_failed`, when anything was.
    pub(crate) fn check(self) -> Result<(), Problem> {
        self.0.map_or(Ok(()), Err)
    }
}

/// What RFC 5321 leaves for an address.
const EMAIL_MAX: usize = 254;
const NAME_MAX: usize = 100;
/// Above the 8 that NIST SP 800-63B asks for at least, in characters and without rules of composition.
const PASSWORD_MIN: usize = 10;
/// What is hashed at most, in bytes.
const PASSWORD_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        let ada = Email::parse("ada@example.com");
        assert!(ada.is_some());
        assert_eq!(Email::parse("  Ada@Example.COM\n"), ada);
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@com",
            "a b@x.y",
            "a@b@x.y",
            "a@x..y",
        ] {
            assert_eq!(Email::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_has_no_look_alike() {
        for text in [
            "a\u{200b}da@example.com",
            "\u{430}da@example.com",
            "\u{202e}ada@example.com",
            "ada@example.\u{441}om",
            "\u{212a}ay@example.com",
        ] {
            assert_eq!(Email::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let mut faults = Faults::default();
        faults.name("  ");
        faults.email("ada");
        let short = faults.password("hashed_".to_owned(), "", None);
        assert_eq!(format!("{short:?}"), "[redacted]");
        let problem = faults.check().unwrap_err();
        let places: Vec<_> = problem.errors().iter().map(|e| &*e.pointer).collect();
        assert_eq!(places, ["/name", "/email", "/password"]);
    }

    #[test]
    fn the_name_is_no_password() {
        let mut faults = Faults::default();
        faults.password("ADA Lovelace".to_owned(), "Ada Lovelace", None);
        assert!(faults.check().is_err());
    }
}

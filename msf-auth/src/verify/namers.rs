//! Which issuers name the users that are taken.

use std::collections::BTreeSet;

use super::TrustedIssuer;

/// Those from whom users have their names. With one the subject alone says which user it is; with several it does not,
/// since each may have a `7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Namers {
    These(BTreeSet<Box<str>>),
    /// Whomever an edge trusts.
    Any,
}

impl Namers {
    pub(super) fn of(issuers: &[TrustedIssuer]) -> Self {
        let mut names = BTreeSet::new();
        for trusted in issuers.iter().filter(|trusted| trusted.takes_users()) {
            if trusted.shape.subject_issuer.is_none() {
                names.insert((*trusted.issuer).into());
            } else if trusted.users_of.is_empty() {
                return Self::Any;
            } else {
                names.extend(trusted.users_of.iter().cloned());
            }
        }
        Self::These(names)
    }

    /// These, and one more.
    pub(crate) fn and(self, name: &str) -> Self {
        match self {
            Self::These(mut names) => {
                names.insert(name.into());
                Self::These(names)
            }
            Self::Any => Self::Any,
        }
    }

    /// Whether no two users have one subject.
    pub(crate) fn subject_suffices(&self) -> bool {
        matches!(self, Self::These(names) if names.len() <= 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeySet;

    #[test]
    fn a_subject_suffices_where_one_issuer_names_users() {
        let plain = |name: &str| TrustedIssuer::new(name, KeySet::default());
        let edge = |name: &str| TrustedIssuer::internal(name, KeySet::default());
        let services = |name: &str| plain(name).service("order");
        for (issuers, suffices) in [
            (vec![plain("a")], true),
            (vec![plain("a"), plain("b")], false),
            (vec![plain("a"), services("b")], true),
            (vec![plain("a"), services("b").users()], false),
            (vec![services("a"), services("b")], true),
            (vec![edge("e")], false),
            (vec![edge("e").users_of("a")], true),
            (vec![edge("e").users_of("a").users_of("b")], false),
            (vec![edge("e").users_of("a"), edge("f").users_of("a")], true),
            (vec![edge("e").users_of("a"), edge("f")], false),
            (vec![edge("e").users_of("a"), plain("a")], true),
            (vec![edge("e").users_of("a"), plain("e")], false),
        ] {
            let namers = Namers::of(&issuers);
            assert_eq!(namers.subject_suffices(), suffices, "{namers:?}");
            assert!(!namers.and("another").and("one more").subject_suffices());
        }
        let one = Namers::of(&[plain("a")]);
        assert!(one.clone().and("a").subject_suffices() && !one.and("b").subject_suffices());
    }
}

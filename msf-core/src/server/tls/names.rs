//! Which certificate is for which name.

use std::collections::HashMap;

/// Names with what belongs to them: exact ones, and `*.` for one label.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    exact: HashMap<Box<str>, usize>,
    /// Without the `*.`.
    wildcard: HashMap<Box<str>, usize>,
}

/// Why a name was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAdded {
    Duplicate,
    Invalid,
}

impl Names {
    pub(super) fn add(&mut self, name: &str, value: usize) -> Result<(), NotAdded> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let (map, key) = match name.strip_prefix("*.") {
            Some(parent) => (&mut self.wildcard, parent),
            None => (&mut self.exact, &*name),
        };
        if !is_name(key) {
            return Err(NotAdded::Invalid);
        }
        match map.insert(key.into(), value) {
            None => Ok(()),
            Some(_) => Err(NotAdded::Duplicate),
        }
    }

    /// What belongs to a name, in any spelling; the exact one comes first. It allocates nothing.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let mut lower = [0; NAME_LEN_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let name = std::str::from_utf8(lower).ok()?;
        if let Some(value) = self.exact.get(name) {
            return Some(*value);
        }
        let (label, parent) = name.split_once('.')?;
        if label.is_empty() {
            return None;
        }
        self.wildcard.get(parent).copied()
    }
}

/// Letters, digits, hyphens and underscores in labels: what clients can ask for by SNI (RFC 6066 section 3), which no
/// address is.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(is_plain)
    };
    name.len() <= NAME_LEN_MAX
        && name.split('.').all(is_label)
        && name.parse::<std::net::IpAddr>().is_err()
}

/// RFC 1035 section 2.3.4, without the length of the root.
const NAME_LEN_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(all: &[&str]) -> Names {
        let mut names = Names::default();
        for (value, name) in all.iter().enumerate() {
            names.add(name, value).unwrap();
        }
        names
    }

    #[test]
    fn the_exact_name_comes_before_the_wildcard() {
        let names = names(&["*.shop.example", "api.shop.example", "localhost"]);
        for (asked, expected) in [
            ("api.shop.example", Some(1)),
            ("API.Shop.Example.", Some(1)),
            ("www.shop.example", Some(0)),
            ("WWW.shop.example", Some(0)),
            ("localhost", Some(2)),
            // A wildcard stands for one label (RFC 9525 section 6.3).
            ("shop.example", None),
            ("a.b.shop.example", None),
            (".shop.example", None),
            ("*.shop.example", Some(0)),
            ("", None),
            (".", None),
            ("127.0.0.1", None),
            ("\u{fc}.shop.example", Some(0)),
        ] {
            assert_eq!(names.find(asked), expected, "{asked:?}");
        }
        assert_eq!(names.find(&"a".repeat(254)), None);
    }

    #[test]
    fn what_nobody_can_ask_for_is_no_name() {
        for name in [
            "",
            ".",
            "*",
            "*.",
            "*.*.example",
            "a.*.example",
            "w*.example",
            "a..b",
            "127.0.0.1",
            "::1",
            "shop.example:443",
            "https://shop.example",
            "sh op",
            "\u{fc}.example",
        ] {
            let added = Names::default().add(name, 0);
            assert_eq!(added, Err(NotAdded::Invalid), "{name:?}");
        }
        let mut names = names(&["Shop.example"]);
        assert_eq!(names.add("shop.example.", 1), Err(NotAdded::Duplicate));
        assert_eq!(names.add("*.shop.example", 1), Ok(()));
    }

    proptest! {
        #[test]
        fn it_finds_what_a_list_finds(
            all in proptest::collection::hash_set("(\\*\\.)?[ab](\\.[ab]){0,2}", 0..8),
            asked in "[abAB]?(\\.[abAB]){0,3}\\.?",
        ) {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let names = names(&all);
            let lower = asked.to_lowercase();
            let lower = lower.strip_suffix('.').unwrap_or(&lower);
            let exact = all.iter().position(|name| *name == lower);
            let wildcard = || {
                let (label, parent) = lower.split_once('.')?;
                all.iter().position(|name| !label.is_empty() && name.strip_prefix("*.") == Some(parent))
            };
            prop_assert_eq!(names.find(&asked), exact.or_else(wildcard));
        }
    }
}

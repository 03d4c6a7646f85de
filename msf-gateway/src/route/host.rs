//! Which hosts a route takes, and the trees of each.

use std::cmp::Ordering;

use super::error::InvalidMatch;

/// What a route says about the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    #[default]
    Any,
    /// In lower case.
    Exact(Box<str>),
    /// What follows the star, with its dot, in lower case.
    Wildcard(Box<str>),
}

impl Host {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidMatch> {
        let invalid = || InvalidMatch::Host { host: text.into() };
        let lower = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if lower.len() > HOST_MAX {
            return Err(invalid());
        }
        if let Some(name) = lower.strip_prefix("*.") {
            return if is_name(name) {
                Ok(Self::Wildcard(lower[1..].into()))
            } else {
                Err(invalid())
            };
        }
        let is_v6 = || {
            let inner = lower.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
            inner.is_some_and(|it| it.parse::<std::net::Ipv6Addr>().is_ok())
        };
        if is_name(&lower) || is_v6() {
            Ok(Self::Exact(lower.into()))
        } else {
            Err(invalid())
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_fit)
    };
    name.split('.').all(is_label)
}

/// One value per host that any route names.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts<V> {
    /// Sorted, for a search that needs no copy in lower case.
    exact: Vec<(Box<str>, V)>,
    wildcards: Vec<(Box<str>, V)>,
    any: V,
}

impl<V: Default> Hosts<V> {
    pub(super) fn entry(&mut self, host: &Host) -> &mut V {
        let (list, name) = match host {
            Host::Any => return &mut self.any,
            Host::Exact(name) => (&mut self.exact, name),
            Host::Wildcard(suffix) => (&mut self.wildcards, suffix),
        };
        let at = match list.binary_search_by(|(own, _)| own.cmp(name)) {
            Ok(at) => at,
            Err(at) => {
                list.insert(at, (name.clone(), V::default()));
                at
            }
        };
        &mut list[at].1
    }
}

impl<V> Hosts<V> {
    /// The values for a host, the most specific first.
    pub(super) fn of<'s, 'h>(
        &'s self,
        host: Option<&'h str>,
    ) -> impl Iterator<Item = &'s V> + use<'s, 'h, V> {
        let is_asked = !self.exact.is_empty() || !self.wildcards.is_empty();
        let host = host.filter(|_| is_asked).map(bare).unwrap_or_default();
        let exact = search(&self.exact, host);
        // From the left, the longest suffix comes first.
        let dots = host.bytes().enumerate().skip(1);
        let dots = dots.filter(|_| !self.wildcards.is_empty());
        let wildcards = dots.filter(|(_, byte)| *byte == b'.');
        let wildcards = wildcards.filter_map(|(at, _)| search(&self.wildcards, host.get(at..)?));
        exact.into_iter().chain(wildcards).chain([&self.any])
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &V> {
        let named = self.exact.iter().chain(&self.wildcards);
        named.map(|(_, value)| value).chain([&self.any])
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let named = self.exact.iter_mut().chain(&mut self.wildcards);
        named.map(|(_, value)| value).chain([&mut self.any])
    }
}

/// A host without its port and the dot at its end; empty if it is longer than any name.
fn bare(host: &str) -> &str {
    let name = if host.starts_with('[') {
        host.find(']').map_or(host, |end| &host[..=end])
    } else {
        host.split(':').next().unwrap_or_default()
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > HOST_MAX { "" } else { name }
}

fn search<'s, V>(list: &'s [(Box<str>, V)], host: &str) -> Option<&'s V> {
    let at = list.binary_search_by(|(own, _)| compare(own, host)).ok()?;
    Some(&list[at].1)
}

fn compare(lower: &str, host: &str) -> Ordering {
    let host = host.bytes().map(|byte| byte.to_ascii_lowercase());
    lower.bytes().cmp(host)
}

/// The longest name that DNS knows (RFC 1035 §2.3.4).
const HOST_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_host_comes_first() {
        let mut hosts = Hosts::<Vec<&str>>::default();
        for name in [
            "shop.example",
            "*.shop.example",
            "*.eu.shop.example",
            "[::1]",
            "10.0.0.1",
        ] {
            hosts.entry(&Host::parse(name).unwrap()).push(name);
        }
        hosts.any.push("any");
        for (host, expected) in [
            ("shop.example", &["shop.example", "any"][..]),
            ("SHOP.example.:8080", &["shop.example", "any"]),
            ("a.shop.example", &["*.shop.example", "any"]),
            (
                "a.eu.Shop.Example",
                &["*.eu.shop.example", "*.shop.example", "any"],
            ),
            ("eu.shop.example", &["*.shop.example", "any"]),
            ("a.b.c.shop.example", &["*.shop.example", "any"]),
            (".shop.example", &["any"]),
            ("xshop.example", &["any"]),
            ("shop.example.evil", &["any"]),
            ("[::1]:80", &["[::1]", "any"]),
            ("10.0.0.1:80", &["10.0.0.1", "any"]),
            ("", &["any"]),
            ("[", &["any"]),
            ("user@shop.example", &["any"]),
            ("é.shop.example", &["*.shop.example", "any"]),
        ] {
            let found: Vec<&str> = hosts.of(Some(host)).map(|it| it[0]).collect();
            assert_eq!(found, expected, "{host}");
        }
        let long = format!("{}.shop.example", "a.".repeat(200));
        assert_eq!(hosts.of(Some(&long)).count(), 1);
        assert_eq!(hosts.of(None).count(), 1);
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for host in [
            "", "*", "*.", "a..b", "a:80", "http://a", "a.*.b", "*a.b", "a b", "[::g]", "é",
        ] {
            assert!(Host::parse(host).is_err(), "{host}");
        }
        assert_eq!(
            Host::parse("*.Shop.Example.").unwrap(),
            Host::Wildcard(".shop.example".into())
        );
    }
}

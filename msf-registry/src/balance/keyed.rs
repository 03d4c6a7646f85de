//! Instances in an order of their own.

use std::borrow::Cow;

/// An instance that keys are placed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keyed<'k> {
    pub(super) key: Cow<'k, str>,
    /// At least 1.
    pub(super) weight: u16,
    /// Where the instance is in the list of the caller.
    pub(super) place: u32,
}

/// The instances in the order of their keys, so that what is built of them depends on who is there and not on the
/// order in which a registry lists them; each under a key of its own.
///
/// Two instances have one key while a lease of a process that was restarted at its address still runs, and all have
/// when somebody writes `hash_key` into the template of a deployment: the second is placed as `key#1` then. The same
/// points would leave it without calls, and a thousand times the same permutation would take Maglev's table minutes.
pub(super) fn keyed<'k>(hosts: impl IntoIterator<Item = (&'k str, u16)>) -> Vec<Keyed<'k>> {
    let mut hosts: Vec<Keyed<'k>> = (0_u32..)
        .zip(hosts)
        .map(|(place, (key, weight))| Keyed {
            key: Cow::Borrowed(key),
            weight: weight.max(1),
            place,
        })
        .collect();
    hosts.sort_by(|a, b| a.key.cmp(&b.key));
    let (mut first, mut copies) = (0, 0_u32);
    let mut renamed = Vec::new();
    for n in 1..hosts.len() {
        if hosts[n].key != hosts[first].key {
            (first, copies) = (n, 0);
            continue;
        }
        let key = loop {
            copies += 1;
            let key = format!("{}#{copies}", hosts[first].key);
            // Somebody may be called so.
            if hosts
                .binary_search_by(|host| (*host.key).cmp(&key))
                .is_err()
            {
                break key;
            }
        };
        renamed.push((n, key));
    }
    for (n, key) in renamed {
        hosts[n].key = Cow::Owned(key);
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_takes_nobodys_key() {
        let hosts = keyed([("a#1", 1), ("a", 1), ("a", 2), ("a", 3), ("a#1", 2)]);
        let mut keys: Vec<_> = hosts.iter().map(|host| &*host.key).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["a", "a#1", "a#1#1", "a#2", "a#3"]);
    }

    #[test]
    fn the_order_is_that_of_the_keys_and_each_key_is_used_once() {
        let hosts = keyed([("b", 3), ("a", 0), ("b", 1), ("c", 1), ("b", 2)]);
        let seen: Vec<_> = hosts
            .iter()
            .map(|host| (&*host.key, host.weight, host.place))
            .collect();
        assert_eq!(
            seen,
            [
                ("a", 1, 1),
                ("b", 3, 0),
                ("b#1", 1, 2),
                ("b#2", 2, 4),
                ("c", 1, 3)
            ]
        );
    }
}

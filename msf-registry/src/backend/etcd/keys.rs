//! Which keys there are, and what they mean.
//!
//! | key | value | lease |
//! |---|---|---|
//! | `{prefix}/{service}/{id}` | the instance, as JSON | the registration's |
//! | `{prefix}/{service}/{id}/left` | empty: it has deregistered | the same, as long as it still lives |
//! | `{prefix}/.epoch` | 16 hexadecimal digits: this life of etcd's memory | none |
//! | `{prefix}/.warming` | empty: this life has just begun | the warm-up's |

use msf_core::name::{InstanceId, ServiceName};

/// The keys under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: Box<str>,
}

/// All keys from the first up to, but not including, the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: String,
    pub(super) to: String,
}

/// What a key under the prefix of a service is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// An instance.
    Listed(InstanceId),
    /// That it has deregistered.
    Left(InstanceId),
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    pub(super) fn instance(&self, service: &ServiceName, id: &InstanceId) -> String {
        format!("{}/{service}/{id}", self.prefix)
    }

    pub(super) fn left(&self, service: &ServiceName, id: &InstanceId) -> String {
        format!("{}/{service}/{id}{LEFT}", self.prefix)
    }

    /// With the slash: without, `user` would have the instances of `user-admin` as well.
    pub(super) fn of_service(&self, service: &ServiceName) -> Range {
        self.below(service.as_str())
    }

    pub(super) fn epoch(&self) -> String {
        format!("{}/{EPOCH}", self.prefix)
    }

    pub(super) fn warming(&self) -> String {
        format!("{}/{WARMING}", self.prefix)
    }

    /// The two keys about this life of etcd's memory. No service begins with a dot.
    pub(super) fn about(&self) -> Range {
        Range {
            from: format!("{}/.", self.prefix),
            to: format!("{}//", self.prefix),
        }
    }

    pub(super) fn all(&self) -> Range {
        Range {
            from: format!("{}/", self.prefix),
            to: format!("{}0", self.prefix),
        }
    }

    /// What a key is about, if it is one of ours and belongs to the service.
    pub(super) fn entry(&self, service: &ServiceName, key: &[u8]) -> Option<Entry> {
        let (found, entry) = self.parse(key)?;
        (found == *service).then_some(entry)
    }

    /// The service that a key lists an instance of.
    pub(super) fn listed(&self, key: &[u8]) -> Option<ServiceName> {
        match self.parse(key)? {
            (service, Entry::Listed(_)) => Some(service),
            (_, Entry::Left(_)) => None,
        }
    }

    fn parse(&self, key: &[u8]) -> Option<(ServiceName, Entry)> {
        let key = std::str::from_utf8(key).ok()?;
        let rest = key.strip_prefix(&*self.prefix)?.strip_prefix('/')?;
        let (service, rest) = rest.split_once('/')?;
        let service = ServiceName::new(service).ok()?;
        let entry = match rest.strip_suffix(LEFT) {
            Some(id) => Entry::Left(InstanceId::new(id).ok()?),
            None => Entry::Listed(InstanceId::new(rest).ok()?),
        };
        Some((service, entry))
    }

    fn below(&self, name: &str) -> Range {
        Range {
            from: format!("{}/{name}/", self.prefix),
            // '0' is the byte after '/'.
            to: format!("{}/{name}0", self.prefix),
        }
    }
}

/// An id has no slash, so that an instance called `left` is no confusion.
const LEFT: &str = "/left";
pub(super) const EPOCH: &str = ".epoch";
pub(super) const WARMING: &str = ".warming";

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> ServiceName {
        ServiceName::new(name).unwrap()
    }

    fn id(id: &str) -> InstanceId {
        InstanceId::new(id).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let keys = Keys::new("/msf");
        let user = service("user");
        for name in ["u-1", "left", "10.0.0.7:80", "a..b", "A_b"] {
            let listed = keys.instance(&user, &id(name));
            let entry = keys.entry(&user, listed.as_bytes());
            assert_eq!(entry, Some(Entry::Listed(id(name))));
            let left = keys.left(&user, &id(name));
            let entry = keys.entry(&user, left.as_bytes());
            assert_eq!(entry, Some(Entry::Left(id(name))));
            assert_eq!(keys.listed(listed.as_bytes()), Some(user.clone()));
            assert_eq!(keys.listed(left.as_bytes()), None);
        }
    }

    #[test]
    fn a_range_has_the_keys_of_its_service_and_no_others() {
        let keys = Keys::new("/msf");
        let range = keys.of_service(&service("user"));
        let is_in = |key: &str| *key >= *range.from && *key < *range.to;
        let of = |name| keys.instance(&service(name), &id("x"));
        assert!(is_in(&of("user")));
        assert!(is_in(&keys.left(&service("user"), &id("x"))));
        for other in ["use", "user-admin", "user0", "users"] {
            assert!(!is_in(&of(other)), "{other}");
        }
        let about = keys.about();
        for key in [keys.epoch(), keys.warming()] {
            assert!(key >= about.from && key < about.to, "{key}");
        }
        assert!(of("user") >= about.to);
        let all = keys.all();
        assert!(of("user") >= all.from && of("zebra") < all.to);
    }

    #[test]
    fn a_key_of_somebody_else_is_none_of_ours() {
        let keys = Keys::new("/msf");
        for key in [
            &b"/msf/user/u-1/right"[..],
            b"/msf/user/",
            b"/msf/User/u-1",
            b"/msf/user/two words",
            b"/other/user/u-1",
            b"/msf/.epoch",
            b"/msf/user/\xff",
            b"/msf/user-admin/u-1",
        ] {
            assert_eq!(keys.entry(&service("user"), key), None, "{key:?}");
        }
    }
}

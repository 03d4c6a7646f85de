//! What checks from this process say, laid over what the registry lists.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
};

use msf_core::name::InstanceId;

use crate::model::{Authority, Health, Member, Snapshot};

/// The last list of the registry and what our own checks found; survives every new list.
///
/// An instance is unhealthy if the registry or a check of ours says so: the registry may see what we do not, and
/// what we cannot reach we cannot call.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    listed: Option<Snapshot>,
    probed: HashMap<InstanceId, Probed>,
    /// Those that the registry lists no more, but whose checks pass.
    kept: Vec<Member>,
}

/// What a check of ours found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probed {
    pub(crate) id: InstanceId,
    /// Where it was called: what was found there says nothing about another address.
    pub(crate) addr: SocketAddr,
    pub(crate) health: Health,
    /// Whether passing keeps it listed when the registry drops it without a word of its own.
    pub(crate) keeps: bool,
}

impl Overlay {
    /// Takes in a list of the registry; gives the list to use.
    pub(crate) fn list(&mut self, snapshot: Snapshot) -> Snapshot {
        if !self.probed.is_empty() {
            self.keep(&snapshot);
            let known: HashSet<_> = ids(snapshot.instances()).chain(ids(&self.kept)).collect();
            self.probed.retain(|id, _| known.contains(id));
        }
        let shown = self.laid_over(&snapshot);
        self.listed = Some(snapshot);
        shown
    }

    /// Takes in what checks found; gives the list to use when it is another one.
    pub(crate) fn probe(&mut self, found: impl IntoIterator<Item = Probed>) -> Option<Snapshot> {
        let mut is_news = false;
        for probed in found {
            if probed.health == Health::Unhealthy {
                let before = self.kept.len();
                self.kept.retain(|kept| kept.instance.id != probed.id);
                is_news |= self.kept.len() != before;
            }
            let before = self.probed.insert(probed.id.clone(), probed.clone());
            is_news |= before.as_ref() != Some(&probed);
        }
        self.listed
            .clone()
            .filter(|_| is_news)
            .map(|listed| self.laid_over(&listed))
    }

    /// Forgets what checks found; gives the list to use when it is another one.
    pub(crate) fn clear(&mut self) -> Option<Snapshot> {
        let is_news = !self.probed.is_empty();
        self.probed.clear();
        self.kept.clear();
        self.listed.clone().filter(|_| is_news)
    }

    fn keep(&mut self, next: &Snapshot) {
        // Whoever left said so.
        if next.authority() == Authority::Explicit {
            self.kept.clear();
            return;
        }
        let present: HashSet<_> = ids(next.instances()).collect();
        // Whoever is at its address now is who answers there.
        let taken = next.instances().iter().map(|member| member.instance.addr());
        let taken: HashSet<SocketAddr> = taken.collect();
        let before = self.listed.iter().flat_map(Snapshot::instances);
        let gone = before.filter(|member| {
            let probed = self.probed.get(&member.instance.id);
            probed.is_some_and(|probed| {
                probed.keeps
                    && probed.health == Health::Healthy
                    && probed.addr == member.instance.addr()
                    && member.health != Health::Unhealthy
            })
        });
        let mut kept: Vec<Member> = gone.chain(&self.kept).cloned().collect();
        kept.retain(|member| {
            let instance = &member.instance;
            !present.contains(&instance.id) && !taken.contains(&instance.addr())
        });
        self.kept = kept;
    }

    fn laid_over(&self, listed: &Snapshot) -> Snapshot {
        if self.probed.is_empty() {
            return listed.clone();
        }
        let members = listed.instances().iter().chain(&self.kept);
        let mut members: Vec<Member> = members
            .map(|member| {
                let probed = self.probed.get(&member.instance.id);
                let probed = probed.filter(|p| p.addr == member.instance.addr());
                let mut shown = member.clone();
                shown.health = probed.map_or(member.health, |p| joined(member.health, p.health));
                shown
            })
            .collect();
        members.sort_by(|a, b| a.instance.id.cmp(&b.instance.id));
        let members: Arc<[Member]> = members.into();
        Snapshot::new(
            listed.service().clone(),
            listed.cursor(),
            listed.authority(),
            members,
        )
    }
}

fn ids(members: &[Member]) -> impl Iterator<Item = InstanceId> {
    members.iter().map(|member| member.instance.id.clone())
}

const fn joined(listed: Health, probed: Health) -> Health {
    match (listed, probed) {
        (Health::Unhealthy, _) | (_, Health::Unhealthy) => Health::Unhealthy,
        (Health::Healthy, _) | (_, Health::Healthy) => Health::Healthy,
        (Health::Unknown, Health::Unknown) => Health::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use msf_core::name::ServiceName;

    use super::*;
    use crate::model::{Cursor, Instance};

    fn id(text: &str) -> InstanceId {
        InstanceId::new(text).unwrap()
    }

    fn list(authority: Authority, members: &[(&str, u16, Health)]) -> Snapshot {
        let service = ServiceName::new("payment").unwrap();
        let members: Vec<_> = members
            .iter()
            .map(|(name, port, health)| {
                let addr = ([10, 0, 0, 1], *port).into();
                let instance = Instance::new(service.clone(), id(name), addr);
                Member::new(Arc::new(instance), *health)
            })
            .collect();
        Snapshot::new(service, Cursor::new(1, 1), authority, members)
    }

    fn found(name: &str, port: u16, health: Health, keeps: bool) -> [Probed; 1] {
        [Probed {
            id: id(name),
            addr: ([10, 0, 0, 1], port).into(),
            health,
            keeps,
        }]
    }

    fn shown(snapshot: &Snapshot) -> Vec<(&str, Health)> {
        let members = snapshot.instances().iter();
        members
            .map(|m| (m.instance.id.as_str(), m.health))
            .collect()
    }

    use Authority::{Complete, Explicit, Partial};
    use Health::{Healthy, Unhealthy, Unknown};

    #[test]
    fn either_side_makes_unhealthy() {
        for (listed, probed, expected) in [
            (Unknown, Unknown, Unknown),
            (Unknown, Healthy, Healthy),
            (Unknown, Unhealthy, Unhealthy),
            (Healthy, Unknown, Healthy),
            (Healthy, Unhealthy, Unhealthy),
            (Unhealthy, Healthy, Unhealthy),
            (Unhealthy, Unknown, Unhealthy),
        ] {
            assert_eq!(joined(listed, probed), expected, "{listed:?} {probed:?}");
        }
    }

    #[test]
    fn what_was_found_survives_a_new_list_and_not_a_new_address() {
        let mut overlay = Overlay::default();
        let _first = overlay.list(list(Complete, &[("a", 1, Unknown), ("b", 2, Unknown)]));
        let next = overlay.probe(found("a", 1, Unhealthy, false)).unwrap();
        assert_eq!(shown(&next), [("a", Unhealthy), ("b", Unknown)]);
        assert_eq!(overlay.probe(found("a", 1, Unhealthy, false)), None);
        let next = overlay.list(list(Complete, &[("a", 1, Unknown)]));
        assert_eq!(shown(&next), [("a", Unhealthy)]);
        let next = overlay.list(list(Complete, &[("a", 9, Unknown)]));
        assert_eq!(shown(&next), [("a", Unknown)]);
    }

    #[test]
    fn without_checks_a_list_is_what_it_was() {
        let mut overlay = Overlay::default();
        let listed = list(Partial, &[("a", 1, Healthy)]);
        assert_eq!(overlay.list(listed.clone()), listed);
        let _found = overlay.probe(found("a", 1, Unhealthy, false));
        assert_eq!(overlay.clear(), Some(listed));
        assert_eq!(overlay.clear(), None);
    }

    #[test]
    fn one_that_passes_is_kept_until_it_fails() {
        let mut overlay = Overlay::default();
        let both = [("a", 1, Unknown), ("b", 2, Unknown)];
        let _first = overlay.list(list(Complete, &both));
        let _found = overlay.probe(found("a", 1, Healthy, true));
        let next = overlay.list(list(Complete, &[]));
        assert_eq!(shown(&next), [("a", Healthy)], "nobody has checked b");
        let again = overlay.list(list(Complete, &[]));
        assert_eq!(shown(&again), [("a", Healthy)]);
        let next = overlay.probe(found("a", 1, Unhealthy, true)).unwrap();
        assert_eq!(shown(&next), []);
        let next = overlay.list(list(Complete, &[]));
        assert_eq!(shown(&next), []);
    }

    #[test]
    fn whoever_left_by_its_own_word_is_not_kept() {
        let mut overlay = Overlay::default();
        let _first = overlay.list(list(Complete, &[("a", 1, Unknown)]));
        let _found = overlay.probe(found("a", 1, Healthy, true));
        assert_eq!(shown(&overlay.list(list(Explicit, &[]))), []);
        let _back = overlay.list(list(Complete, &[("a", 1, Unknown)]));
        let _found = overlay.probe(found("a", 1, Healthy, false));
        assert_eq!(shown(&overlay.list(list(Complete, &[]))), []);
    }

    #[test]
    fn whoever_comes_back_under_another_id_is_listed_once() {
        let mut overlay = Overlay::default();
        let _first = overlay.list(list(Complete, &[("a-1", 1, Unknown)]));
        for n in 2..5 {
            let before = format!("a-{}", n - 1);
            let _found = overlay.probe(found(&before, 1, Healthy, true));
            let next = overlay.list(list(Complete, &[(&format!("a-{n}"), 1, Unknown)]));
            assert_eq!(next.instances().len(), 1, "{n}");
        }
        assert_eq!((overlay.kept.len(), overlay.probed.len()), (0, 0));
    }

    #[test]
    fn whoever_comes_back_is_listed_once() {
        let mut overlay = Overlay::default();
        let _first = overlay.list(list(Complete, &[("a", 1, Unknown)]));
        let _found = overlay.probe(found("a", 1, Healthy, true));
        let _kept = overlay.list(list(Complete, &[]));
        let next = overlay.list(list(Complete, &[("a", 1, Unknown)]));
        assert_eq!(shown(&next), [("a", Healthy)]);
        assert_eq!(overlay.kept, []);
    }
}

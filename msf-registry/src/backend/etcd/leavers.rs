//! Who has gone, and whether they have said so: a plain state machine.
//!
//! A key that expired is deleted like one that was removed. Whoever deregisters leaves a key behind that says
//! so, which explains its absence to everybody who knew it. An absence that nothing explains makes the lists
//! of the service doubtful for a while: all leases running out at once is what a defect looks like.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use crate::model::{Authority, Cursor};

/// What this client remembers of the services that it was asked about.
#[derive(Debug, Default)]
pub(super) struct Leavers {
    services: BTreeMap<ServiceName, Seen>,
}

#[derive(Debug)]
struct Seen {
    cursor: Cursor,
    ids: BTreeSet<InstanceId>,
    /// Who is missed, and since when.
    missed: BTreeMap<InstanceId, Instant>,
}

impl Leavers {
    /// Takes in who is listed, and who has said goodbye; gives how far the list can be vouched for.
    pub(super) fn take(
        &mut self,
        service: &ServiceName,
        cursor: Cursor,
        listed: BTreeSet<InstanceId>,
        left: &BTreeSet<InstanceId>,
        now: Instant,
    ) -> Authority {
        let Some(seen) = self.services.get_mut(service) else {
            if !listed.is_empty() {
                let seen = Seen {
                    cursor,
                    ids: listed,
                    missed: BTreeMap::new(),
                };
                self.services.insert(service.clone(), seen);
            }
            // Whoever fell silent before is not known, so a goodbye of others does not speak for all.
            return Authority::Complete;
        };
        let is_late =
            seen.cursor.epoch() == cursor.epoch() && seen.cursor.revision() > cursor.revision();
        if is_late {
            // It was overtaken by another answer, which says more.
            return Authority::Complete;
        }
        seen.cursor = cursor;
        let is_explained = |id: &InstanceId| listed.contains(id) || left.contains(id);
        let before = std::mem::take(&mut seen.ids);
        for id in before.into_iter().filter(|id| !is_explained(id)) {
            seen.missed.entry(id).or_insert(now);
        }
        // Whoever came back is missed no more, and nobody is missed for ever.
        seen.missed
            .retain(|id, since| !is_explained(id) && now.saturating_duration_since(*since) < DOUBT);
        let is_doubtful = !seen.missed.is_empty();
        let is_over = listed.is_empty() && left.is_empty() && !is_doubtful;
        seen.ids = listed;
        if is_over {
            // Everybody left long ago; nothing is kept about services that are no more.
            self.services.remove(service);
        }
        if is_doubtful {
            Authority::Complete
        } else {
            Authority::Explicit
        }
    }
}

/// As long as an empty list is held back unless set otherwise: after it, it is believed anyway.
const DOUBT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use msf_core::clock;

    use super::*;

    struct Watched {
        leavers: Leavers,
        revision: u64,
        now: Instant,
    }

    fn ids(ids: &[&str]) -> BTreeSet<InstanceId> {
        ids.iter().map(|id| InstanceId::new(id).unwrap()).collect()
    }

    impl Watched {
        fn new() -> Self {
            Self {
                leavers: Leavers::default(),
                revision: 0,
                now: clock::now(),
            }
        }

        fn see(&mut self, listed: &[&str], left: &[&str]) -> Authority {
            self.revision += 1;
            let service = ServiceName::new("payment").unwrap();
            let cursor = Cursor::new(1, self.revision);
            self.leavers
                .take(&service, cursor, ids(listed), &ids(left), self.now)
        }
    }

    #[test]
    fn a_goodbye_explains_an_empty_list() {
        let mut watched = Watched::new();
        watched.see(&["a", "b"], &[]);
        assert_eq!(watched.see(&["b"], &["a"]), Authority::Explicit);
        assert_eq!(watched.see(&[], &["a", "b"]), Authority::Explicit);
    }

    #[test]
    fn an_absence_without_a_goodbye_is_doubtful_for_a_while() {
        let mut watched = Watched::new();
        watched.see(&["a", "b"], &[]);
        assert_eq!(watched.see(&["b"], &[]), Authority::Complete);
        watched.now += DOUBT - Duration::from_millis(1);
        assert_eq!(watched.see(&[], &["b"]), Authority::Complete);
        watched.now += Duration::from_millis(1);
        assert_eq!(watched.see(&[], &["b"]), Authority::Explicit);
    }

    #[test]
    fn whoever_comes_back_is_missed_no_more() {
        let mut watched = Watched::new();
        watched.see(&["a", "b"], &[]);
        assert_eq!(watched.see(&[], &[]), Authority::Complete);
        assert_eq!(watched.see(&["a"], &[]), Authority::Complete);
        assert_eq!(watched.see(&["a", "b"], &[]), Authority::Explicit);
        assert_eq!(watched.see(&[], &["a", "b"]), Authority::Explicit);
    }

    #[test]
    fn who_was_never_seen_is_never_vouched_for() {
        assert_eq!(Watched::new().see(&[], &[]), Authority::Complete);
        assert_eq!(Watched::new().see(&["a"], &[]), Authority::Complete);
        assert_eq!(Watched::new().see(&[], &["a"]), Authority::Complete);
    }

    #[test]
    fn an_emptied_etcd_explains_nothing() {
        let mut watched = Watched::new();
        watched.see(&["a"], &[]);
        let service = ServiceName::new("payment").unwrap();
        let reborn = Cursor::new(2, 1);
        let authority = watched
            .leavers
            .take(&service, reborn, ids(&[]), &ids(&[]), watched.now);
        assert_eq!(authority, Authority::Complete);
    }

    #[test]
    fn an_answer_that_was_overtaken_changes_nothing() {
        let mut watched = Watched::new();
        watched.see(&["a"], &[]);
        watched.see(&["a", "b"], &[]);
        watched.revision = 0;
        assert_eq!(watched.see(&["a"], &[]), Authority::Complete);
        watched.revision = 9;
        assert_eq!(watched.see(&["a", "b"], &[]), Authority::Explicit);
    }

    #[test]
    fn nothing_is_kept_about_services_that_are_no_more() {
        let mut watched = Watched::new();
        watched.see(&[], &[]);
        assert!(watched.leavers.services.is_empty());
        watched.see(&["a"], &[]);
        watched.see(&[], &["a"]);
        assert_eq!(watched.see(&[], &[]), Authority::Explicit);
        assert!(watched.leavers.services.is_empty());
    }
}

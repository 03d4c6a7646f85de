//! Which list of instances to use, given what the registry says: a plain state machine.

use std::{collections::BTreeMap, time::Duration};

use msf_core::name::InstanceId;
use tokio::time::Instant;

use crate::model::{Authority, Cursor, Member, Snapshot};

/// Decides which snapshots callers get to see.
#[derive(Debug)]
pub(super) struct Track {
    /// For how long a list that became empty is not believed.
    empty_hold: Duration,
    cursor: Option<Cursor>,
    in_use: Option<Snapshot>,
    /// An empty list, and when it will be believed; without a time, never.
    held: Option<(Snapshot, Option<Instant>)>,
}

impl Track {
    pub(super) const fn new(empty_hold: Duration) -> Self {
        Self {
            empty_hold,
            cursor: None,
            in_use: None,
            held: None,
        }
    }

    /// Where to continue from; `None` to fetch everything.
    pub(super) const fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// Forgets the position, but not the list.
    pub(super) const fn lose_cursor(&mut self) {
        self.cursor = None;
    }

    /// When the held list becomes due.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.held.as_ref().and_then(|(_, due_at)| *due_at)
    }

    /// Takes in a snapshot; gives the list to use from now on, if it is another one.
    pub(super) fn take(&mut self, snapshot: Snapshot, now: Instant) -> Option<Snapshot> {
        let cursor = snapshot.cursor();
        if let Some(last) = self.cursor
            && last.epoch() == cursor.epoch()
            && last.revision() >= cursor.revision()
        {
            // Seen already, or late: an answer that was overtaken.
            return None;
        }
        self.cursor = Some(cursor);
        let Some(in_use) = &self.in_use else {
            return self.accept(snapshot);
        };
        if !snapshot.is_authoritative() {
            let merged = merged(in_use, &snapshot);
            return self.accept(merged);
        }
        let is_loss = snapshot.instances().is_empty() && !in_use.instances().is_empty();
        if is_loss && !self.empty_hold.is_zero() {
            // A second empty list does not start the wait again.
            let due_at = self.due_at().or_else(|| now.checked_add(self.empty_hold));
            self.held = Some((snapshot, due_at));
            return self.release(now);
        }
        self.accept(snapshot)
    }

    /// The held list, once it is due.
    pub(super) fn release(&mut self, now: Instant) -> Option<Snapshot> {
        let (snapshot, _) = self
            .held
            .take_if(|(_, due_at)| due_at.is_some_and(|due_at| due_at <= now))?;
        self.accept(snapshot)
    }

    fn accept(&mut self, snapshot: Snapshot) -> Option<Snapshot> {
        self.held = None;
        self.in_use = Some(snapshot.clone());
        Some(snapshot)
    }
}

/// What a registry that does not vouch for its list adds to ours; it takes nothing away.
fn merged(ours: &Snapshot, theirs: &Snapshot) -> Snapshot {
    let by_id: BTreeMap<&InstanceId, &Member> = ours
        .instances()
        .iter()
        .chain(theirs.instances())
        .map(|member| (&member.instance.id, member))
        .collect();
    let members: Vec<Member> = by_id.into_values().cloned().collect();
    Snapshot::new(
        theirs.service().clone(),
        theirs.cursor(),
        Authority::Partial,
        members,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use msf_core::{clock, name::ServiceName};
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Health, Instance};

    const HOLD: Duration = Duration::from_secs(30);

    fn snapshot(cursor: (u64, u64), is_authoritative: bool, ids: &[&str]) -> Snapshot {
        let service = ServiceName::new("payment").unwrap();
        let members: Vec<Member> = ids
            .iter()
            .map(|id| {
                let id = InstanceId::new(id).unwrap();
                let instance = Instance::new(service.clone(), id, ([127, 0, 0, 1], 80).into());
                Member::new(Arc::new(instance), Health::Unknown)
            })
            .collect();
        Snapshot::new(
            service,
            Cursor::new(cursor.0, cursor.1),
            if is_authoritative {
                Authority::Complete
            } else {
                Authority::Partial
            },
            members,
        )
    }

    fn ids(snapshot: Option<Snapshot>) -> Option<Vec<String>> {
        let ids = |s: Snapshot| {
            s.instances()
                .iter()
                .map(|m| m.instance.id.to_string())
                .collect()
        };
        snapshot.map(ids)
    }

    fn is(snapshot: Option<Snapshot>, expected: &[&str]) {
        let expected = expected.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(ids(snapshot), Some(expected));
    }

    #[test]
    fn a_revision_is_taken_once_and_never_backwards() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(track.take(snapshot((1, 5), true, &["a"]), now), &["a"]);
        assert_eq!(track.take(snapshot((1, 5), true, &["a"]), now), None);
        assert_eq!(track.take(snapshot((1, 4), true, &["b"]), now), None);
        is(track.take(snapshot((1, 6), true, &["b"]), now), &["b"]);
    }

    #[test]
    fn another_epoch_may_count_from_the_start() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(track.take(snapshot((1, 500), true, &["a"]), now), &["a"]);
        is(track.take(snapshot((2, 1), true, &["b"]), now), &["b"]);
    }

    #[test]
    fn a_registry_that_warms_up_only_adds() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(
            track.take(snapshot((1, 5), true, &["a", "b"]), now),
            &["a", "b"],
        );
        is(track.take(snapshot((2, 0), false, &[]), now), &["a", "b"]);
        is(
            track.take(snapshot((2, 1), false, &["c"]), now),
            &["a", "b", "c"],
        );
        is(
            track.take(snapshot((2, 2), true, &["a", "c"]), now),
            &["a", "c"],
        );
    }

    #[test]
    fn the_first_list_is_used_even_from_a_registry_that_warms_up() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(track.take(snapshot((1, 1), false, &["a"]), now), &["a"]);
    }

    #[test]
    fn an_empty_list_is_believed_only_after_the_hold() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        let _first = track.take(snapshot((1, 1), true, &["a"]), now);
        assert_eq!(track.take(snapshot((1, 2), true, &[]), now), None);
        assert_eq!(track.due_at(), Some(now + HOLD));
        let later = now + HOLD / 2;
        assert_eq!(track.take(snapshot((1, 3), true, &[]), later), None);
        assert_eq!(track.due_at(), Some(now + HOLD), "the wait started again");
        assert_eq!(track.release(later), None);
        is(track.release(now + HOLD), &[]);
        assert_eq!(track.due_at(), None);
    }

    #[test]
    fn whoever_comes_back_ends_the_hold() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        let _first = track.take(snapshot((1, 1), true, &["a"]), now);
        assert_eq!(track.take(snapshot((1, 2), true, &[]), now), None);
        is(track.take(snapshot((1, 3), true, &["b"]), now), &["b"]);
        assert_eq!(track.release(now + HOLD), None);
    }

    #[test]
    fn without_a_hold_an_empty_list_is_believed_at_once() {
        let (mut track, now) = (Track::new(Duration::ZERO), clock::now());
        let _first = track.take(snapshot((1, 1), true, &["a"]), now);
        is(track.take(snapshot((1, 2), true, &[]), now), &[]);
    }

    proptest! {
        /// Whatever the registry says, the list in use never becomes empty before the hold is over.
        #[test]
        fn nothing_empties_the_list_early(
            steps in proptest::collection::vec((1_u64..3, any::<bool>(), any::<bool>(), 0_u64..20), 1..60)
        ) {
            let (mut track, start) = (Track::new(HOLD), clock::now());
            let (mut now, mut revision) = (start, 0);
            let mut last_listed: Option<Instant> = None;
            for (epoch, is_authoritative, is_empty, pause) in steps {
                now += Duration::from_secs(pause);
                revision += 1;
                let in_use = track.release(now).into_iter();
                let list: &[&str] = if is_empty { &[] } else { &["a"] };
                let taken = track.take(snapshot((epoch, revision), is_authoritative, list), now);
                for snapshot in in_use.chain(taken) {
                    if let (true, Some(listed)) = (snapshot.instances().is_empty(), last_listed) {
                        prop_assert!(now >= listed + HOLD || track.in_use.is_some());
                        prop_assert!(now.saturating_duration_since(listed) >= HOLD);
                    }
                }
                if !is_empty { last_listed = Some(now); }
            }
        }
    }
}

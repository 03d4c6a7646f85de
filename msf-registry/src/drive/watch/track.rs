//! Which list of instances to use, given what the registry says: a plain state machine.

use std::{collections::BTreeMap, time::Duration};

use msf_core::name::InstanceId;
use tokio::time::Instant;

use crate::model::{Authority, Cursor, Member, Snapshot};

/// Decides how much of what the registry says is believed, and when.
///
/// Who appears is believed at once. Who disappears is too, unless the registry gives reason for doubt:
///
/// - It does not vouch for its list ([`Authority::Partial`]): nobody is taken off.
/// - Its list became empty, and nobody has said that this is meant: nobody is taken off for the hold.
/// - It has another memory than before (its epoch changed) without having said that it is incomplete: nobody is taken off
///   for the hold, at most [30 s](RETURN_MAX), because instances return one by one and the first would get all calls.
///
/// [`Authority::Explicit`] ends every doubt, and so does a hold of zero.
#[derive(Debug)]
pub(super) struct Track {
    hold: Duration,
    cursor: Option<Cursor>,
    in_use: Option<Snapshot>,
    /// Whether the list in use comes from an earlier process, which knew another memory of the registry.
    is_persisted: bool,
    /// Whether a list was believed that the registry vouched for.
    is_vouched: bool,
    doubt: Option<Doubt>,
}

/// What the registry said last, while it is not believed in full.
#[derive(Debug)]
struct Doubt {
    word: Snapshot,
    since: Instant,
    /// Since when the word is that nobody is there; `None` while it lists somebody.
    empty_since: Option<Instant>,
}

impl Track {
    pub(super) const fn new(hold: Duration) -> Self {
        Self {
            hold,
            cursor: None,
            in_use: None,
            is_persisted: false,
            is_vouched: false,
            doubt: None,
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

    /// A list that an earlier process used; gives back what to use of it, unless the registry was quicker and vouches for
    /// its list.
    pub(super) fn preload(&mut self, snapshot: Snapshot) -> Option<Snapshot> {
        if self.is_vouched {
            return None;
        }
        let snapshot = match &self.in_use {
            None => tidied(snapshot),
            Some(theirs) => merged(&snapshot, theirs),
        };
        self.is_persisted = true;
        self.in_use = Some(snapshot.clone());
        Some(snapshot)
    }

    /// When the doubt ends; `None` when there is none, or when it has no end.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let doubt = self.doubt.as_ref()?;
        match doubt.empty_since {
            Some(since) => since.checked_add(self.hold),
            None => doubt.since.checked_add(self.hold.min(RETURN_MAX)),
        }
    }

    /// Takes in what the registry says; gives the list to use from now on, if it is another one.
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
        let snapshot = tidied(snapshot);
        let Some(in_use) = &self.in_use else {
            return Some(self.believe(snapshot));
        };
        match snapshot.authority() {
            Authority::Explicit => return Some(self.believe(snapshot)),
            Authority::Partial => {
                // What was doubted is of an older memory.
                self.doubt = None;
                return self.add(&snapshot);
            }
            Authority::Complete => {}
        }
        let is_loss = snapshot.instances().is_empty();
        let is_new_memory = !self.is_persisted && in_use.cursor().epoch() != cursor.epoch();
        let is_doubtful = is_loss || is_new_memory || self.doubt.is_some();
        if !is_doubtful || in_use.instances().is_empty() || self.hold.is_zero() {
            return Some(self.believe(snapshot));
        }
        // Another doubtful list does not start the wait again.
        let before = self.doubt.as_ref();
        let empty_since = before.and_then(|doubt| doubt.empty_since);
        self.doubt = Some(Doubt {
            word: snapshot.clone(),
            since: before.map_or(now, |doubt| doubt.since),
            empty_since: is_loss.then(|| empty_since.unwrap_or(now)),
        });
        self.release(now).or_else(|| self.add(&snapshot))
    }

    /// What the registry said, once the doubt is over.
    pub(super) fn release(&mut self, now: Instant) -> Option<Snapshot> {
        self.due_at().filter(|due_at| *due_at <= now)?;
        let doubt = self.doubt.take()?;
        Some(self.believe(doubt.word))
    }

    fn believe(&mut self, snapshot: Snapshot) -> Snapshot {
        self.doubt = None;
        self.is_persisted = false;
        self.is_vouched |= snapshot.is_authoritative();
        self.in_use = Some(snapshot.clone());
        snapshot
    }

    /// Adds what the registry says to the list in use; gives the list if it is another one.
    fn add(&mut self, theirs: &Snapshot) -> Option<Snapshot> {
        let ours = self.in_use.take()?;
        let merged = merged(&ours, theirs);
        let is_news = merged.instances() != ours.instances();
        self.in_use = Some(merged.clone());
        is_news.then_some(merged)
    }
}

/// All of both lists; who is on both is as they say.
fn merged(ours: &Snapshot, theirs: &Snapshot) -> Snapshot {
    let all = ours.instances().iter().chain(theirs.instances());
    sorted(theirs, Authority::Partial, all)
}

/// In order and without duplicates, as everything that reads a list expects it, whatever the backend does.
fn tidied(snapshot: Snapshot) -> Snapshot {
    let id = |member: &Member| member.instance.id.clone();
    if snapshot.instances().is_sorted_by(|a, b| id(a) < id(b)) {
        return snapshot;
    }
    sorted(&snapshot, snapshot.authority(), snapshot.instances().iter())
}

fn sorted<'a>(
    of: &Snapshot,
    authority: Authority,
    members: impl Iterator<Item = &'a Member>,
) -> Snapshot {
    let by_id: BTreeMap<&InstanceId, &Member> = members
        .map(|member| (&member.instance.id, member))
        .collect();
    let members: Vec<Member> = by_id.into_values().cloned().collect();
    Snapshot::new(of.service().clone(), of.cursor(), authority, members)
}

/// Two times to live: whoever lives has registered again by then.
const RETURN_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use msf_core::{clock, name::ServiceName};
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Health, Instance};

    const HOLD: Duration = Duration::from_secs(30);

    fn said(authority: Authority, cursor: (u64, u64), ids: &[&str]) -> Snapshot {
        let service = ServiceName::new("payment").unwrap();
        let members: Vec<Member> = ids
            .iter()
            .map(|id| {
                let id = InstanceId::new(id).unwrap();
                let instance = Instance::new(service.clone(), id, ([127, 0, 0, 1], 80).into());
                Member::new(Arc::new(instance), Health::Unknown)
            })
            .collect();
        Snapshot::new(service, Cursor::new(cursor.0, cursor.1), authority, members)
    }

    fn complete(cursor: (u64, u64), ids: &[&str]) -> Snapshot {
        said(Authority::Complete, cursor, ids)
    }

    fn explicit(cursor: (u64, u64), ids: &[&str]) -> Snapshot {
        said(Authority::Explicit, cursor, ids)
    }

    fn partial(cursor: (u64, u64), ids: &[&str]) -> Snapshot {
        said(Authority::Partial, cursor, ids)
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
        is(track.take(complete((1, 5), &["a"]), now), &["a"]);
        assert_eq!(track.take(complete((1, 5), &["a"]), now), None);
        assert_eq!(track.take(complete((1, 4), &["b"]), now), None);
        is(track.take(complete((1, 6), &["b"]), now), &["b"]);
    }

    #[test]
    fn a_lost_position_takes_the_list_as_it_comes() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(track.take(complete((1, 5), &["a"]), now), &["a"]);
        track.lose_cursor();
        assert_eq!(track.cursor(), None);
        is(track.take(complete((1, 3), &["b"]), now), &["b"]);
        assert_eq!(track.cursor(), Some(Cursor::new(1, 3)));
    }

    #[test]
    fn a_registry_with_another_memory_only_adds_until_the_others_had_time_to_return() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(
            track.take(complete((1, 500), &["a", "b"]), now),
            &["a", "b"],
        );
        is(track.take(complete((2, 1), &["c"]), now), &["a", "b", "c"]);
        assert_eq!(track.take(complete((2, 2), &["b", "c"]), now), None);
        is(
            track.take(complete((2, 3), &["b", "c", "d"]), now + HOLD / 2),
            &["a", "b", "c", "d"],
        );
        assert_eq!(track.due_at(), Some(now + HOLD));
        is(track.release(now + HOLD), &["b", "c", "d"]);
        is(track.take(complete((2, 4), &["d"]), now + HOLD), &["d"]);
    }

    #[test]
    fn another_memory_is_believed_when_it_was_incomplete_first_or_says_so() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(track.take(complete((1, 500), &["a"]), now), &["a"]);
        is(track.take(explicit((2, 1), &["b"]), now), &["b"]);
        is(track.take(partial((3, 1), &["c"]), now), &["b", "c"]);
        is(track.take(complete((3, 2), &["c"]), now), &["c"]);
    }

    #[test]
    fn a_registry_that_warms_up_only_adds() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(track.take(complete((1, 5), &["a", "b"]), now), &["a", "b"]);
        assert_eq!(track.take(partial((2, 0), &[]), now), None);
        is(track.take(partial((2, 1), &["c"]), now), &["a", "b", "c"]);
        is(track.take(complete((2, 2), &["a", "c"]), now), &["a", "c"]);
    }

    #[test]
    fn the_first_list_is_used_even_from_a_registry_that_warms_up() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(track.take(partial((1, 1), &["a"]), now), &["a"]);
    }

    #[test]
    fn an_empty_list_is_believed_only_after_the_hold() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        let _first = track.take(complete((1, 1), &["a"]), now);
        assert_eq!(track.take(complete((1, 2), &[]), now), None);
        assert_eq!(track.due_at(), Some(now + HOLD));
        let later = now + HOLD / 2;
        assert_eq!(track.take(complete((1, 3), &[]), later), None);
        assert_eq!(track.due_at(), Some(now + HOLD), "the wait started again");
        assert_eq!(track.release(later), None);
        is(track.release(now + HOLD), &[]);
        assert_eq!(track.due_at(), None);
    }

    #[test]
    fn an_empty_list_that_is_meant_is_believed_at_once() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        let _first = track.take(complete((1, 1), &["a"]), now);
        is(track.take(explicit((1, 2), &[]), now), &[]);
        // Also when it was doubted before.
        is(track.take(complete((1, 3), &["a"]), now), &["a"]);
        assert_eq!(track.take(complete((1, 4), &[]), now), None);
        is(track.take(explicit((1, 5), &[]), now), &[]);
        assert_eq!(track.due_at(), None);
    }

    #[test]
    fn whoever_comes_back_first_does_not_get_all_the_calls() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        let _first = track.take(complete((1, 1), &["a", "b", "c"]), now);
        assert_eq!(track.take(complete((1, 2), &[]), now), None);
        assert_eq!(track.take(complete((1, 3), &["b"]), now), None);
        is(
            track.take(complete((1, 4), &["b", "d"]), now),
            &["a", "b", "c", "d"],
        );
        is(track.release(now + HOLD), &["b", "d"]);
    }

    #[test]
    fn a_hold_without_end_ends_when_somebody_came_back() {
        let (mut track, now) = (Track::new(Duration::MAX), clock::now());
        let _first = track.take(complete((1, 1), &["a"]), now);
        assert_eq!(track.take(complete((1, 2), &[]), now), None);
        assert_eq!(track.due_at(), None);
        let later = now + HOLD * 9;
        is(track.take(complete((1, 3), &["b"]), later), &["b"]);
    }

    #[test]
    fn without_a_hold_everything_is_believed_at_once() {
        let (mut track, now) = (Track::new(Duration::ZERO), clock::now());
        let _first = track.take(complete((1, 1), &["a"]), now);
        is(track.take(complete((1, 2), &[]), now), &[]);
        is(track.take(complete((1, 3), &["a"]), now), &["a"]);
        is(track.take(complete((2, 1), &["b"]), now), &["b"]);
    }

    #[test]
    fn a_list_from_the_disk_is_used_until_the_registry_answers() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(track.preload(complete((1, 9), &["a", "b"])), &["a", "b"]);
        assert_eq!(track.cursor(), None, "everything is fetched");
        is(track.take(complete((2, 1), &["b"]), now), &["b"]);
        assert_eq!(track.preload(complete((1, 9), &["a"])), None, "too late");

        let mut track = Track::new(HOLD);
        let _first = track.preload(complete((1, 9), &["a"]));
        assert_eq!(track.take(complete((2, 1), &[]), now), None);
        is(track.release(now + HOLD), &[]);

        let mut track = Track::new(HOLD);
        let _first = track.preload(complete((1, 9), &["a"]));
        is(track.take(partial((2, 1), &["b"]), now), &["a", "b"]);
        is(track.take(complete((2, 2), &["b"]), now), &["b"]);
    }

    #[test]
    fn a_list_from_the_disk_adds_to_one_that_nobody_vouches_for() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(track.take(partial((2, 1), &["b"]), now), &["b"]);
        is(
            track.preload(complete((1, 9), &["c", "a"])),
            &["a", "b", "c"],
        );
        assert_eq!(track.cursor(), Some(Cursor::new(2, 1)));
        is(track.take(complete((2, 2), &["b"]), now), &["b"]);
        assert_eq!(track.preload(complete((1, 9), &["a"])), None, "too late");
    }

    #[test]
    fn a_list_out_of_order_or_with_duplicates_is_put_right() {
        let (mut track, now) = (Track::new(HOLD), clock::now());
        is(
            track.take(complete((1, 1), &["c", "a", "c", "b"]), now),
            &["a", "b", "c"],
        );
    }

    proptest! {
        /// Whatever the registry says, beside a reference that remembers every word of it.
        #[test]
        fn nobody_is_hidden_nobody_is_lost_early_and_the_truth_wins(
            steps in proptest::collection::vec((1_u64..3, 0_u8..3, 0_usize..8, 0_u64..20), 1..60)
        ) {
            let names = ["a", "b", "c"];
            let (mut track, mut now) = (Track::new(HOLD), clock::now());
            let (mut in_use, mut revision): (Vec<String>, u64) = (Vec::new(), 0);
            let mut word: Option<(Authority, Vec<String>)> = None;
            // When it last listed somebody.
            let mut listed_at: Option<Instant> = None;
            for (epoch, authority, bits, pause) in steps {
                now += Duration::from_secs(pause);
                revision += 1;
                if let Some(released) = ids(track.release(now)) {
                    let (_, said) = word.clone().unwrap();
                    prop_assert_eq!(&released, &said, "a doubt ends with the last word");
                    in_use = released;
                }
                let authority = [Authority::Partial, Authority::Complete, Authority::Explicit]
                    [usize::from(authority)];
                let list: Vec<&str> = (0..3).filter(|n| bits >> n & 1 == 1).map(|n| names[n]).collect();
                let before = in_use.clone();
                if let Some(taken) = ids(track.take(said(authority, (epoch, revision), &list), now)) {
                    prop_assert!(taken.is_sorted());
                    in_use = taken;
                }
                let listed: Vec<String> = list.iter().map(ToString::to_string).collect();
                prop_assert!(listed.iter().all(|id| in_use.contains(id)), "{in_use:?} hides one of {listed:?}");
                match authority {
                    Authority::Explicit => prop_assert_eq!(&in_use, &listed),
                    Authority::Partial => {
                        prop_assert!(before.iter().all(|id| in_use.contains(id)));
                    }
                    Authority::Complete => {
                        if in_use.is_empty() && !before.is_empty() {
                            prop_assert!(listed_at.is_some_and(|at| now - at >= HOLD));
                        }
                        prop_assert!(track.due_at().is_none_or(|due| due <= now + HOLD));
                    }
                }
                if !list.is_empty() { listed_at = Some(now); }
                word = Some((authority, listed));
            }
            if let (Some((Authority::Complete, said)), Some(due)) = (&word, track.due_at()) {
                prop_assert!(due <= now + HOLD);
                prop_assert_eq!(&ids(track.release(due)).unwrap(), said);
            }
        }
    }
}

//! When callers see a changed list: a plain state machine.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Snapshot;

/// Lets the first change after a quiet time through at once, and those that follow it together; whoever ends a time
/// without anybody is let through at once too.
///
/// A list that replaces another costs every policy a new table, and a roll-out changes lists in bursts.
#[derive(Debug)]
pub(super) struct Merge {
    window: Duration,
    last_at: Option<Instant>,
    /// Whether callers see nobody: then somebody is news that cannot wait.
    is_nobody: bool,
    waiting: Option<Snapshot>,
}

impl Merge {
    pub(super) const fn new(window: Duration) -> Self {
        Self {
            window,
            last_at: None,
            is_nobody: true,
            waiting: None,
        }
    }

    /// Another list; gives it back if callers see it now.
    pub(super) fn offer(&mut self, snapshot: Snapshot, now: Instant) -> Option<Snapshot> {
        let is_urgent = self.is_nobody && !snapshot.instances().is_empty();
        self.waiting = Some(snapshot);
        if is_urgent || self.opens_at().is_none_or(|at| at <= now) {
            return self.show(now);
        }
        None
    }

    /// When the list that waits is due.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.waiting.as_ref().and_then(|_| self.opens_at())
    }

    /// The list that waits, once it is due.
    pub(super) fn release(&mut self, now: Instant) -> Option<Snapshot> {
        self.due_at().filter(|at| *at <= now)?;
        self.show(now)
    }

    fn show(&mut self, now: Instant) -> Option<Snapshot> {
        let shown = self.waiting.take()?;
        self.last_at = Some(now);
        self.is_nobody = shown.instances().is_empty();
        Some(shown)
    }

    fn opens_at(&self) -> Option<Instant> {
        self.last_at.map(|last| last + self.window)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use msf_core::{
        clock,
        name::{InstanceId, ServiceName},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Authority, Cursor, Health, Instance, Member};

    const WINDOW: Duration = Duration::from_millis(100);
    const MS: Duration = Duration::from_millis(1);

    fn list(revision: u64) -> Snapshot {
        let somebody = Instance::new(
            ServiceName::new("payment").unwrap(),
            InstanceId::new("p-1").unwrap(),
            ([127, 0, 0, 1], 80).into(),
        );
        let member = Member::new(Arc::new(somebody), Health::Unknown);
        Snapshot::new(
            member.instance.service.clone(),
            Cursor::new(1, revision),
            Authority::Complete,
            [member],
        )
    }

    fn nobody(revision: u64) -> Snapshot {
        let list = list(revision);
        Snapshot::new(list.service().clone(), list.cursor(), list.authority(), [])
    }

    fn revision(snapshot: Option<Snapshot>) -> Option<u64> {
        snapshot.map(|snapshot| snapshot.cursor().revision())
    }

    #[test]
    fn the_first_is_seen_at_once_and_those_after_it_together() {
        let (mut merge, now) = (Merge::new(WINDOW), clock::now());
        assert_eq!(revision(merge.offer(list(1), now)), Some(1));
        assert_eq!(merge.due_at(), None);
        assert_eq!(merge.offer(list(2), now + MS), None);
        assert_eq!(merge.offer(list(3), now + 50 * MS), None);
        assert_eq!(merge.due_at(), Some(now + WINDOW));
        assert_eq!(merge.release(now + 99 * MS), None);
        assert_eq!(revision(merge.release(now + WINDOW)), Some(3));
        assert_eq!(merge.release(now + WINDOW * 9), None, "it was seen already");
        assert_eq!(revision(merge.offer(list(4), now + WINDOW * 9)), Some(4));
    }

    #[test]
    fn somebody_where_nobody_was_is_seen_at_once() {
        let (mut merge, now) = (Merge::new(WINDOW), clock::now());
        assert_eq!(revision(merge.offer(nobody(1), now)), Some(1));
        assert_eq!(revision(merge.offer(list(2), now + MS)), Some(2));
        assert_eq!(merge.offer(nobody(3), now + MS), None, "that can wait");
        assert_eq!(
            merge.offer(list(4), now + MS),
            None,
            "it was never seen to be empty"
        );
        assert_eq!(merge.due_at(), Some(now + MS + WINDOW));
    }

    proptest! {
        /// Beside a reference that remembers everything: nothing is seen twice, out of order or later than a window
        /// after it came, the last one is always seen, and two are never seen within one window.
        #[test]
        fn every_list_is_seen_in_time_and_at_most_one_per_window(
            waits in proptest::collection::vec(0_u32..400, 1..60)
        ) {
            let (mut merge, mut now) = (Merge::new(WINDOW), clock::now());
            let mut seen: Vec<(u64, Instant)> = Vec::new();
            let mut came: Vec<Instant> = Vec::new();
            for wait in waits {
                let until = now + MS * wait;
                if let Some(at) = merge.due_at().filter(|at| *at <= until) {
                    seen.push((revision(merge.release(at)).unwrap(), at));
                }
                now = until;
                let next = came.len() as u64;
                came.push(now);
                if let Some(next) = revision(merge.offer(list(next), now)) {
                    seen.push((next, now));
                }
            }
            if let Some(at) = merge.due_at() {
                seen.push((revision(merge.release(at)).unwrap(), at));
            }
            prop_assert!(seen.is_sorted_by(|a, b| a.0 < b.0 && b.1 - a.1 >= WINDOW));
            prop_assert_eq!(seen.last().unwrap().0, came.len() as u64 - 1);
            for (number, at) in came.iter().enumerate() {
                let by = seen.iter().find(|(seen, _)| *seen >= number as u64).unwrap().1;
                prop_assert!(by.saturating_duration_since(*at) <= WINDOW);
            }
        }
    }
}

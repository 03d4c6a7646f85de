//! The lists that changes are applied to.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use msf_core::name::ServiceName;

use crate::model::{Cursor, Snapshot};

/// The last list of each watched service, which shares its instances with whoever was told.
#[derive(Debug, Default)]
pub(super) struct Held {
    lists: Mutex<HashMap<ServiceName, Snapshot>>,
}

impl Held {
    /// The list at exactly this position.
    pub(super) fn at(&self, service: &ServiceName, position: Cursor) -> Option<Snapshot> {
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let list = lists.get(service)?;
        (list.cursor() == position).then(|| list.clone())
    }

    /// So that the whole list is read next.
    pub(super) fn forget(&self, service: &ServiceName) {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.remove(service);
    }

    pub(super) fn hold(&self, list: &Snapshot) {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !lists.contains_key(list.service());
        if is_new && lists.len() >= LISTS_MAX {
            // Whichever: who misses it reads the whole list once.
            let any = lists.keys().next().cloned();
            any.and_then(|any| lists.remove(&any));
        }
        lists.insert(list.service().clone(), list.clone());
    }
}

/// More services than a process calls; the lists of those that it no longer calls stay until then.
const LISTS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Authority;

    fn list(n: usize, revision: u64) -> Snapshot {
        let service = ServiceName::new(format!("s-{n}")).unwrap();
        Snapshot::new(service, Cursor::new(1, revision), Authority::Complete, [])
    }

    #[test]
    fn a_list_is_held_at_its_position_only() {
        let held = Held::default();
        held.hold(&list(1, 5));
        assert!(held.at(list(1, 5).service(), Cursor::new(1, 5)).is_some());
        for elsewhere in [Cursor::new(1, 4), Cursor::new(1, 6), Cursor::new(2, 5)] {
            assert!(held.at(list(1, 5).service(), elsewhere).is_none());
        }
    }

    #[test]
    fn there_is_an_end_to_what_is_held() {
        let held = Held::default();
        for n in 0..2 * LISTS_MAX {
            held.hold(&list(n, 1));
        }
        assert_eq!(held.lists.lock().unwrap().len(), LISTS_MAX);
        let last = list(2 * LISTS_MAX - 1, 1);
        assert!(held.at(last.service(), last.cursor()).is_some());
    }
}

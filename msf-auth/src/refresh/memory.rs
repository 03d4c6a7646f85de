//! Families in this process.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{Family, FamilyId, Owner, RefreshStore};
use crate::store::StoreError;

/// Keeps families in memory: for tests, and for one process that may log everybody out by restarting. Cloning shares
/// the families.
///
/// ```
/// use msf_auth::refresh::{MemoryRefreshStore, RefreshPolicy, RefreshTokens};
///
/// let tokens = RefreshTokens::new(MemoryRefreshStore::bounded(1_000), RefreshPolicy::default())?;
/// # Ok::<(), msf_auth::refresh::InvalidRefreshPolicy>(())
/// ```
#[derive(Clone)]
pub struct MemoryRefreshStore {
    kept: Arc<Mutex<Kept>>,
    max: usize,
}

#[derive(Default)]
struct Kept {
    families: HashMap<FamilyId, Family>,
    by_subject: HashMap<Box<str>, BTreeSet<FamilyId>>,
    by_session: HashMap<Box<str>, BTreeSet<FamilyId>>,
    by_due: BTreeSet<(u64, FamilyId)>,
}

impl MemoryRefreshStore {
    /// At most 100 000 families, which is about 100 MB.
    #[must_use]
    pub fn new() -> Self {
        Self::bounded(FAMILIES_MAX)
    }

    /// At most so many families. Above it [`StoreError::Full`], since to forget one would log somebody out.
    #[must_use]
    pub fn bounded(max: usize) -> Self {
        Self {
            kept: Arc::default(),
            max,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing under the lock panics between two changes that belong together.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryRefreshStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Kept {
    fn add(&mut self, family: Family) {
        let id = family.id();
        let index = |names: &mut HashMap<Box<str>, BTreeSet<FamilyId>>, name: &str| {
            names.entry(name.into()).or_default().insert(id);
        };
        index(&mut self.by_subject, family.subject());
        index(&mut self.by_session, family.session());
        self.by_due.insert((family.due_ms(), id));
        self.families.insert(id, family);
    }

    fn take(&mut self, id: FamilyId, version: u64) -> bool {
        let is_this = |family: &Family| family.version() == version;
        if !self.families.get(&id).is_some_and(is_this) {
            return false;
        }
        if let Some(family) = self.families.remove(&id) {
            let forget = |names: &mut HashMap<Box<str>, BTreeSet<FamilyId>>, name: &str| {
                if let Some(ids) = names.get_mut(name) {
                    ids.remove(&id);
                    if ids.is_empty() {
                        names.remove(name);
                    }
                }
            };
            forget(&mut self.by_subject, family.subject());
            forget(&mut self.by_session, family.session());
            self.by_due.remove(&(family.due_ms(), id));
        }
        true
    }
}

#[async_trait]
impl RefreshStore for MemoryRefreshStore {
    async fn insert(&self, family: Family) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        if kept.families.contains_key(&family.id()) {
            return Ok(false);
        }
        if kept.families.len() >= self.max {
            return Err(StoreError::Full);
        }
        kept.add(family);
        Ok(true)
    }

    async fn fetch(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        Ok(self.kept().families.get(&id).cloned())
    }

    async fn replace(&self, family: Family) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        let Some(expected) = family.version().checked_sub(1) else {
            return Ok(false);
        };
        let is_taken = kept.take(family.id(), expected);
        if is_taken {
            kept.add(family);
        }
        Ok(is_taken)
    }

    async fn remove(&self, id: FamilyId, version: u64) -> Result<bool, StoreError> {
        Ok(self.kept().take(id, version))
    }

    async fn find(&self, owner: Owner<'_>, limit: usize) -> Result<Vec<Family>, StoreError> {
        let kept = self.kept();
        let ids = match owner {
            Owner::Session(session) => kept.by_session.get(session),
            Owner::Subject(subject) => kept.by_subject.get(subject),
        };
        let found = ids.into_iter().flatten();
        let mut found: Vec<&Family> = found.filter_map(|id| kept.families.get(id)).collect();
        found.sort_by_key(|family| (family.is_revoked(), family.used_ms(), family.id()));
        Ok(found.into_iter().take(limit).cloned().collect())
    }

    async fn due(&self, now_ms: u64, limit: usize) -> Result<Vec<Family>, StoreError> {
        let kept = self.kept();
        let due = kept.by_due.iter().take_while(|(due, _)| *due <= now_ms);
        let families = due.take(limit).filter_map(|(_, id)| kept.families.get(id));
        Ok(families.cloned().collect())
    }
}

impl fmt::Debug for MemoryRefreshStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRefreshStore")
            .field("families", &self.kept().families.len())
            .field("max", &self.max)
            .finish()
    }
}

const FAMILIES_MAX: usize = 100_000;

//! Where families are kept.

use async_trait::async_trait;

use super::{Family, FamilyId};
use crate::store::StoreError;

/// Keeps [`Family`] rows. Every change is a compare-and-set on [`Family::version`], so all that a store has to
/// promise is that of several changes of one version one is made.
///
/// A row is kept as [`Family::encode`], with its [`id`](Family::id), [`version`](Family::version),
/// [`subject`](Family::subject), [`session`](Family::session), [`is_revoked`](Family::is_revoked),
/// [`used_ms`](Family::used_ms) and [`due_ms`](Family::due_ms) beside it, to find it by. What a store must do is
/// written down as a suite: the module `conformance`, with the feature `testing`.
///
/// # Cancel safety
///
/// A call that is dropped has happened as a whole, or not at all.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` keeps no refresh tokens",
    note = "implement `RefreshStore` for it, or use `MemoryRefreshStore` or `SqliteRefreshStore`"
)]
pub trait RefreshStore: Send + Sync + 'static {
    /// Adds a family; `false` when there is one with this id.
    async fn insert(&self, family: Family) -> Result<bool, StoreError>;

    /// The family, as the last change left it.
    async fn fetch(&self, id: FamilyId) -> Result<Option<Family>, StoreError>;

    /// Puts the family in the place of the one whose version is one below; `false` when there is none such.
    async fn replace(&self, family: Family) -> Result<bool, StoreError>;

    /// Removes the family; `false` when there is none with this version.
    async fn remove(&self, id: FamilyId, version: u64) -> Result<bool, StoreError>;

    /// The families of an owner, at most `limit`: live ones before revoked ones, and of these those that were used
    /// before the others.
    async fn find(&self, owner: Owner<'_>, limit: usize) -> Result<Vec<Family>, StoreError>;

    /// Families whose [`due_ms`](Family::due_ms) is not after `now_ms`, at most `limit`, the earliest first.
    async fn due(&self, now_ms: u64, limit: usize) -> Result<Vec<Family>, StoreError>;
}

const _: fn(&dyn RefreshStore) = |_| {};

/// By what families are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner<'a> {
    /// Those of a session.
    Session(&'a str),
    /// Those of a subject.
    Subject(&'a str),
}

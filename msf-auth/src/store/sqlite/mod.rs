//! One SQLite file, used from async code.

mod fault;
mod open;
#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub(crate) use rusqlite::Transaction;
use rusqlite::{Connection, TransactionBehavior};
use tokio::{sync::Semaphore, task, time};

pub(crate) use self::fault::Fault;
use super::StoreError;

/// An open SQLite file. Cloning shares the connection, which closes with the last clone.
///
/// See the [module documentation](super) for what it promises.
#[derive(Clone, Debug)]
pub struct Sqlite(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connection: Arc<Mutex<Connection>>,
    /// Who runs or waits.
    places: Arc<Semaphore>,
    /// Who runs. Without it waiting calls would hold a blocking thread each.
    turn: Arc<Semaphore>,
}

impl Sqlite {
    /// Opens the file, and makes it when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] when it cannot be opened or made, [`StoreError::Permissions`] when others can write it,
    /// [`StoreError::Corrupt`] when it is no database.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let opened = task::spawn_blocking(move || open::open(&path)).await;
        let connection = opened.unwrap_or_else(|_| Err(StoreError::Closed.into()))?;
        Ok(Self(Arc::new(Shared {
            connection: Arc::new(Mutex::new(connection)),
            places: Arc::new(Semaphore::new(CALLS_MAX)),
            turn: Arc::new(Semaphore::new(1)),
        })))
    }

    /// Makes the tables of one kind of store. A step is a batch of SQL, and its number is its place: the list only
    /// grows.
    pub(crate) async fn migrate(
        &self,
        store: &'static str,
        steps: &'static [&'static str],
    ) -> Result<(), StoreError> {
        self.write(move |tx| open::migrate(tx, store, steps)).await
    }

    /// Runs a transaction that may write. `Ok` commits it, `Err` rolls it back.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(TransactionBehavior::Immediate, work).await
    }

    /// Runs a transaction that only reads; all of it sees the same state.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(TransactionBehavior::Deferred, work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Shared {
            connection,
            places,
            turn,
        } = &*self.0;
        let place = places.clone().try_acquire_owned();
        let place = place.map_err(|_| StoreError::Busy)?;
        let turn = match time::timeout(TURN_WAIT, turn.clone().acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) => return Err(StoreError::Closed),
            Err(_) => return Err(StoreError::Busy),
        };
        let connection = connection.clone();
        let job = task::spawn_blocking(move || {
            // Also when nobody waits any longer: the connection is busy as long as this runs.
            let _held = (place, turn);
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            // A transaction that is dropped by a panic is rolled back.
            catch_unwind(AssertUnwindSafe(|| {
                let tx = connection.transaction_with_behavior(behavior)?;
                let value = work(&tx)?;
                tx.commit()?;
                Ok::<T, Fault>(value)
            }))
            .unwrap_or_else(|_| Err(StoreError::Failed("the transaction panicked".into()).into()))
        });
        // A job is only lost when the runtime goes down.
        Ok(job
            .await
            .unwrap_or_else(|_| Err(StoreError::Closed.into()))?)
    }

    /// Makes the file full: it may not grow by more than so many pages.
    #[cfg(test)]
    pub(crate) async fn grow_at_most(&self, pages: u32) {
        let limit = move |tx: &Transaction<'_>| {
            let count: u32 = tx.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let limit = count + pages;
            tx.pragma_update_and_check(None, "max_page_count", limit, |_| Ok(()))?;
            Ok(())
        };
        self.read(limit).await.unwrap();
    }
}

/// Calls that may wait; at about 1 ms each they are worked off in half a second.
const CALLS_MAX: usize = 512;
/// How long a call waits for its turn; as long as a writer waits for another process.
const TURN_WAIT: Duration = Duration::from_secs(2);

//! One SQLite file, used from async code.
//!
//! Each open [`Db`] owns a thread and a connection; work reaches it through a bounded queue, so a slow
//! disk is felt as waiting and never as memory. Several processes may open the same file: writers
//! take turns (`BEGIN IMMEDIATE`, five seconds at most), readers do not wait for them (WAL).
//!
//! A commit is on the disk when it is answered (`synchronous = FULL`): an order that was confirmed
//! survives a power cut.
//!
//! # Cancel safety
//!
//! A transaction runs to its end or not at all. Dropping the future of one that has begun leaves it to
//! commit; one that has not begun is skipped.

mod error;
mod open;
#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use msf_core::health::Check;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{
    mpsc::{self, error::SendTimeoutError},
    oneshot,
};

pub(crate) use self::error::DbError;

/// A handle of an open database; clones share its thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct Db {
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

impl Db {
    /// Opens the file, creates it when it is missing, and applies the migrations it has not seen.
    ///
    /// A migration is a batch of SQL; its number is its place in the list, so the list only grows.
    ///
    /// # Errors
    ///
    /// [`DbError::NewerSchema`] when the file has seen more migrations than there are, and what SQLite says.
    pub(crate) async fn open(
        path: impl AsRef<Path>,
        migrations: &'static [&'static str],
    ) -> Result<Self, DbError> {
        let path = path.as_ref().to_owned();
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (opened, outcome) = oneshot::channel();
        std::thread::Builder::new()
            .name("sqlite".to_owned())
            .spawn(move || match open::open(&path, migrations) {
                Ok(connection) => {
                    let _ = opened.send(Ok(()));
                    work(connection, queue);
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            })
            .map_err(DbError::Thread)?;
        outcome.await.unwrap_or(Err(DbError::Closed))?;
        Ok(Self { jobs })
    }

    /// Runs a transaction that may write. `Ok` commits it, `Err` rolls it back.
    ///
    /// # Errors
    ///
    /// Those of the closure, and [`DbError`] for everything else; then nothing was written.
    pub(crate) async fn write<T, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.run(TransactionBehavior::Immediate, work).await
    }

    /// Runs a transaction that only reads; every statement in it sees the same state.
    ///
    /// # Errors
    ///
    /// Those of the closure, and [`DbError`] for everything else.
    pub(crate) async fn read<T, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.run(TransactionBehavior::Deferred, work).await
    }

    /// Whether the file can be read, as a health check.
    pub(crate) fn check(&self) -> Check {
        let db = self.clone();
        Check::new("database", move || {
            let db = db.clone();
            async move { db.ping().await }
        })
    }

    async fn ping(&self) -> Result<(), DbError> {
        self.read(|tx| Ok(tx.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?))
            .await
    }

    async fn run<T, E>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            if reply.is_closed() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let tx = connection
                    .transaction_with_behavior(behavior)
                    .map_err(DbError::from)?;
                let value = work(&tx)?;
                tx.commit().map_err(DbError::from)?;
                Ok(value)
            }));
            let _ = reply.send(outcome.unwrap_or_else(|_| Err(DbError::Panicked.into())));
        });
        match self.jobs.send_timeout(job, QUEUE_WAIT).await {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(DbError::Closed.into())),
            Err(SendTimeoutError::Timeout(_)) => Err(DbError::Overloaded.into()),
            Err(SendTimeoutError::Closed(_)) => Err(DbError::Closed.into()),
        }
    }
}

fn work(mut connection: Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.blocking_recv() {
        job(&mut connection);
    }
}

/// Transactions that may wait; at about 1 ms each, half a second of work.
const QUEUE: usize = 512;

/// How long a caller waits for a place in the queue; a second is what a person notices.
const QUEUE_WAIT: Duration = Duration::from_secs(1);

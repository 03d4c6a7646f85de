//! The handle of one registered instance.

use std::{error::Error, fmt, sync::Arc};

use msf_core::task::Task;
use tokio::sync::{oneshot, watch};

use crate::{drive::Standing, error::RegistryError, model::Instance};

/// One instance that is kept registered. Made by [`Registry::register`](crate::Registry::register).
///
/// Dropping it stops the renewals without a word, as the death of the process would: the lease then
/// expires. Before a planned end call [`deregister`](Self::deregister).
#[derive(Debug)]
#[must_use = "dropping a Registration stops its renewals"]
pub struct Registration {
    instance: Instance,
    standing: watch::Receiver<Standing>,
    stop: oneshot::Sender<()>,
    task: Task<Result<(), RegistryError>>,
}

/// The registry refuses the instance for a reason that will not go away.
#[derive(Clone, Debug)]
pub struct NotRegistered(Arc<RegistryError>);

impl Registration {
    pub(super) const fn new(
        instance: Instance,
        standing: watch::Receiver<Standing>,
        stop: oneshot::Sender<()>,
        task: Task<Result<(), RegistryError>>,
    ) -> Self {
        Self {
            instance,
            standing,
            stop,
            task,
        }
    }

    /// Waits until it was registered for the first time: for as long as the registry is away, so put a
    /// timeout around it where the start must not wait.
    ///
    /// # Errors
    ///
    /// [`NotRegistered`] when the registry refuses the instance as it is.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing; the registration goes on.
    pub async fn registered(&self) -> Result<(), NotRegistered> {
        let mut standing = self.standing.clone();
        let settled = standing
            .wait_for(|standing| !matches!(standing, Standing::Pending))
            .await
            .map(|standing| standing.clone());
        match settled {
            Ok(Standing::Refused(error)) => Err(NotRegistered(error)),
            Ok(Standing::Registered) => Ok(()),
            // The driver ends before it has registered only by a panic, which is logged.
            Ok(Standing::Pending) | Err(_) => std::future::pending().await,
        }
    }

    /// The instance.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Ends the registration, so that no caller picks the instance any more. Call it when draining
    /// begins, and go on serving until callers have heard.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when the registry did not answer; the lease then expires by itself.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not have happened; the lease expires in any case.
    pub async fn deregister(self) -> Result<(), RegistryError> {
        // A driver that has ended already has nothing to end.
        let _told = self.stop.send(());
        self.task.join().await.unwrap_or(Ok(()))
    }
}

impl fmt::Display for NotRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the registry refuses this instance")
    }
}

/// The source is the [`RegistryError`] itself, which a derived implementation would hide behind its `Arc`.
impl Error for NotRegistered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

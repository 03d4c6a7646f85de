//! The handle of one registered instance.

use std::{error::Error, fmt, sync::Arc};

use msf_core::task::Task;
use tokio::sync::{oneshot, watch};

use crate::{
    drive::Standing,
    error::RegistryError,
    model::{Instance, Status},
};

/// One instance that is kept registered. Made by [`Registry::register`](crate::Registry::register).
///
/// Dropping it deregisters the instance in the background, as well as that goes: within
/// [`deregister_timeout`](crate::RegistryBuilder::deregister_timeout), and only while the runtime lives. Before a
/// planned end call [`drain`](Self::drain) or [`deregister`](Self::deregister), which say when it is done.
#[derive(Debug)]
#[must_use = "dropping a Registration deregisters the instance"]
pub struct Registration {
    _instance: Instance,
    standing: watch::Receiver<Standing>,
    stop: oneshot::Sender<()>,
    task: Task<Result<(), RegistryError>>,
}

/// The instance is not registered as it is, for a reason that will not go away; the source says which.
#[derive(Clone, Debug)]
pub struct NotRegistered(pub(crate) Arc<RegistryError>);

impl Registration {
    pub(super) const fn new(
        instance: Instance,
        standing: watch::Receiver<Standing>,
        stop: oneshot::Sender<()>,
        task: Task<Result<(), RegistryError>>,
    ) -> Self {
        Self {
            _instance: instance,
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
            Ok(Standing::Refused(refused)) => Err(refused),
            Ok(Standing::Registered | Standing::Lost | Standing::Ended) => Ok(()),
            // The driver ends before it has registered only by a panic, which is logged.
            Ok(Standing::Pending) | Err(_) => std::future::pending().await,
        }
    }

    /// The instance as it was last asked to be registered.
    #[must_use]
    pub fn instance(&self) -> Arc<Instance> {
        todo!("with the lease driver")
    }

    /// Says what the instance says about itself from now on. Returns when the registry has taken it.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    ///
    /// # Cancel safety
    ///
    /// As [`update`](Self::update).
    pub async fn set_status(&self, status: Status) -> Result<(), NotRegistered> {
        self.update(|instance| instance.status(status)).await
    }

    /// Changes the instance: its metadata, weight, version or addresses, but not its id or service. Returns
    /// when the registry has taken it: for as long as the registry is away, so put a timeout around it where
    /// that matters. Changes that follow each other fast are registered together.
    ///
    /// # Errors
    ///
    /// [`NotRegistered`] when the changed instance is refused; the instance then stays registered as it was.
    ///
    /// # Cancel safety
    ///
    /// Dropped after its first poll, the change is registered in the background all the same.
    pub async fn update(
        &self,
        change: impl FnOnce(Instance) -> Instance + Send,
    ) -> Result<(), NotRegistered> {
        let _change = change;
        todo!("with the lease driver")
    }

    /// Ends the registration so that callers lose no call: says [`Status::Draining`], waits until callers have
    /// heard ([`drain_wait`](crate::RegistryBuilder::drain_wait), 5 s), then deregisters. Go on serving until it
    /// returns; then stop accepting.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when the registry did not answer; the lease then expires by itself.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the instance is deregistered at once in the background.
    pub async fn drain(self) -> Result<(), RegistryError> {
        todo!("with the lease driver")
    }

    /// Keeps the instance registered without this handle: until
    /// [`Registry::unregister`](crate::Registry::unregister) or the end of the process, when the lease expires.
    pub fn detach(self) {
        todo!("with the lease driver")
    }

    /// Where the registration stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// A receiver of every change of [`standing`](Self::standing).
    #[must_use]
    pub fn standings(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
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

//! The handle of one registered instance.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    drive::{Seat, Standing},
    error::RegistryError,
    model::{Instance, Status},
};

/// One instance that is kept registered. Made by [`Registry::register`](crate::Registry::register).
///
/// Dropping it deregisters the instance in the background, as well as that goes: within
/// [`deregister_timeout`](crate::RegistryBuilder::deregister_timeout), and only while the runtime lives. Before a
/// planned end call [`drain`](Self::drain) or [`deregister`](Self::deregister), which say when it is done.
#[must_use = "dropping a Registration deregisters the instance"]
pub struct Registration {
    /// As it was at first.
    instance: Arc<Instance>,
    seat: Seat,
    drain_wait: Duration,
    /// Whether it stays registered when this is dropped.
    is_kept: bool,
}

/// The instance is not registered as it is, for a reason that will not go away; the source says which.
#[derive(Clone, Debug)]
pub struct NotRegistered(pub(crate) Arc<RegistryError>);

impl Registration {
    pub(super) const fn new(instance: Arc<Instance>, seat: Seat, drain_wait: Duration) -> Self {
        Self {
            instance,
            seat,
            drain_wait,
            is_kept: false,
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
        let mut standing = self.seat.standing().clone();
        let settled = standing
            .wait_for(|standing| !matches!(standing, Standing::Pending))
            .await
            .map(|standing| standing.clone());
        match settled {
            Ok(Standing::Registered | Standing::Lost) => Ok(()),
            Ok(Standing::Refused(refused)) => Err(refused),
            Ok(Standing::Ended | Standing::Pending) | Err(_) => {
                Err(NotRegistered(Arc::new(RegistryError::Deregistered)))
            }
        }
    }

    /// The instance as it was last asked to be registered.
    #[must_use]
    pub fn instance(&self) -> Arc<Instance> {
        let wanted = self.seat.wanted();
        wanted.unwrap_or_else(|| Arc::clone(&self.instance))
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
        match self.seat.change(change) {
            // Whoever answers lives as long as the registration.
            Ok(answer) => answer.await.unwrap_or(Ok(())),
            Err(error) => Err(match self.standing() {
                Standing::Refused(refused) if matches!(error, RegistryError::Deregistered) => {
                    refused
                }
                _ => NotRegistered(Arc::new(error)),
            }),
        }
    }

    /// Ends the registration so that callers lose no call: says [`Status::Draining`], waits until callers have
    /// heard ([`drain_wait`](crate::RegistryBuilder::drain_wait), 5 s), then deregisters. Go on serving until it
    /// returns; then stop accepting. It takes about as long as `drain_wait`: where hooks have a limit, as those of
    /// `ServiceHost::on_drain` have (5 s together), set a shorter one.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when the registry did not answer; the lease then expires by itself.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the instance is deregistered at once in the background.
    pub async fn drain(self) -> Result<(), RegistryError> {
        let told = timeout(self.drain_wait, self.set_status(Status::Draining)).await;
        // A registry that is away tells nobody, however long one waits.
        if matches!(told, Ok(Ok(()))) {
            sleep(self.drain_wait).await;
        }
        self.deregister().await
    }

    /// Keeps the instance registered without this handle: until
    /// [`Registry::unregister`](crate::Registry::unregister) or the end of the process, when the lease expires.
    pub fn detach(mut self) {
        self.is_kept = true;
    }

    /// Where the registration stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.seat.standing().borrow().clone()
    }

    /// A receiver of every change of [`standing`](Self::standing).
    #[must_use]
    pub fn standings(&self) -> watch::Receiver<Standing> {
        self.seat.standing().clone()
    }

    /// Ends the registration, so that no caller picks the instance any more. Go on serving until callers have heard;
    /// [`drain`](Self::drain) does both.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when the registry did not answer within
    /// [`deregister_timeout`](crate::RegistryBuilder::deregister_timeout); the lease then expires by itself.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it happens in the background.
    pub async fn deregister(self) -> Result<(), RegistryError> {
        let ended = self.seat.end().await;
        // Whoever answers goes only with the runtime.
        ended.unwrap_or(Ok(()))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nobody waits for the answer.
            drop(self.seat.end());
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("instance", &self.instance())
            .field("standing", &self.standing())
            .finish_non_exhaustive()
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

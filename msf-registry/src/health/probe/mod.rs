//! One check of one instance.

mod exec;
mod grpc;
mod http;
mod standard;
mod tcp;

use std::{error::Error, io, net::SocketAddr};

use async_trait::async_trait;
use msf_core::BoxError;

pub use self::{
    exec::ExecProbe, grpc::GrpcProbe, http::HttpProbe, standard::StandardProbe, tcp::TcpProbe,
};
use crate::model::Instance;

/// Finds out whether an instance works.
///
/// ```
/// use msf_registry::{Instance, health::{Probe, ProbeFailed}};
///
/// struct Never;
///
/// #[async_trait::async_trait]
/// impl Probe for Never {
///     async fn probe(&self, _: &Instance) -> Result<(), ProbeFailed> {
///         Err(ProbeFailed::new("never works"))
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot check instances",
    note = "use `msf_registry::health::StandardProbe`, or implement `msf_registry::health::Probe`"
)]
pub trait Probe: Send + Sync + 'static {
    /// Checks the instance once.
    ///
    /// # Cancel safety
    ///
    /// It is dropped when it takes longer than the checker's timeout, and must leave nothing behind.
    async fn probe(&self, instance: &Instance) -> Result<(), ProbeFailed>;

    /// The word in metrics and logs; `custom` unless it says another one.
    fn kind(&self, instance: &Instance) -> &'static str {
        let _any = instance;
        "custom"
    }
}

/// The instance did not show that it works.
///
/// ```
/// use msf_registry::health::ProbeFailed;
///
/// assert!(!ProbeFailed::new("connection refused").is_refusal());
/// assert!(ProbeFailed::refusal("it says that it drains").is_refusal());
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the check failed")]
pub struct ProbeFailed {
    #[source]
    cause: BoxError,
    is_refusal: bool,
}

impl ProbeFailed {
    /// A failed check and why, for the log.
    #[must_use]
    pub fn new(cause: impl Into<BoxError>) -> Self {
        Self {
            cause: cause.into(),
            is_refusal: false,
        }
    }

    /// The instance itself says, in so many words, that it must not be called. This needs no second opinion,
    /// unlike a failure that a lost packet can be the cause of.
    #[must_use]
    pub fn refusal(cause: impl Into<BoxError>) -> Self {
        Self {
            cause: cause.into(),
            is_refusal: true,
        }
    }

    /// Whether the instance itself said no.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        self.is_refusal
    }

    /// Whether it is this process that could not make the check, for want of a command, sockets, processes or memory.
    /// Then it says nothing about the instance, and would be true of all instances at once.
    pub(super) fn is_ours(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&*self.cause);
        while let Some(error) = cause {
            if error.is::<NotStarted>() || error.downcast_ref().is_some_and(is_want) {
                return true;
            }
            cause = error.source();
        }
        false
    }

    fn wrong_kind() -> Self {
        Self::new("the instance asks for another kind of check")
    }

    /// What went wrong, in one line that is safe to log: parts of it may come from the instance.
    pub(super) fn line(&self) -> String {
        let mut line = self.cause.to_string();
        if let Some(cause) = self.cause.source() {
            line = format!("{line}: {cause}");
        }
        let visible = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(LINE_MAX);
        visible.collect()
    }
}

/// The command of a check is not there or may not be run.
#[derive(Debug, thiserror::Error)]
#[error("the command cannot be started")]
struct NotStarted(#[source] io::Error);

/// Where a check of an instance goes: where the check says, else where the instance is called.
pub(super) fn asked(instance: &Instance) -> SocketAddr {
    let check = instance.health_check.as_ref();
    check
        .and_then(|check| check.at())
        .unwrap_or_else(|| instance.addr())
}

fn is_want(error: &io::Error) -> bool {
    #[cfg(unix)]
    if let Some(code) = error.raw_os_error() {
        use rustix::io::Errno;
        // The last one is that of processes that cannot be started.
        let wants = [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::AGAIN,
        ];
        return wants.iter().any(|want| want.raw_os_error() == code);
    }
    error.kind() == io::ErrorKind::OutOfMemory
}

/// In characters.
const LINE_MAX: usize = 256;

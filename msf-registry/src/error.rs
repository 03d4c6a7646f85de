//! What can go wrong between a process and its registry.

use std::{net::SocketAddr, time::Duration};

use msf_core::{
    BoxError,
    name::{InstanceId, ServiceName},
    problem::{Code, Problem},
};

use crate::model::InvalidInstance;

/// A registry did not do what it was asked for.
///
/// The drivers behind [`Registry`](crate::Registry) retry for ever whatever is not
/// [permanent](Self::is_permanent); whoever calls a backend directly decides alone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The instance breaks a rule, and would again.
    #[error("the registry does not take such an instance")]
    Invalid(#[from] InvalidInstance),
    /// The time to live is out of bounds.
    #[error("a lease of {ttl:?} is not within {min:?} and {max:?}")]
    Ttl {
        /// What was asked for.
        ttl: Duration,
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// A limit of the registry is reached.
    #[error("the registry is full: {limit}")]
    Full {
        /// Which limit.
        limit: &'static str,
    },
    /// This process has registered an instance of this id already.
    #[error("{service} has an instance {id} of this process already")]
    DuplicateId {
        /// The service.
        service: ServiceName,
        /// The id that both instances have.
        id: InstanceId,
    },
    /// Another process keeps an instance of this id; it took the place of this one and is alive.
    #[error("the id {id} belongs to a living instance at {by}")]
    Taken {
        /// The id.
        id: InstanceId,
        /// Where the other one listens.
        by: SocketAddr,
    },
    /// A change of an instance must leave its id and its service as they are.
    #[error("the id and the service of a registered instance cannot change")]
    IdentityChanged,
    /// The registration has ended, so it cannot be changed.
    #[error("the instance is deregistered")]
    Deregistered,
    /// Instances cannot register with this backend: what it lists is kept elsewhere.
    #[error("instances cannot register with {backend}, which is only read")]
    ReadOnly {
        /// Which backend.
        backend: &'static str,
    },
    /// The position is not known any more; fetch the whole state.
    #[error("the position in the registry's history is lost")]
    CursorLost,
    /// The registry cannot be reached.
    #[error("the registry cannot be reached")]
    Unreachable(#[source] BoxError),
    /// The registry did not answer in time.
    #[error("the registry did not answer within {0:?}")]
    Timeout(Duration),
    /// The registry refused the request.
    #[error("the registry answered {status}{}", detail_of(.detail.as_deref()))]
    Refused {
        /// The status of the answer.
        status: u16,
        /// What it said about it.
        detail: Option<String>,
    },
    /// The registry's answer is not understood.
    #[error("the registry's answer is not understood")]
    Protocol(#[source] BoxError),
}

impl RegistryError {
    /// Whether the same call would fail again.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::Ttl { .. }
            | Self::DuplicateId { .. }
            | Self::IdentityChanged
            | Self::Deregistered
            | Self::ReadOnly { .. } => true,
            Self::Refused { status, .. } => matches!(*status, 400 | 413 | 422),
            _ => false,
        }
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let problem = match &error {
            RegistryError::Invalid(invalid) => {
                Self::new(Code::ValidationFailed).with_detail(invalid.to_string())
            }
            RegistryError::Ttl { .. } => {
                Self::new(Code::ValidationFailed).with_detail(error.to_string())
            }
            RegistryError::DuplicateId { .. }
            | RegistryError::IdentityChanged
            | RegistryError::Deregistered
            | RegistryError::ReadOnly { .. } => {
                Self::new(Code::Conflict).with_detail(error.to_string())
            }
            RegistryError::Full { .. } => {
                Self::new(Code::Overloaded).with_detail(error.to_string())
            }
            RegistryError::Taken { .. } => Self::new(Code::Conflict).with_detail(error.to_string()),
            RegistryError::CursorLost => Self::new(Code::Gone).with_detail(error.to_string()),
            RegistryError::Unreachable(_)
            | RegistryError::Timeout(_)
            | RegistryError::Refused { .. }
            | RegistryError::Protocol(_) => {
                Self::new(Code::Unavailable).with_detail("the service registry does not answer")
            }
        };
        problem.with_source(error)
    }
}

fn detail_of(detail: Option<&str>) -> String {
    detail.map_or_else(String::new, |detail| format!(": {detail}"))
}

//! A check by the gRPC health protocol.

mod call;
mod message;
#[cfg(test)]
mod tests;

use async_trait::async_trait;

use self::message::ServingStatus;
use super::{Probe, ProbeFailed, asked};
use crate::model::{HealthCheck, Instance};

/// Calls `grpc.health.v1.Health/Check` over plain HTTP/2; passes on `SERVING`. `NOT_SERVING` is a
/// [refusal](ProbeFailed::refusal).
///
/// It connects anew for each check and without TLS, so an instance that speaks only `grpcs` needs another
/// [`Probe`] or a check at a plain port. An instance without a check of its own is asked where it is called,
/// about the whole server. Of an answer it takes in at most 16 KiB of headers and 1 KiB of message.
///
/// ```
/// use msf_registry::health::GrpcProbe;
///
/// let probe = GrpcProbe::new();
/// # let _ = probe;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct GrpcProbe {}

impl GrpcProbe {
    /// A probe.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

#[async_trait]
impl Probe for GrpcProbe {
    async fn probe(&self, instance: &Instance) -> Result<(), ProbeFailed> {
        let service = match &instance.health_check {
            None => "",
            Some(HealthCheck::Grpc { service, .. }) => service,
            Some(_) => return Err(ProbeFailed::wrong_kind()),
        };
        let answer = call::check(asked(instance), service).await;
        match answer.map_err(ProbeFailed::new)? {
            ServingStatus::Serving => Ok(()),
            status @ ServingStatus::NotServing => Err(ProbeFailed::refusal(status.as_str())),
            status => Err(ProbeFailed::new(status.as_str())),
        }
    }

    fn kind(&self, _: &Instance) -> &'static str {
        "grpc"
    }
}

//! One attempt: ask the breaker, pick, send, record.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Mutex, PoisonError},
    task::Poll,
};

use http::{Method, Request, header};
use msf_core::{
    body::Body,
    classify::{Classification, Http},
    clock,
    deadline::{Deadline, GRPC_TIMEOUT},
    name::InstanceId,
};
use msf_registry::{Picked, Scheme};
use msf_resilience::{budget::Withdrawal, circuit_breaker::Permit};
use tokio::time::{self, Instant};

use super::{limit::Limit, service::Target};
use crate::{
    Error,
    transport::{Connections, Progress, TransportError, TransportResponse},
};

/// A head that arrived.
pub(super) struct Answer {
    pub(super) response: TransportResponse,
    pub(super) picked: Picked,
    pub(super) judged: Classification,
}

/// An attempt without an answer.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) judged: Classification,
    /// The request, if certainly nothing of it was written; where the caller of the attempt kept its place for
    /// it, it is there.
    pub(super) unsent: Option<Box<Request<Body>>>,
}

/// Where the attempts of one call went, when there may be several.
#[derive(Debug, Default)]
pub(super) struct Tried(Mutex<Vec<InstanceId>>);

/// What an attempt may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    /// How many instances it may go to while nothing is sent.
    pub(super) instances_max: usize,
    pub(super) tried: Option<&'a Tried>,
    /// Whether it may go where the call has been before, if there is nowhere else.
    pub(super) may_return: bool,
}

/// Takes the request from its place, where it is again after a failure if nothing of it was written.
pub(super) async fn attempt(
    target: &Target,
    connections: &Connections,
    request: &mut Option<Request<Body>>,
    limit: &Limit,
    terms: Terms<'_>,
) -> Result<Answer, Failure> {
    let permit = match target.breaker.try_acquire() {
        Ok(permit) => Admitted {
            permit: Some(permit),
            limit,
        },
        Err(open) => {
            // A refusal is not repeated, and is to cost nothing.
            *request = None;
            return Err(Failure {
                error: open.into(),
                judged: Classification::IGNORE.refused(true),
                unsent: None,
            });
        }
    };
    let hash = request.as_ref().and_then(|it| target.hash(it));
    let mut visited = 0;
    let mut tried = terms.tried.map_or_else(Vec::new, Tried::list);
    let mut failed = None;
    let mut resend: Option<Withdrawal> = None;
    let failure = loop {
        let mut picked = match target.pick(&tried, hash, limit).await {
            Ok(picked) => picked,
            Err(_) if terms.may_return && visited == 0 && !tried.is_empty() => {
                // Those who help this attempt go elsewhere than it, and not elsewhere than all.
                tried.clear();
                if let Some(tried) = terms.tried {
                    tried.forget();
                }
                continue;
            }
            Err(none) => {
                // Nobody was called for it.
                if let Some(resend) = resend.take() {
                    resend.give_back();
                }
                // When all were tried, what the last one did says more.
                let (error, judged) =
                    failed.unwrap_or_else(|| (none.into(), Classification::IGNORE));
                break Failure {
                    error,
                    judged,
                    unsent: None,
                };
            }
        };
        if let Some(tried) = terms.tried {
            tried.add(&picked.instance().id);
        }
        if let Some(request) = request {
            tell(limit.deadline, request);
        }
        let mut progress = Progress::default();
        let sent = {
            // In place: a future of this size is dear to move into a timeout.
            let mut sending = pin!(send(target, connections, &picked, request, &mut progress));
            let mut timer = pin!(time::sleep_until(limit.deadline.instant()));
            poll_fn(|cx| match sending.as_mut().poll(cx) {
                Poll::Ready(sent) => Poll::Ready(Some(sent)),
                Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
            })
            .await
        };
        let error = match sent {
            Some(Ok(response)) => {
                let judged = Http::default().classify_head(response.status(), response.headers());
                let answered = clock::now();
                picked.record(&judged);
                permit.complete_at(&judged, answered);
                if let Some(resend) = resend {
                    resend.succeeded();
                }
                target.resends.deposit().succeeded();
                return Ok(Answer {
                    response,
                    picked,
                    judged,
                });
            }
            Some(Err(error)) => error,
            None => {
                *request = None;
                // Who stood in line here until the end was not with the callee.
                let judged = match progress {
                    Progress::InLine => Classification::IGNORE,
                    Progress::Unsent | Progress::Sent => limit.blame_whole(),
                };
                picked.record(&judged);
                break Failure {
                    error: limit.exceeded(target.name(), progress),
                    judged,
                    unsent: None,
                };
            }
        };
        let judged = judge(&error);
        picked.record(&judged);
        let service = target.name().clone();
        visited += 1;
        match &request {
            Some(_) => {
                let error = Error::Connect {
                    service,
                    source: error,
                };
                // What the one before took is lost: it found another dead instance.
                resend = (visited < terms.instances_max)
                    .then(|| target.resends.try_withdraw())
                    .flatten();
                if resend.is_none() {
                    break Failure {
                        error,
                        judged,
                        unsent: None,
                    };
                }
                tried.push(picked.instance().id.clone());
                failed = Some((error, judged));
            }
            None => {
                break Failure {
                    error: Error::Transport {
                        service,
                        source: error,
                    },
                    judged,
                    unsent: None,
                };
            }
        }
    };
    permit.complete_at(&failure.judged, clock::now());
    Err(failure)
}

/// Says how long the attempt may take, to callees of gRPC in their own header as well.
fn tell(deadline: Deadline, request: &mut Request<Body>) {
    let is_post = *request.method() == Method::POST;
    let headers = request.headers_mut();
    deadline.write_to(headers);
    let is_grpc = is_post
        && headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|content| content.as_bytes().starts_with(b"application/grpc"));
    if is_grpc || headers.contains_key(GRPC_TIMEOUT) {
        deadline.write_grpc_to(headers);
    }
}

async fn send(
    target: &Target,
    connections: &Connections,
    picked: &Picked,
    request: &mut Option<Request<Body>>,
    progress: &mut Progress,
) -> Result<TransportResponse, TransportError> {
    if picked.instance().first_endpoint().scheme != Scheme::Http {
        return Err(TransportError::InvalidRequest {
            reason: "the instance speaks TLS, which this client does not",
        });
    }
    let upstream = &target.settings.upstream;
    connections
        .exchange(picked.addr(), upstream, request, progress)
        .await
}

/// What a failure says about the instance and the service.
const fn judge(error: &TransportError) -> Classification {
    if error.is_own_fault() {
        Classification::IGNORE
    } else {
        Classification::FAILURE
    }
}

impl Tried {
    fn list(&self) -> Vec<InstanceId> {
        let tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tried.clone()
    }

    fn forget(&self) {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tried.clear();
    }

    fn add(&self, instance: &InstanceId) {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !tried.contains(instance) {
            tried.push(instance.clone());
        }
    }
}

impl Failure {
    /// The error as the outcome of the call.
    pub(super) fn into_error(self) -> Error {
        self.error
    }
}

/// A breaker's permit, which knows what it means when the attempt is dropped.
struct Admitted<'a> {
    permit: Option<Permit>,
    limit: &'a Limit,
}

impl Admitted<'_> {
    fn complete_at(mut self, judged: &Classification, now: Instant) {
        if let Some(permit) = self.permit.take() {
            permit.complete_at(judged, now);
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let now = clock::now();
        // Who hangs up at once has not waited for the callee: twenty such callers must not open the
        // breaker for everybody. A drop after a fair time stays a cancellation, which the breaker weighs.
        if self.limit.blame(now) == Classification::IGNORE {
            permit.complete_at(&Classification::IGNORE, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_remembered_once() {
        let tried = Tried::default();
        for id in ["a", "b", "a"] {
            tried.add(&InstanceId::new(id).unwrap());
        }
        assert_eq!(tried.list().len(), 2);
    }

    #[test]
    fn only_the_callee_is_blamed() {
        let own = TransportError::InvalidRequest { reason: "x" };
        assert_eq!(judge(&own), Classification::IGNORE);
    }
}

//! The service.

use std::task::{Context, Poll};

use tower_service::Service;

use super::{direct::Direct, face::Face, faults::Faults, future::ResponseFuture, kind::Fault};

/// A service behind faults. Made by [`FaultLayer`](super::FaultLayer).
///
/// `poll_ready` is that of the service inside. A call that fails or hangs by a fault does not reach it, and it stays
/// ready for the next one.
#[derive(Clone, Debug)]
pub struct FaultService<S, I, D> {
    inner: S,
    faults: Faults,
    face: I,
    direct: D,
}

impl<S, I, D> FaultService<S, I, D> {
    pub(super) const fn new(inner: S, faults: Faults, face: I, direct: D) -> Self {
        Self {
            inner,
            faults,
            face,
            direct,
        }
    }

    #[cold]
    fn fault<Req>(&self, request: &Req) -> Option<Fault>
    where
        D: Direct<Req>,
    {
        let asked_for = self.direct.fault(request);
        if let Some(fault) = asked_for {
            self.faults.count(fault);
            return asked_for;
        }
        self.faults.next_fault()
    }
}

impl<S, I, D, Req> Service<Req> for FaultService<S, I, D>
where
    S: Service<Req>,
    I: Face<Req, S::Response, S::Error> + Clone,
    D: Direct<Req>,
{
    type Response = I::Response;
    type Error = I::Error;
    type Future = ResponseFuture<S::Future, I, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), I::Error>> {
        self.inner.poll_ready(cx).map_err(I::unready)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        if !self.faults.is_active() {
            return ResponseFuture::passing(self.inner.call(request), self.face.clone());
        }
        match self.fault(&request) {
            None => ResponseFuture::passing(self.inner.call(request), self.face.clone()),
            Some(fault @ (Fault::Latency(_) | Fault::Reset)) => {
                ResponseFuture::spoiled(self.inner.call(request), self.face.clone(), fault)
            }
            Some(fault @ (Fault::Error | Fault::Hang)) => {
                ResponseFuture::made_up(self.face.clone(), fault, I::deadline(&request))
            }
        }
    }
}

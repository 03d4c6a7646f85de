//! One request through the steps of [`pipeline`](crate::pipeline).

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use msf_auth::{Principal, Refusal, VerifyError, bearer_token};
use msf_client::ServiceClient;
use msf_core::{
    body::Body,
    problem::{Code, Problem},
};
use msf_resilience::rate_limit::Allowed;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower_service::Service;

use crate::{
    body::Proxied,
    pipeline::{Admission, Next, Worker},
};

/// The service behind the layers that observe it.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    worker: Arc<Worker>,
}

pin_project! {
    pub(crate) struct ForwardFuture {
        worker: Arc<Worker>,
        allowed: Option<Allowed>,
        #[pin]
        state: State,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State {
        Refused { response: Option<Response<Proxied>> },
        Verifying { verify: Verify, admission: Option<Admission> },
        Calling { #[pin] call: Oneshot<ServiceClient, Request<Body>> },
    }
}

/// Boxed, since it may wait for keys; only requests with a token pay for it.
type Verify = Pin<Box<dyn Future<Output = Result<Arc<Principal>, VerifyError>> + Send>>;

impl Forward {
    pub(crate) const fn new(worker: Arc<Worker>) -> Self {
        Self { worker }
    }
}

impl Service<Request<Body>> for Forward {
    type Response = Response<Proxied>;
    type Error = Infallible;
    type Future = ForwardFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ForwardFuture {
        let (state, allowed) = State::after(&self.worker, self.worker.admit(request));
        ForwardFuture {
            worker: Arc::clone(&self.worker),
            allowed,
            state,
        }
    }
}

impl State {
    fn after(worker: &Arc<Worker>, next: Next) -> (Self, Option<Allowed>) {
        match next {
            Next::Refuse(response) => (Self::refused(response.map(Proxied::from)), None),
            Next::Verify(mut admission) => {
                let allowed = admission.allowed.take();
                (Self::verifying(worker, admission), allowed)
            }
            Next::Call(service, request, allowed) => {
                let call = Oneshot::new(service, request);
                (Self::Calling { call }, allowed)
            }
        }
    }

    const fn refused(response: Response<Proxied>) -> Self {
        Self::Refused {
            response: Some(response),
        }
    }

    fn verifying(worker: &Arc<Worker>, admission: Admission) -> Self {
        let Some(verifier) = worker.shared.verifier.clone() else {
            // `build` refuses such a route.
            return Self::refused(Problem::new(Code::Internal).into_response());
        };
        let headers = admission.parts.headers.clone();
        let verify = Box::pin(async move {
            match bearer_token(&headers) {
                Ok(Some(token)) => verifier.verify(token).await,
                _ => unreachable!(),
            }
        });
        Self::Verifying {
            verify,
            admission: Some(admission),
        }
    }
}

impl Future for ForwardFuture {
    type Output = Result<Response<Proxied>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Refused { response } => {
                    let response = response.take();
                    return Poll::Ready(Ok(response.expect("a future is not polled after it is ready")));
                }
                StateProjection::Verifying { verify, admission } => {
                    let verified = ready!(verify.as_mut().poll(cx));
                    let admission = admission.take().expect("the state changes below");
                    let next = match verified {
                        Ok(caller) => this.worker.authorised(admission, Some(&caller)),
                        Err(error) => Next::Refuse(Refusal::from(error).into_response()),
                    };
                    let (state, allowed) = State::after(this.worker, next);
                    if allowed.is_some() {
                        *this.allowed = allowed;
                    }
                    this.state.set(state);
                }
                StateProjection::Calling { call } => {
                    let outcome = ready!(call.poll(cx));
                    return Poll::Ready(Ok(Worker::answer(outcome, this.allowed.as_ref())));
                }
            }
        }
    }
}

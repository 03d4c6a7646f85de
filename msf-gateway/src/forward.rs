//! One request through the steps of [`pipeline`](crate::pipeline).

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use msf_auth::{Refusal, Verify, bearer_token};
use msf_client::Call;
use msf_core::body::Body;
use msf_resilience::rate_limit::Allowed;
use pin_project_lite::pin_project;
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
        // The future is ready at once unless the issuer's keys have to be fetched.
        Verifying { #[pin] verify: Verify, admission: Option<Admission> },
        Calling { #[pin] call: Call },
    }
}

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
            Next::Call(call, allowed) => (Self::Calling { call }, allowed),
        }
    }

    const fn refused(response: Response<Proxied>) -> Self {
        Self::Refused {
            response: Some(response),
        }
    }

    fn verifying(worker: &Worker, admission: Admission) -> Self {
        let token = bearer_token(&admission.parts.headers);
        // `build` refuses a route that needs a verifier without one, and `admit` has seen the token.
        let (Some(verifier), Ok(Some(token))) = (&worker.shared.verifier, token) else {
            return Self::refused(Refusal::NoCredentials.into_response());
        };
        Self::Verifying {
            verify: verifier.verify(token),
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
                    return Poll::Ready(Ok(
                        response.expect("a future is not polled after it is ready")
                    ));
                }
                StateProjection::Verifying { verify, admission } => {
                    let verified = ready!(verify.poll(cx));
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

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
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    admission::{Admission, Waiting},
    body::Proxied,
    exchange::Back,
    layered::UpstreamFuture,
    pipeline::{Next, Worker},
};

/// The service behind the layers that observe it.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    worker: Arc<Worker>,
}

pin_project! {
    pub(crate) struct ForwardFuture {
        worker: Arc<Worker>,
        back: Back,
        #[pin]
        state: State,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State {
        Done { response: Option<Response<Proxied>> },
        // The future is ready at once unless the issuer's keys have to be fetched.
        Verifying { #[pin] verify: Verify, admission: Option<Admission> },
        // Plugins and stores have to be asked.
        Waiting { waiting: Waiting },
        Calling { #[pin] call: Call },
        // The call is behind the layers of its route.
        Layered { call: UpstreamFuture },
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
        let mut back = Back::default();
        let next = self.worker.admit(request, &mut back);
        ForwardFuture {
            state: State::after(&self.worker, next, &mut back),
            worker: Arc::clone(&self.worker),
            back,
        }
    }
}

impl State {
    fn after(worker: &Worker, next: Next, back: &mut Back) -> Self {
        match next {
            Next::Refuse(response) => Self::done(back.refuse(response)),
            Next::Answer(response) => Self::done(back.finish(response.map(Proxied::from))),
            Next::Verify(admission) => Self::verifying(worker, admission, back),
            Next::Wait(waiting) => Self::Waiting { waiting },
            Next::Call(call) => Self::Calling { call },
            Next::Layered(call) => Self::Layered { call },
        }
    }

    const fn done(response: Response<Proxied>) -> Self {
        Self::Done {
            response: Some(response),
        }
    }

    fn verifying(worker: &Worker, admission: Admission, back: &mut Back) -> Self {
        let token = bearer_token(&admission.parts.headers);
        // `build` refuses a route that needs a verifier without one, and `admit` has seen the token.
        let (Some(verifier), Ok(Some(token))) = (&worker.shared.verifier, token) else {
            return Self::done(back.refuse(Refusal::NoCredentials.into_response()));
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
            let next = match this.state.as_mut().project() {
                StateProjection::Done { response } => {
                    let response = response.take();
                    return Poll::Ready(Ok(
                        response.expect("a future is not polled after it is ready")
                    ));
                }
                StateProjection::Verifying { verify, admission } => {
                    let verified = ready!(verify.poll(cx));
                    let admission = admission.take().expect("the state changes below");
                    match verified {
                        Ok(caller) => this.worker.authorised(admission, Some(&caller), this.back),
                        Err(error) => Next::Refuse(Refusal::from(error).into_response()),
                    }
                }
                StateProjection::Waiting { waiting } => {
                    let waited = ready!(waiting.as_mut().poll(cx));
                    *this.back = waited.back;
                    match waited.outcome {
                        Ok((admission, caller)) => {
                            this.worker.dispatch(admission, caller.as_ref(), this.back)
                        }
                        Err(response) => Next::Refuse(response),
                    }
                }
                StateProjection::Calling { call } => {
                    let outcome = ready!(call.poll(cx));
                    return Poll::Ready(Ok(Worker::answer(outcome, this.back)));
                }
                StateProjection::Layered { call } => {
                    let outcome = ready!(Pin::new(call).poll(cx));
                    return Poll::Ready(Ok(Worker::answer_layered(outcome, this.back)));
                }
            };
            let state = State::after(this.worker, next, this.back);
            this.state.set(state);
        }
    }
}

//! A call of a service that has to become ready first.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

pin_project! {
    /// A call that was made, or is made as soon as the service is ready for it.
    ///
    /// So one place holds the call of a service that was ready and that of a clone, which is not.
    #[project = Projection]
    #[project_replace = Replaced]
    pub(crate) enum Oneshot<S, Req>
    where
        S: Service<Req>,
    {
        Readying {
            service: S,
            request: Option<Req>,
        },
        Called {
            #[pin]
            future: S::Future,
        },
        Nothing,
    }
}

impl<S: Service<Req>, Req> Oneshot<S, Req> {
    pub(crate) const fn new(service: S, request: Req) -> Self {
        Self::Readying {
            service,
            request: Some(request),
        }
    }

    pub(crate) const fn called(future: S::Future) -> Self {
        Self::Called { future }
    }

    /// Whether it still waits for the service: nothing has been called.
    pub(crate) const fn is_readying(&self) -> bool {
        matches!(self, Self::Readying { .. })
    }

    pub(crate) const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Drops the call, whatever it has come to.
    pub(crate) fn cancel(self: Pin<&mut Self>) {
        self.project_replace(Self::Nothing);
    }
}

impl<S: Service<Req>, Req> Future for Oneshot<S, Req> {
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                Projection::Readying { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let Some(request) = request.take() else {
                        return Poll::Pending;
                    };
                    let future = service.call(request);
                    // Drops the service: what it keeps for the call it handed over to the future.
                    self.as_mut().project_replace(Self::Called { future });
                }
                Projection::Called { future } => return future.poll(cx),
                Projection::Nothing => return Poll::Pending,
            }
        }
    }
}

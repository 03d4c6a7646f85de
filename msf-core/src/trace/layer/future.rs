//! The futures of this module.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{
    super::{RequestContext, current::Entered},
    body::ResponseBody,
    exchange::Exchange,
    outcome::Outcome,
};

pin_project! {
    /// The future of [`Trace`](crate::trace::Trace).
    ///
    /// # Cancel safety
    ///
    /// Dropped before the response is there, it drops the inner future inside the request's span and
    /// context, and then writes one access event with `outcome = "cancelled"`.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: Option<F>,
        // Moves into the body with the response.
        exchange: Option<Exchange>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(exchange) = this.exchange {
                exchange.within(|| this.inner.set(None));
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    pub(in crate::trace) fn new(inner: F, exchange: Exchange) -> Self {
        Self {
            inner: Some(inner),
            exchange: Some(exchange),
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let inner = this
            .inner
            .as_pin_mut()
            .expect("the inner future leaves only when dropped");
        let Some(exchange) = this.exchange else {
            return inner
                .poll(cx)
                .map_ok(|response| response.map(ResponseBody::untraced));
        };
        let answer = ready!(exchange.within(|| inner.poll(cx)));
        let exchange = this.exchange.take().expect("it was there a line ago");
        Poll::Ready(match answer {
            Ok(response) => Ok(exchange.answered(response)),
            Err(error) => {
                exchange.end(Outcome::Failed);
                Err(error)
            }
        })
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`scope`](crate::trace::scope).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it drops the inner future with the context still current.
    pub struct Scope<F> {
        #[pin]
        inner: Option<F>,
        context: Option<RequestContext>,
    }

    impl<F> PinnedDrop for Scope<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = Entered::new(this.context);
            this.inner.set(None);
        }
    }
}

impl<F> Scope<F> {
    pub(in crate::trace) fn new(context: RequestContext, inner: F) -> Self {
        Self {
            inner: Some(inner),
            context: Some(context),
        }
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let inner = this
            .inner
            .as_pin_mut()
            .expect("the inner future leaves only when dropped");
        let _entered = Entered::new(this.context);
        inner.poll(cx)
    }
}

impl<F> fmt::Debug for Scope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

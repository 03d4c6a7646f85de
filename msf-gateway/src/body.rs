//! The body of the gateway's answers.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use msf_core::{BoxError, metrics, trace};
use pin_project_lite::pin_project;

use crate::access_log::Exchange;

pin_project! {
    /// The body of an answer: a service's, passed on piece by piece as it comes, or the gateway's own.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end, it gives the call to the service up.
    #[derive(Debug)]
    pub struct ResponseBody {
        #[pin]
        kind: Kind,
        // Behind the body, so that the line comes after all that the body's drop does.
        exchange: Option<Exchange>,
    }

    impl PinnedDrop for ResponseBody {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(exchange) = this.exchange
                // A server that announced the length may drop the body without asking for its end.
                && (this.kind.is_end_stream() || this.kind.size_hint().exact() == Some(0))
            {
                exchange.complete();
            }
        }
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind {
        Bare { #[pin] body: Proxied },
        Observed { #[pin] body: ObservedBody },
    }
}

/// A body behind the layers that observe it.
pub(crate) type ObservedBody = trace::ResponseBody<metrics::http::ResponseBody<Proxied>>;

pin_project! {
    /// What comes out of the pipeline.
    #[project = ProxiedProjection]
    #[derive(Debug)]
    pub(crate) enum Proxied {
        Own { #[pin] body: Full<Bytes> },
        Service { #[pin] body: msf_client::ResponseBody },
        // What layers and plugins of a route made of it.
        Boxed { #[pin] body: msf_core::body::Body },
    }
}

impl ResponseBody {
    pub(crate) const fn bare(body: Proxied) -> Self {
        Self {
            kind: Kind::Bare { body },
            exchange: None,
        }
    }

    pub(crate) const fn observed(body: ObservedBody) -> Self {
        Self {
            kind: Kind::Observed { body },
            exchange: None,
        }
    }

    /// The same answer, whose end is the end of the exchange.
    pub(crate) fn followed(response: Response<Self>, mut exchange: Exchange) -> Response<Self> {
        exchange.answered(response.status(), response.extensions());
        response.map(|mut body| {
            body.exchange = Some(exchange);
            if body.is_end_stream() {
                body.end();
            }
            body
        })
    }

    /// Nothing is owed to the client any more.
    fn end(&mut self) {
        if let Some(mut exchange) = self.exchange.take() {
            exchange.complete();
        }
    }
}

impl From<Bytes> for Proxied {
    fn from(bytes: Bytes) -> Self {
        Self::Own {
            body: Full::new(bytes),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let frame = ready!(match this.kind.as_mut().project() {
            KindProjection::Bare { body } => body.poll_frame(cx),
            KindProjection::Observed { body } => body.poll_frame(cx),
        });
        if let Some(exchange) = this.exchange {
            let has_ended = match &frame {
                None => true,
                Some(Err(error)) => {
                    exchange.broke_off(error);
                    true
                }
                Some(Ok(frame)) => {
                    exchange.sent(frame.data_ref().map_or(0, Bytes::len));
                    this.kind.is_end_stream()
                }
            };
            if has_ended {
                exchange.complete();
                *this.exchange = None;
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.kind.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.kind.size_hint()
    }
}

impl Kind {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bare { body } => body.is_end_stream(),
            Self::Observed { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bare { body } => body.size_hint(),
            Self::Observed { body } => body.size_hint(),
        }
    }
}

impl Body for Proxied {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
            ProxiedProjection::Own { body } => body.poll_frame(cx).map_err(|never| match never {}),
            ProxiedProjection::Service { body } => body.poll_frame(cx).map_err(Into::into),
            ProxiedProjection::Boxed { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own { body } => body.is_end_stream(),
            Self::Service { body } => body.is_end_stream(),
            Self::Boxed { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own { body } => body.size_hint(),
            Self::Service { body } => body.size_hint(),
            Self::Boxed { body } => body.size_hint(),
        }
    }
}

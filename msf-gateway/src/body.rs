//! The body of the gateway's answers.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use msf_core::{BoxError, metrics, trace};
use pin_project_lite::pin_project;

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
        }
    }

    pub(crate) const fn observed(body: ObservedBody) -> Self {
        Self {
            kind: Kind::Observed { body },
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
        match self.project().kind.project() {
            KindProjection::Bare { body } => body.poll_frame(cx),
            KindProjection::Observed { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Bare { body } => body.is_end_stream(),
            Kind::Observed { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Bare { body } => body.size_hint(),
            Kind::Observed { body } => body.size_hint(),
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

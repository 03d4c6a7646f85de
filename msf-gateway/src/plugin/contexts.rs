//! What the plugins of one request left, and the end of its answer.

use std::{
    fmt,
    pin::Pin,
    task::{Context as Waker, Poll, ready},
};

use bytes::Bytes;
use http::{StatusCode, request::Parts, response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use msf_core::{BoxError, body::Body, clock};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::{
    Completed, Flow,
    erased::{Context, Installed},
};
use crate::body::Proxied;

/// The plugins that have seen a request, with what they left for its answer.
#[derive(Default)]
pub(crate) struct Contexts(Vec<(Installed, Context)>);

impl Contexts {
    /// Shows the request to one more plugin.
    pub(crate) async fn on_request(&mut self, plugin: &Installed, parts: &mut Parts) -> Flow {
        let mut context = plugin.context();
        let flow = plugin.on_request(parts, &mut context).await;
        self.0.push((plugin.clone(), context));
        flow
    }

    /// The last one that saw the request sees the answer first.
    pub(crate) fn on_response(&mut self, response: &mut response::Parts) {
        for (plugin, context) in self.0.iter_mut().rev() {
            plugin.on_response(response, context);
        }
    }

    fn on_complete(&mut self, completed: &Completed) {
        for (plugin, context) in self.0.iter_mut().rev() {
            plugin.on_complete(completed, context);
        }
    }
}

impl fmt::Debug for Contexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contexts").field(&self.0.len()).finish()
    }
}

pin_project! {
    /// A body whose end plugins wait for.
    pub(crate) struct Watched {
        #[pin]
        inner: Proxied,
        completion: Completion,
    }
}

/// Tells plugins once, whatever becomes of the body.
struct Completion {
    contexts: Contexts,
    status: StatusCode,
    started: Instant,
    is_whole: bool,
}

impl Watched {
    /// The body, followed if a plugin has seen its request.
    pub(crate) fn around(
        inner: Proxied,
        contexts: Contexts,
        status: StatusCode,
        started: Instant,
    ) -> Proxied {
        if contexts.0.is_empty() {
            return inner;
        }
        let is_whole = inner.is_end_stream();
        let completion = Completion {
            contexts,
            status,
            started,
            is_whole,
        };
        let body = Body::new(Self { inner, completion });
        Proxied::Boxed { body }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        let completed = Completed {
            status: self.status,
            took: clock::now().saturating_duration_since(self.started),
            is_whole: self.is_whole,
        };
        self.contexts.on_complete(&completed);
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Waker<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let mut inner = this.inner;
        let frame = ready!(inner.as_mut().poll_frame(cx));
        match &frame {
            None => this.completion.is_whole = true,
            // Whoever knows the length does not ask for an end.
            Some(Ok(_)) => this.completion.is_whole = inner.is_end_stream(),
            Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

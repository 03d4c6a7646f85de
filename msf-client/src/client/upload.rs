//! The body of a request on its way, which tells how long its sender kept the callee waiting.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use msf_core::{BoxError, body::Body, clock};
use tokio::time::Instant;

/// Passes a body on and notes when its sender was last waited for.
struct Upload {
    inner: Body,
    started: Instant,
    waited: Waited,
}

/// Until when a callee could not answer because the caller's body was still to come.
#[derive(Clone, Debug, Default)]
pub(super) struct Waited(Option<Arc<AtomicU64>>);

impl Waited {
    /// Follows the body of a request, unless that is in memory.
    pub(super) fn follow(request: &mut Request<Body>, started: Instant) -> Self {
        if request.body().is_in_memory() || request.body().is_end_stream() {
            return Self::default();
        }
        let waited = Self(Some(Arc::default()));
        let inner = std::mem::take(request.body_mut());
        *request.body_mut() = Body::new(Upload {
            inner,
            started,
            waited: waited.clone(),
        });
        waited
    }

    /// From the start of the call; `None` while the body is waited for.
    pub(super) fn until(&self) -> Option<Duration> {
        let Some(millis) = &self.0 else {
            return Some(Duration::ZERO);
        };
        match millis.load(Ordering::Relaxed) {
            STILL => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }

    fn note(&self, is_pending: bool, started: Instant) {
        let Some(millis) = &self.0 else { return };
        if is_pending {
            millis.store(STILL, Ordering::Relaxed);
        } else if millis.load(Ordering::Relaxed) == STILL {
            let waited = clock::now().saturating_duration_since(started).as_millis();
            let waited = u64::try_from(waited).unwrap_or(STILL - 1);
            millis.store(waited, Ordering::Relaxed);
        }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        this.waited.note(frame.is_pending(), this.started);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

const STILL: u64 = u64::MAX;

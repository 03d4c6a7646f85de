//! The state of a service and its changes as server-sent events.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Response, header, request::Parts};
use http_body::Frame;
use msf_core::{
    BoxError, clock,
    name::ServiceName,
    server::{Body, Connection},
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};

use super::{reading, request, service::RegistryServer};
use crate::{
    backend::memory::{MemoryRegistry, View},
    model::Cursor,
};

/// A stream that begins where the reader was, if that is known, and else with the whole state.
pub(super) fn events(
    server: &RegistryServer,
    service: ServiceName,
    parts: &Parts,
    place: OwnedSemaphorePermit,
) -> Response<Body> {
    let now = clock::now();
    let watcher = Watcher {
        memory: server.memory.clone(),
        service,
        at: request::last_event(&parts.headers),
        is_first: true,
        // Spread, so that those who began together do not come back together.
        ends_at: now + server.stream_max.mul_f64(1.0 - fastrand::f64() / 16.0),
        keep_alive: server.keep_alive,
        ready_at: now,
        connection: parts.extensions.get().cloned(),
        _place: place,
    };
    let mut answer = Response::new(Body::new(EventStream {
        pending: Chunks::new(),
        next: Some(Box::pin(watcher.next())),
    }));
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy that collects the answer would keep the events to itself.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// One reader of one service.
///
/// Nothing is queued for it: what happens while it does not read is told together, from where it was to
/// where the registry is then.
struct Watcher {
    memory: MemoryRegistry,
    service: ServiceName,
    /// What the reader knows; `None` for nothing.
    at: Option<Cursor>,
    is_first: bool,
    ends_at: Instant,
    keep_alive: Duration,
    /// Not before it is the next event told.
    ready_at: Instant,
    connection: Option<Connection>,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next bytes of the stream; `None` at its end.
    async fn next(mut self) -> Option<(Chunks, Self)> {
        let connection = self.connection.clone();
        let chunks = tokio::select! {
            chunks = self.chunks() => chunks?,
            () = reading::stopping(connection.as_ref()) => return None,
        };
        Some((chunks, self))
    }

    async fn chunks(&mut self) -> Option<Chunks> {
        if std::mem::take(&mut self.is_first) {
            return Some(self.first());
        }
        sleep_until(self.ready_at).await;
        let left = self.ends_at.saturating_duration_since(clock::now());
        if left.is_zero() {
            return None;
        }
        let at = self.at?;
        let wait = left.min(self.keep_alive);
        let Some(view) = self.memory.view_after(&self.service, at, wait).await else {
            return Some([Bytes::from_static(KEEP_ALIVE)].into());
        };
        Some(self.told(&view, at))
    }

    fn first(&mut self) -> Chunks {
        let view = self.memory.view(&self.service);
        let mut chunks = Chunks::from([format!("retry: {}\n", RETRY.as_millis()).into()]);
        match self.at.replace(view.cursor()) {
            // A comment, so that the reader learns that it is heard.
            Some(at) if at == view.cursor() => {
                chunks.push_back(Bytes::from_static(b": nothing happened\n\n"));
            }
            Some(at) => match view.delta_json(at, reading::delta) {
                Some(delta) => push_event(&mut chunks, "delta", view.cursor(), delta),
                None => {
                    chunks.push_back(Bytes::from_static(b"event: reset\ndata: {}\n\n"));
                    push_whole(&mut chunks, &view);
                }
            },
            None => push_whole(&mut chunks, &view),
        }
        chunks
    }

    fn told(&mut self, view: &View, at: Cursor) -> Chunks {
        self.at = Some(view.cursor());
        self.ready_at = clock::now() + PACE;
        let mut chunks = Chunks::new();
        match view.delta_json(at, reading::delta) {
            Some(delta) => push_event(&mut chunks, "delta", view.cursor(), delta),
            None => push_whole(&mut chunks, view),
        }
        chunks
    }
}

/// Parts of a stream; the large ones are shared by all readers.
type Chunks = VecDeque<Bytes>;

fn push_whole(chunks: &mut Chunks, view: &View) {
    push_event(chunks, "snapshot", view.cursor(), view.json(reading::state));
}

/// JSON has no line break of its own, so one line of data is enough.
fn push_event(chunks: &mut Chunks, name: &str, at: Cursor, data: Bytes) {
    let (epoch, revision) = (at.epoch(), at.revision());
    let head = format!("event: {name}\nid: {epoch:016x}:{revision}\ndata: ");
    chunks.extend([head.into(), data, Bytes::from_static(b"\n\n")]);
}

type Next = Pin<Box<dyn Future<Output = Option<(Chunks, Watcher)>> + Send>>;

struct EventStream {
    pending: Chunks,
    next: Option<Next>,
}

impl http_body::Body for EventStream {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(chunk) = self.pending.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            let Some(next) = &mut self.next else {
                return Poll::Ready(None);
            };
            let told = ready!(next.as_mut().poll(cx));
            // Put aside before anything else: an ended future is not polled again.
            self.next = None;
            if let Some((chunks, watcher)) = told {
                self.pending = chunks;
                self.next = Some(Box::pin(watcher.next()));
            }
        }
    }
}

const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// After which wait a reader that was cut off comes back.
const RETRY: Duration = Duration::from_secs(1);

/// What happens within it after an event is told together.
const PACE: Duration = Duration::from_millis(20);

//! The state of a service and its changes as server-sent events.

use std::{
    fmt::Write as _,
    pin::Pin,
    sync::Arc,
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
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let connection = self.connection.clone();
        let bytes = tokio::select! {
            bytes = self.bytes() => bytes?,
            () = reading::stopping(connection.as_ref()) => return None,
        };
        Some((bytes, self))
    }

    async fn bytes(&mut self) -> Option<Bytes> {
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
            return Some(Bytes::from_static(KEEP_ALIVE));
        };
        Some(self.told(&view, at))
    }

    fn first(&mut self) -> Bytes {
        let view = self.memory.view(&self.service);
        let mut text = format!("retry: {}\n", RETRY.as_millis());
        match self.at {
            Some(at) if at == view.cursor() => {
                // A comment, so that the reader learns that it is heard.
                text.push_str(": nothing happened\n\n");
                return text.into();
            }
            Some(at) => match view.delta_json(at, reading::delta) {
                Some(delta) => write_event(&mut text, "delta", view.cursor(), &delta),
                None => {
                    text.push_str("event: reset\ndata: {}\n\n");
                    write_event(
                        &mut text,
                        "snapshot",
                        view.cursor(),
                        &view.json(reading::state),
                    );
                }
            },
            None => write_event(
                &mut text,
                "snapshot",
                view.cursor(),
                &view.json(reading::state),
            ),
        }
        self.at = Some(view.cursor());
        text.into()
    }

    fn told(&mut self, view: &Arc<View>, at: Cursor) -> Bytes {
        self.at = Some(view.cursor());
        self.ready_at = clock::now() + PACE;
        let mut text = String::new();
        match view.delta_json(at, reading::delta) {
            Some(delta) => write_event(&mut text, "delta", view.cursor(), &delta),
            None => {
                write_event(
                    &mut text,
                    "snapshot",
                    view.cursor(),
                    &view.json(reading::state),
                );
            }
        }
        text.into()
    }
}

/// JSON has no line break of its own, so one line of data is enough.
fn write_event(text: &mut String, name: &str, at: Cursor, data: &Bytes) {
    let data = std::str::from_utf8(data).expect("JSON that we wrote is UTF-8");
    text.reserve(data.len() + 80);
    write!(
        text,
        "event: {name}\nid: {:016x}:{}\ndata: {data}\n\n",
        at.epoch(),
        at.revision()
    )
    .expect("a String takes everything");
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Watcher)>> + Send>>;

struct EventStream {
    next: Option<Next>,
}

impl http_body::Body for EventStream {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        match ready!(next.as_mut().poll(cx)) {
            Some((bytes, watcher)) => {
                self.next = Some(Box::pin(watcher.next()));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            None => {
                self.next = None;
                Poll::Ready(None)
            }
        }
    }
}

const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// After which wait a reader that was cut off comes back.
const RETRY: Duration = Duration::from_secs(1);

/// What happens within it after an event is told together.
const PACE: Duration = Duration::from_millis(20);

//! One request on its way to its line.

use std::{
    cell::RefCell,
    fmt, mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::{Buf, Bytes};
use http::{Extensions, Method, Request, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use msf_core::{BoxError, body::Body, clock, server};

use super::{AccessRecord, Queue};
use crate::{failure::ProxyError, pipeline::Target, respond};

thread_local! {
    /// The record of the request that is being polled right here; set only where the log is on.
    static CURRENT: RefCell<Option<Box<AccessRecord>>> = const { RefCell::new(None) };
}

/// Writes something down about the request that is being served. Does nothing where the log is off.
///
/// `f` must not poll anything, since the record of another request could then be asked for.
pub(crate) fn note(f: impl FnOnce(&mut AccessRecord)) {
    // The thread may be ending.
    let _ = CURRENT.try_with(|current| {
        if let Ok(mut current) = current.try_borrow_mut()
            && let Some(record) = current.as_deref_mut()
        {
            f(record);
        }
    });
}

/// Owes the line of one request, and hands it in when it is dropped: there is exactly one, however the
/// request ends.
pub(crate) struct Exchange {
    /// Taken only while the request is polled.
    record: Option<Box<AccessRecord>>,
    log: Arc<Queue>,
    is_complete: bool,
}

impl Exchange {
    /// Begins with a request whose path is canonical and whose route is known.
    pub(crate) fn start(log: &Arc<Queue>, request: &mut Request<Body>) -> Self {
        let bytes_in = (!request.is_end_stream()).then(|| {
            let read = Arc::new(AtomicU64::new(0));
            let body = mem::replace(request.body_mut(), Body::empty());
            let counted = Counted {
                body,
                read: Arc::clone(&read),
            };
            *request.body_mut() = Body::new(counted);
            read
        });
        let route = match request.extensions().get() {
            Some(Target::Route(route, _)) => Some(route.template.clone()),
            _ => None,
        };
        let headers = request.headers();
        let record = AccessRecord {
            time: SystemTime::now(),
            started: clock::now(),
            request_id: None,
            client: server::peer(request.extensions()).map(|peer| peer.ip()),
            method: request.method().clone(),
            host: headers.get(header::HOST).cloned(),
            target: request.uri().path_and_query().cloned(),
            version: request.version(),
            user_agent: headers.get(header::USER_AGENT).cloned(),
            route,
            cluster: None,
            instance: None,
            status: None,
            failure: None,
            is_own: true,
            bytes_in,
            bytes_out: 0,
            called: None,
            upstream: None,
            duration: std::time::Duration::ZERO,
        };
        Self {
            record: Some(Box::new(record)),
            log: Arc::clone(log),
            is_complete: false,
        }
    }

    /// Runs `f` with the record in reach of [`note`].
    pub(crate) fn within<T>(&mut self, f: impl FnOnce() -> T) -> T {
        let _entered = Entered::new(&mut self.record);
        f()
    }

    /// The head of the answer is there.
    pub(crate) fn answered(&mut self, status: StatusCode, extensions: &Extensions) {
        let Some(record) = &mut self.record else {
            return;
        };
        record.status = Some(status);
        if record.is_own {
            record.failure = respond::failure(extensions);
        }
        // RFC 9110 section 6.4.1: these have no content, so a server drops the body without reading it.
        self.is_complete =
            record.method == Method::HEAD || matches!(status.as_u16(), 100..200 | 204 | 304);
    }

    /// A piece of the body went out; with `all` nothing but trailers can follow.
    pub(crate) fn sent(&mut self, bytes: usize, all: bool) {
        if let Some(record) = &mut self.record {
            record.bytes_out += bytes as u64;
        }
        self.is_complete |= all;
    }

    /// The body has ended.
    pub(crate) const fn complete(&mut self) {
        self.is_complete = true;
    }

    /// The body broke off.
    pub(crate) fn broke_off(&mut self, error: &BoxError) {
        let failure = error
            .downcast_ref::<msf_client::Error>()
            .map_or(ProxyError::Internal, ProxyError::from);
        if let Some(record) = &mut self.record {
            record.failure = Some(failure);
        }
        self.is_complete = true;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take() else {
            return;
        };
        record.duration = clock::now().saturating_duration_since(record.started);
        if !self.is_complete {
            record.failure = Some(if std::thread::panicking() {
                ProxyError::Internal
            } else {
                ProxyError::ClientGone
            });
        }
        self.log.push(record);
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

/// Puts a record in reach and takes it back when dropped, also when a poll panics.
struct Entered<'a> {
    slot: &'a mut Option<Box<AccessRecord>>,
}

impl<'a> Entered<'a> {
    fn new(slot: &'a mut Option<Box<AccessRecord>>) -> Self {
        swap(slot);
        Self { slot }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.slot);
    }
}

fn swap(slot: &mut Option<Box<AccessRecord>>) {
    // A future may be dropped while its thread ends; then nobody can ask for the record either.
    let _ = CURRENT.try_with(|current| mem::swap(slot, &mut *current.borrow_mut()));
}

/// A request body whose bytes are counted.
struct Counted {
    body: Body,
    read: Arc<AtomicU64>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.read
                .fetch_add(data.remaining() as u64, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

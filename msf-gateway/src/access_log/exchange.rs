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
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use msf_core::{BoxError, body::Body, clock, server};

use super::AccessRecord;
use crate::{
    failure::ProxyError,
    pipeline::{Target, Worker},
    respond,
};

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

/// Follows one request to its end: counts it if its client left or its answer broke off, and owes its line in the
/// log. Both happen once, when it is dropped, however the request ends.
pub(crate) struct Exchange {
    worker: Arc<Worker>,
    /// `None` where the log is off; taken only while the request is polled.
    record: Option<Box<AccessRecord>>,
    is_head: bool,
    /// Whether the answer was a failure, which was counted when it was made.
    is_counted: bool,
    is_complete: bool,
}

impl Exchange {
    /// Begins with a request whose path is canonical and whose route is known.
    pub(crate) fn start(worker: &Arc<Worker>, request: &mut Request<Body>) -> Self {
        let is_logged = worker.shared.access_log.is_some();
        Self {
            worker: Arc::clone(worker),
            record: is_logged.then(|| Self::record(request)),
            is_head: *request.method() == Method::HEAD,
            is_counted: false,
            is_complete: false,
        }
    }

    fn record(request: &mut Request<Body>) -> Box<AccessRecord> {
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
        Box::new(AccessRecord {
            time: SystemTime::now(),
            started: clock::now(),
            request_id: None,
            client: server::peer(request.extensions()).map(|peer| peer.ip()),
            method: Some(request.method().clone()),
            host: host(request.uri(), headers),
            target: request.uri().path_and_query().cloned(),
            version: Some(request.version()),
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
        })
    }

    /// Runs `f` with the record in reach of [`note`].
    pub(crate) fn within<T>(&mut self, f: impl FnOnce() -> T) -> T {
        if self.record.is_none() {
            return f();
        }
        let _entered = Entered::new(&mut self.record);
        f()
    }

    /// The head of the answer is there.
    pub(crate) fn answered(&mut self, status: StatusCode, extensions: &Extensions) {
        // An answer of a service has none: `respond::cleaned` sees to that.
        let failure = respond::failure(extensions);
        self.is_counted = failure.is_some();
        // RFC 9110 section 6.4.1: these have no content, so a server drops the body without reading it.
        self.is_complete = self.is_head || matches!(status.as_u16(), 100..200 | 204 | 304);
        if let Some(record) = &mut self.record {
            record.status = Some(status);
            record.failure = failure;
        }
    }

    /// A piece of the body went out.
    pub(crate) fn sent(&mut self, bytes: usize) {
        if let Some(record) = &mut self.record {
            record.bytes_out += bytes as u64;
        }
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
        self.failed(failure);
        self.is_complete = true;
    }

    /// What was counted already stays what the request is said to have ended with.
    fn failed(&mut self, failure: ProxyError) {
        if self.is_counted {
            return;
        }
        self.is_counted = true;
        self.worker.shared.failures.count(failure);
        if let Some(record) = &mut self.record {
            record.failure = Some(failure);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_complete {
            self.failed(if std::thread::panicking() {
                ProxyError::Internal
            } else {
                ProxyError::ClientGone
            });
        }
        if let (Some(mut record), Some(log)) = (self.record.take(), &self.worker.shared.access_log)
        {
            record.duration = clock::now().saturating_duration_since(record.started);
            log.push(record);
        }
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

/// The host that was asked for: with HTTP/2 it is said by the target alone.
pub(super) fn host(target: &Uri, headers: &HeaderMap) -> Option<HeaderValue> {
    match target.authority() {
        // A user's password may stand before it.
        Some(authority) => {
            let host = authority.as_str().rsplit('@').next().unwrap_or_default();
            HeaderValue::from_str(host).ok()
        }
        None => headers.get(header::HOST).cloned(),
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

//! A body that several readers read, the foremost of them from the body itself.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use msf_core::BoxError;

use super::{body::as_bytes, error::Lost};

/// The body, and what was read of it.
pub(super) struct Shared<B> {
    state: Mutex<State<B>>,
    waiting: Arc<Waiting>,
    /// Wakes all who wait. A body wakes only who polled it last, and that one may not come.
    waker: Waker,
}

/// Who waits for the next frame of the body, each once. Never locked while the body is polled: it may wake then.
#[derive(Default)]
struct Waiting(Mutex<Vec<(usize, Waker)>>);

struct State<B> {
    /// None once it has ended or failed.
    rest: Option<B>,
    /// How it failed, until a reader is told.
    failure: Option<BoxError>,
    /// Every frame so far, unless they are lost.
    frames: Vec<Piece>,
    /// How many frames were read, lost ones included.
    front: usize,
    /// How many more bytes may be kept.
    room: usize,
    is_lost: bool,
    /// How many readers there were.
    readers: usize,
}

#[derive(Clone)]
enum Piece {
    Data(Bytes),
    Trailers(Box<HeaderMap>),
}

/// One reading of the body, from its beginning.
pub(super) struct Reader<B> {
    shared: Arc<Shared<B>>,
    number: usize,
    /// The number of the next frame.
    next: usize,
}

impl<B: Body> Shared<B> {
    pub(super) fn new(body: B, limit: usize) -> Self {
        Self::with(State {
            rest: Some(body),
            failure: None,
            frames: Vec::new(),
            front: 0,
            room: limit,
            is_lost: false,
            readers: 0,
        })
    }

    /// A body whose first frame was read already.
    pub(super) fn begun(body: B, limit: usize, frame: &Frame<Bytes>) -> Self {
        let shared = Self::new(body, limit);
        let mut state = shared.lock();
        state.keep(frame);
        if state.is_lost {
            // A body longer than it said. The reader that is still to come needs the frame nonetheless.
            state.frames.extend(Piece::of(frame));
        }
        drop(state);
        shared
    }

    /// A body that failed at its first frame.
    pub(super) fn failed(error: BoxError) -> Self {
        Self::with(State {
            rest: None,
            failure: Some(error),
            frames: Vec::new(),
            front: 0,
            room: 0,
            is_lost: true,
            readers: 0,
        })
    }

    fn with(state: State<B>) -> Self {
        let waiting = Arc::new(Waiting::default());
        Self {
            state: Mutex::new(state),
            waker: Waker::from(Arc::clone(&waiting)),
            waiting,
        }
    }
}

impl<B> Shared<B> {
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Reader<B> {
    pub(super) fn first(shared: Shared<B>) -> Self {
        Self {
            shared: Arc::new(shared),
            number: 0,
            next: 0,
        }
    }

    pub(super) fn again(shared: &Arc<Shared<B>>) -> Option<Self> {
        let mut state = shared.lock();
        if state.is_lost {
            return None;
        }
        state.readers += 1;
        Some(Self {
            shared: Arc::clone(shared),
            number: state.readers,
            next: 0,
        })
    }

    pub(super) fn source(&self) -> Arc<Shared<B>> {
        Arc::clone(&self.shared)
    }
}

impl<B> Reader<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    pub(super) fn poll_frame(
        &mut self,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.shared.lock();
        if self.next < state.front {
            let Some(piece) = state.frames.get(self.next) else {
                self.next = usize::MAX;
                return Poll::Ready(Some(Err(Lost.into())));
            };
            self.next += 1;
            return Poll::Ready(Some(Ok(piece.clone().into_frame())));
        }
        if self.next > state.front {
            return Poll::Ready(None); // this reader was told
        }
        let Some(rest) = &mut state.rest else {
            let failure = state.failure.take();
            self.next = usize::MAX;
            return Poll::Ready(failure.map(Err));
        };
        // Before the body is asked, which may wake at once.
        self.shared.waiting.add(self.number, cx.waker());
        let polled = Pin::new(rest).poll_frame(&mut Context::from_waker(&self.shared.waker));
        let answer = match polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                let frame = as_bytes(frame);
                state.keep(&frame);
                self.next = state.front;
                Some(Ok(frame))
            }
            Poll::Ready(Some(Err(error))) => {
                state.rest = None;
                state.lose();
                // Who is at this point, or comes to it, finds a frame that is lost.
                state.front += 1;
                self.next = usize::MAX;
                Some(Err(error.into()))
            }
            Poll::Ready(None) => {
                state.rest = None;
                self.next = usize::MAX;
                None
            }
        };
        drop(state);
        // What was there may have been there before anybody was woken for it.
        self.shared.waiting.remove(self.number);
        self.shared.waiting.wake_all();
        Poll::Ready(answer)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let state = self.shared.lock();
        self.next > state.front
            || self.next == state.front
                && state.failure.is_none()
                && state.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let state = self.shared.lock();
        let is_cut = self.next < state.front && state.frames.get(self.next).is_none();
        if is_cut || state.failure.is_some() {
            // It ends with an error: a length, above all 0, would be a lie.
            return SizeHint::default();
        }
        let rest = state.rest.as_ref();
        let mut hint = rest.map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let kept = state.frames.iter().skip(self.next);
        let kept: u64 = kept.map(|piece| piece.data_len() as u64).sum();
        // The upper bound first: it must not be below the lower one.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(kept));
        }
        hint.set_lower(hint.lower().saturating_add(kept));
        hint
    }
}

impl<B> Drop for Reader<B> {
    fn drop(&mut self) {
        self.shared.waiting.remove(self.number);
    }
}

impl<B> State<B> {
    fn keep(&mut self, frame: &Frame<Bytes>) {
        self.front += 1;
        if self.is_lost {
            return;
        }
        let Some(piece) = Piece::of(frame) else {
            return self.lose();
        };
        let len = piece.len();
        if len > self.room || self.frames.len() >= FRAMES_MAX {
            return self.lose();
        }
        self.room -= len;
        self.frames.push(piece.compact());
    }

    fn lose(&mut self) {
        self.is_lost = true;
        self.frames = Vec::new();
    }
}

impl Waiting {
    fn add(&self, reader: usize, waker: &Waker) {
        let mut waiting = self.lock();
        match waiting.iter_mut().find(|(number, _)| *number == reader) {
            Some((_, before)) => before.clone_from(waker),
            None => waiting.push((reader, waker.clone())),
        }
    }

    fn remove(&self, reader: usize) {
        let mut waiting = self.lock();
        let place = waiting.iter().position(|(number, _)| *number == reader);
        let removed = place.map(|place| waiting.swap_remove(place));
        drop(waiting);
        drop(removed);
    }

    fn wake_all(&self) {
        let woken = std::mem::take(&mut *self.lock());
        woken.into_iter().for_each(|(_, waker)| waker.wake());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(usize, Waker)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

impl Piece {
    fn of(frame: &Frame<Bytes>) -> Option<Self> {
        match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => Some(Self::Data(data.clone())),
            (None, Some(trailers)) => Some(Self::Trailers(Box::new(trailers.clone()))),
            (None, None) => None,
        }
    }

    fn into_frame(self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data),
            Self::Trailers(trailers) => Frame::trailers(*trailers),
        }
    }

    /// A small slice may be all that is left of a large buffer, which it would keep alive.
    fn compact(self) -> Self {
        match self {
            Self::Data(data) if data.len() < COPY_BELOW => {
                Self::Data(Bytes::copy_from_slice(&data))
            }
            large => large,
        }
    }

    /// What it takes of the limit.
    fn len(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(trailers) => trailers
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len())
                .sum(),
        }
    }

    const fn data_len(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(_) => 0,
        }
    }
}

/// A body in tiny frames may not take more memory for the frames than for its bytes.
const FRAMES_MAX: usize = 1024;

/// As long as the frames of HTTP/2 are by default: so the default limit is at most four slices of buffers of others.
const COPY_BELOW: usize = 16 * 1024;

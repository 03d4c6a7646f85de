//! What a replayed body promises.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use msf_core::{BoxError, testing::allocations};
use proptest::prelude::*;
use tokio_test::{assert_pending, assert_ready, task};

use super::{Lost, ReplayBody};

/// What a body does when it is polled, one after the other.
#[derive(Clone, Debug)]
enum Step {
    Data(Bytes),
    Trailers,
    Pending,
    Fail,
}

#[derive(Clone, Debug, Default)]
struct Script {
    steps: VecDeque<Step>,
    hint: SizeHint,
}

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            hint: SizeHint::new(),
        }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Trailers) => Some(Ok(Frame::trailers(trailers()))),
            Some(Step::Fail) => Some(Err("the upload broke".into())),
            Some(Step::Pending) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())])
}

fn data(text: &'static str) -> Step {
    Step::Data(Bytes::from_static(text.as_bytes()))
}

/// So many frames, or all; and whether that was all.
async fn read<B: Body<Data = Bytes, Error = BoxError> + Unpin>(
    body: &mut B,
    frames: usize,
) -> Result<(Vec<u8>, Option<HeaderMap>), BoxError> {
    let (mut bytes, mut trailers) = (Vec::new(), None);
    for _ in 0..frames {
        let Some(frame) = body.frame().await else {
            break;
        };
        match frame?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((bytes, trailers))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(|data| Step::Data(data.into())),
        1 => Just(Step::Pending),
    ]
}

proptest! {
    #[test]
    fn every_reading_gives_the_same_bytes_however_they_are_cut_and_wherever_the_first_stopped(
        mut steps in proptest::collection::vec(step(), 0..30),
        has_trailers: bool,
        knows_its_size: bool,
        stop in 0_usize..30,
        keep_first: bool,
    ) {
        let sent: Vec<u8> = steps.iter().flat_map(|step| match step {
            Step::Data(data) => data.to_vec(),
            _ => Vec::new(),
        }).collect();
        if has_trailers {
            steps.push(Step::Trailers);
        }
        let mut script = Script::new(steps);
        if knows_its_size {
            script.hint = SizeHint::with_exact(sent.len() as u64);
        }
        tokio_test::block_on(async {
            let (mut first, kept) = ReplayBody::keep(script, 4096);
            let kept = kept.expect("within the limit");
            read(&mut first, stop).await.unwrap();
            let first = keep_first.then_some(first);
            for _ in 0..3 {
                let mut again = kept.again().expect("nothing was lost");
                let (bytes, trailers) = read(&mut again, usize::MAX).await.unwrap();
                prop_assert_eq!(&bytes, &sent);
                prop_assert_eq!(trailers.is_some(), has_trailers);
                prop_assert!(again.is_end_stream());
            }
            drop(first);
            Ok(())
        })?;
    }

    #[test]
    fn a_body_is_lost_exactly_when_more_than_the_limit_was_read_and_is_sent_nonetheless(
        lengths in proptest::collection::vec(0_usize..50, 0..20),
        limit in 0_usize..300,
    ) {
        let total: usize = lengths.iter().sum();
        let steps = lengths.iter().map(|len| Step::Data(Bytes::from(vec![7; *len])));
        tokio_test::block_on(async {
            let (mut first, kept) = ReplayBody::keep(Script::new(steps), limit);
            let (bytes, _) = read(&mut first, usize::MAX).await.unwrap();
            prop_assert_eq!(bytes.len(), total);
            prop_assert_eq!(kept.unwrap().again().is_some(), total <= limit);
            Ok(())
        })?;
    }
}

#[test]
fn what_is_in_memory_is_neither_copied_nor_allocated_for() {
    let bytes = Bytes::from_static(b"order 7");
    let made = allocations(|| {
        let (first, kept) = ReplayBody::keep(Full::new(bytes.clone()), 1024);
        let again = kept.unwrap().again().unwrap();
        for mut body in [first, again] {
            let cx = &mut Context::from_waker(Waker::noop());
            let frame = Pin::new(&mut body).poll_frame(cx);
            let data = assert_ready!(frame).unwrap().unwrap().into_data().unwrap();
            assert!(std::ptr::eq(data.as_ptr(), bytes.as_ptr()));
        }
    });
    assert_eq!(made.count, 0);
}

#[tokio::test]
async fn an_empty_body_is_kept_without_being_asked() {
    let (first, kept) = ReplayBody::keep(Empty::<Bytes>::new(), 0);
    assert!(first.is_end_stream());
    assert!(kept.unwrap().again().unwrap().is_end_stream());
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_goes_out_once() {
    let (first, kept) = ReplayBody::keep(Full::<Bytes>::from("12345"), 4);
    assert!(kept.is_none());
    assert_eq!(first.size_hint().exact(), Some(5));
    assert_eq!(first.collect().await.unwrap().to_bytes(), "12345");
}

#[tokio::test]
async fn a_body_longer_than_it_said_is_sent_and_not_kept() {
    let mut liar = Script::new([data("123456"), data("78")]);
    liar.hint = SizeHint::with_exact(2);
    let (first, kept) = ReplayBody::keep(liar, 4);
    assert!(kept.unwrap().again().is_none());
    assert_eq!(first.collect().await.unwrap().to_bytes(), "12345678");
}

#[tokio::test]
async fn a_body_in_countless_frames_is_not_kept() {
    let steps = (0..2000).map(|_| Step::Data(Bytes::new()));
    let (mut first, kept) = ReplayBody::keep(Script::new(steps), 1024);
    read(&mut first, usize::MAX).await.unwrap();
    assert!(kept.unwrap().again().is_none());
}

#[tokio::test]
async fn a_body_that_fails_is_not_sent_again() {
    let (mut first, kept) = ReplayBody::keep(Script::new([data("a"), Step::Fail]), 64);
    let mut second = kept.as_ref().unwrap().again().unwrap();
    let error = read(&mut first, usize::MAX).await.unwrap_err();
    assert_eq!(error.to_string(), "the upload broke");
    assert!(first.frame().await.is_none());
    assert!(kept.unwrap().again().is_none());

    // A reader that was on its way must not take the end for the whole.
    let lost = read(&mut second, usize::MAX).await.unwrap_err();
    assert!(lost.is::<Lost>());
    assert!(second.frame().await.is_none());
}

#[tokio::test]
async fn a_body_that_fails_at_once_fails_when_it_is_read() {
    let mut script = Script::new([Step::Fail]);
    script.hint = SizeHint::with_exact(3);
    let (mut first, kept) = ReplayBody::keep(script, 64);
    assert!(kept.is_none());
    assert!(!first.is_end_stream());
    assert!(read(&mut first, 1).await.is_err());
    assert!(first.frame().await.is_none());
}

#[tokio::test]
async fn a_reader_left_behind_is_told_that_the_rest_is_lost() {
    let steps = [data("ab"), data("cd"), data("efghij")];
    let (mut first, kept) = ReplayBody::keep(Script::new(steps), 6);
    let mut behind = kept.unwrap().again().unwrap();
    read(&mut behind, 1).await.unwrap();
    assert_eq!(read(&mut first, usize::MAX).await.unwrap().0, b"abcdefghij");
    assert!(read(&mut behind, 1).await.unwrap_err().is::<Lost>());
}

#[tokio::test]
async fn the_others_are_woken_though_the_reader_that_asked_last_is_gone() {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let (first, kept) = ReplayBody::keep(Channel(receiver), 64);
    let mut first = task::spawn(first);
    let mut second = task::spawn(kept.unwrap().again().unwrap());
    assert_pending!(first.enter(|cx, body| body.poll_frame(cx)));
    assert_pending!(second.enter(|cx, body| body.poll_frame(cx)));
    drop(second);
    sender.send(Bytes::from_static(b"a")).await.unwrap();
    assert!(first.is_woken());
}

#[tokio::test]
async fn a_body_that_cannot_be_read_to_its_end_does_not_look_empty() {
    // A client that takes 0 for the length would send a request without a body.
    let mut script = Script::new([Step::Fail]);
    script.hint = SizeHint::with_exact(3);
    let (first, _) = ReplayBody::keep(script, 64);
    assert_eq!(first.size_hint().exact(), None);

    let steps = [data("ab"), data("cd"), data("efghij")];
    let (mut first, kept) = ReplayBody::keep(Script::new(steps), 6);
    let behind = kept.unwrap().again().unwrap();
    read(&mut first, usize::MAX).await.unwrap();
    assert!(!behind.is_end_stream());
    assert_eq!(behind.size_hint().exact(), None);
}

#[tokio::test]
async fn a_reader_that_is_woken_and_does_not_come_holds_up_nobody() {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let (first, kept) = ReplayBody::keep(Channel(receiver), 64);
    let mut first = task::spawn(first);
    let mut stalled = task::spawn(kept.unwrap().again().unwrap());
    assert_pending!(first.enter(|cx, body| body.poll_frame(cx)));
    assert_pending!(stalled.enter(|cx, body| body.poll_frame(cx)));
    sender.send(Bytes::from_static(b"a")).await.unwrap();
    assert!(first.is_woken());
    assert_ready!(first.enter(|cx, body| body.poll_frame(cx)));
    drop(sender);
    assert_ready!(stalled.enter(|cx, body| body.poll_frame(cx)));
}

#[test]
fn a_frame_that_was_there_before_anybody_was_woken_wakes_the_others() {
    /// Has nothing at first, then a frame, and wakes nobody: its waker comes later.
    struct Late(bool);
    impl Body for Late {
        type Data = Bytes;
        type Error = BoxError;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            if std::mem::replace(&mut self.0, true) {
                Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
            } else {
                Poll::Pending
            }
        }
    }
    let (first, kept) = ReplayBody::keep(Late(false), 64);
    let mut first = task::spawn(first);
    let mut second = task::spawn(kept.unwrap().again().unwrap());
    assert_pending!(first.enter(|cx, body| body.poll_frame(cx)));
    assert_ready!(second.enter(|cx, body| body.poll_frame(cx)));
    assert!(first.is_woken());
    assert!(!second.is_woken());
}

#[test]
fn a_reader_that_is_asked_by_ever_new_tasks_is_remembered_once() {
    let (_sender, receiver) = tokio::sync::mpsc::channel(1);
    let (mut first, _kept) = ReplayBody::keep(Channel(receiver), 64);
    let mut last = None;
    for _ in 0..100 {
        let waker = Arc::new(Asleep);
        let task = Waker::from(Arc::clone(&waker));
        let cx = &mut Context::from_waker(&task);
        assert_pending!(Pin::new(&mut first).poll_frame(cx));
        drop(task);
        // All but the last task were left, and nobody keeps their wakers.
        if let Some(before) = last.replace(waker) {
            assert_eq!(Arc::strong_count(&before), 1);
        }
    }
}

/// Frames that somebody else sends.
struct Channel(tokio::sync::mpsc::Receiver<Bytes>);

impl Body for Channel {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = self.0.poll_recv(cx);
        next.map(|data| data.map(|data| Ok(Frame::data(data))))
    }
}

struct Asleep;

impl std::task::Wake for Asleep {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test]
async fn a_small_frame_of_a_large_buffer_does_not_keep_the_buffer() {
    let buffer = Bytes::from(vec![7; 1 << 20]);
    let steps = (0..4).map(|n| Step::Data(buffer.slice(n..n + 1)));
    let (mut first, kept) = ReplayBody::keep(Script::new(steps), 64);
    read(&mut first, usize::MAX).await.unwrap();
    drop(first);
    assert!(buffer.is_unique(), "only the test has the buffer");
    let again = kept.unwrap().again().unwrap().collect().await.unwrap();
    assert_eq!(again.to_bytes(), [7; 4][..]);
}

#[tokio::test]
async fn the_size_counts_down() {
    let mut script = Script::new([data("ab"), data("cd")]);
    script.hint = SizeHint::with_exact(2);
    let (mut body, kept) = ReplayBody::keep(script, 64);
    assert_eq!(body.size_hint().exact(), Some(4), "2 kept and 2 announced");
    read(&mut body, 1).await.unwrap();
    assert_eq!(body.size_hint().exact(), Some(2));
    assert_eq!(kept.unwrap().again().unwrap().size_hint().exact(), Some(4));
}

#[tokio::test]
async fn it_turns_into_the_body_of_msf_without_a_box() {
    use msf_core::body::Body as Erased;
    let (first, kept) = ReplayBody::keep(Erased::from("hello"), 64);
    let (first, again) = (Erased::from(first), kept.unwrap().again().unwrap());
    assert!(first.is_in_memory());
    assert!(Erased::from(again).is_in_memory());
    assert!(Erased::from(ReplayBody::once(Erased::from("x"))).is_in_memory());
    let (streamed, _) = ReplayBody::keep(Script::new([data("a"), data("b")]), 64);
    let collected = Erased::from(streamed).collect().await.unwrap();
    assert_eq!(collected.to_bytes(), "ab");
}

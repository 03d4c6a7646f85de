//! What happens at one moment on two threads, and what wakers do that run at once.

use std::{
    future::{Future, pending},
    hint,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_eq, task};

use crate::coalesce::{Coalesce, seat::Turn};

type Call = Pin<Box<dyn Future<Output = u32> + Send>>;

fn waiting(coalesce: &Coalesce<u32, u32>) -> Call {
    let coalesce = coalesce.clone();
    let mut call: Call = Box::pin(async move { coalesce.run(1, pending).await });
    let poll = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending());
    call
}

#[tokio::test]
async fn a_flight_whose_leader_and_last_follower_go_at_one_moment_is_gone() {
    const ROUNDS: usize = 30_000;
    let coalesce: Coalesce<u32, u32> = Coalesce::builder("x").build().unwrap();
    let (send, receive) = mpsc::channel::<Call>();
    let start = Arc::new(AtomicUsize::new(0));
    let (done, is_done) = mpsc::channel();
    let started = Arc::clone(&start);
    let other = thread::spawn(move || {
        for (round, follower) in receive.into_iter().enumerate() {
            while started.load(Ordering::Acquire) <= round {
                hint::spin_loop();
            }
            drop(follower);
            done.send(()).unwrap();
        }
    });
    for round in 0..ROUNDS {
        let leader = waiting(&coalesce);
        send.send(waiting(&coalesce)).unwrap();
        start.store(round + 1, Ordering::Release);
        // So that either goes first in some of the rounds.
        (0..round % 64).for_each(|_| hint::spin_loop());
        drop(leader);
        is_done.recv().unwrap();
        assert_eq!(coalesce.in_flight(), 0, "round {round}");
    }
    drop(send);
    other.join().unwrap();
}

/// Runs something inside of `wake`, as executors do that poll or drop a task at once.
struct Inline(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let run = self.0.lock().unwrap().take();
        if let Some(run) = run {
            run();
        }
    }
}

fn inline(run: impl FnOnce() + Send + 'static) -> Waker {
    Waker::from(Arc::new(Inline(Mutex::new(Some(Box::new(run))))))
}

/// Whether it ends, which it does not where a lock is taken twice.
fn ends(run: impl FnOnce() + Send + 'static) -> bool {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let _guard = runtime.enter();
        run();
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(10)).is_ok()
}

#[test]
fn wakers_run_after_the_lock_of_the_flight_is_released() {
    for lands in [true, false] {
        assert!(ends(move || {
            let coalesce: Coalesce<u32, u32> = Coalesce::builder("x").build().unwrap();
            let mut leader = Box::pin(coalesce.join(1));
            let other = waiting(&coalesce);
            let has_run = Arc::new(AtomicBool::new(false));
            let ran = Arc::clone(&has_run);
            let waker = inline(move || {
                drop(other);
                ran.store(true, Ordering::Relaxed);
            });
            let mut follower = pin!(coalesce.run(1, pending));
            let mut cx = Context::from_waker(&waker);
            assert!(follower.as_mut().poll(&mut cx).is_pending());
            if lands {
                leader.as_mut().land(|| 7);
                assert_eq!(follower.as_mut().poll(&mut cx), Poll::Ready(7));
            } else {
                leader.as_mut().scatter();
            }
            assert!(has_run.load(Ordering::Relaxed));
        }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_who_was_replaced_leaves_the_flight_to_its_successor() {
    let coalesce: Coalesce<u32, u32> = Coalesce::builder("x").build().unwrap();
    let stalled = task::spawn(coalesce.run(1, pending));
    let mut stalled = stalled;
    assert_pending!(stalled.poll());
    let (answer, answered) = tokio::sync::oneshot::channel();
    let mut successor = task::spawn(coalesce.run(1, || async { answered.await.unwrap() }));
    assert_pending!(successor.poll());
    advance(Duration::from_secs(10)).await;
    assert_pending!(successor.poll());

    drop(stalled);
    assert_eq!(coalesce.in_flight(), 1, "the successor's call is under way");
    let mut third = task::spawn(coalesce.run(1, || async { panic!("it follows") }));
    assert_pending!(third.poll());
    answer.send(7).unwrap();
    assert_ready_eq!(successor.poll(), 7);
    assert_ready_eq!(third.poll(), 7);
    drop((successor, third));
    assert_eq!(coalesce.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_a_crowd_has_left_keeps_little_room() {
    let coalesce: Coalesce<u32, u32> = Coalesce::builder("x").build().unwrap();
    let mut leader = Box::pin(coalesce.join(1));
    let crowd: Vec<_> = (0..1000).map(|_| coalesce.join(1)).collect();
    drop(crowd);
    leader.as_mut().land(|| 7);
    assert_eq!(coalesce.in_flight(), 0);
    assert!(coalesce.room() <= 64, "{}", coalesce.room());
    let mut next = Box::pin(coalesce.join(1));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(matches!(
        next.as_mut().poll_turn(cx),
        Poll::Ready(Turn::Call)
    ));
}

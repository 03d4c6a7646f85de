//! Many threads, many drops: nobody hangs and nothing is left.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use msf_core::task;
use tokio::time::timeout;

use crate::coalesce::Coalesce;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_come_and_go_on_many_threads_all_get_an_answer() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let coalesce: Coalesce<u32, u32> = Coalesce::builder("stress").build().unwrap();
    let tasks: Vec<_> = (0..8_u64)
        .map(|seed| {
            let coalesce = coalesce.clone();
            task::spawn("stress", async move {
                let mut rng = fastrand::Rng::with_seed(seed);
                for _ in 0..300 {
                    let key = rng.u32(..4);
                    let gives_up = rng.u32(..3) == 0;
                    let steps = rng.u32(..4);
                    let call = coalesce.run(key, || async move {
                        CALLS.fetch_add(1, Ordering::Relaxed);
                        for _ in 0..steps {
                            tokio::task::yield_now().await;
                        }
                        key
                    });
                    if gives_up {
                        tokio::select! {
                            biased;
                            answer = call => assert_eq!(answer, key),
                            () = tokio::task::yield_now() => {}
                        }
                    } else {
                        // Well below the patience: nobody may depend on that.
                        let answer = timeout(Duration::from_secs(8), call).await;
                        assert_eq!(answer, Ok(key));
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.join().await.unwrap();
    }
    assert_eq!(coalesce.in_flight(), 0);
    assert!(CALLS.load(Ordering::Relaxed) <= 8 * 300);
}

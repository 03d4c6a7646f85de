//! Writing out, and not being held up by it.

use std::{
    io::{self, ErrorKind, Write},
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use tokio::runtime::Builder;
use tracing::info;

use super::{Bench, within};
use crate::telemetry::{LogConfig, Telemetry, TelemetrySetup, lines::LineStyle};

const LONG: Duration = Duration::from_secs(30);

/// An output that says when it is written to, and then blocks until told to go on.
struct Stuck {
    entered: Sender<()>,
    go_on: Receiver<()>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Both ends are gone when the test is over.
        let _ = self.entered.send(());
        let _ = self.go_on.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct StuckBench {
    dispatch: tracing::Dispatch,
    telemetry: Telemetry,
    entered: Receiver<()>,
    go_on: Sender<()>,
}

fn stuck(queue_lines: usize) -> StuckBench {
    let (entered_in, entered) = channel();
    let (go_on, go_on_out) = channel();
    let log = LogConfig {
        queue_lines,
        ..LogConfig::default()
    };
    let out = Stuck {
        entered: entered_in,
        go_on: go_on_out,
    };
    let built = TelemetrySetup::new(&log).build(out, LineStyle::Json, None);
    let (dispatch, telemetry) = built.unwrap();
    StuckBench {
        dispatch,
        telemetry,
        entered,
        go_on,
    }
}

#[test]
fn a_stuck_output_costs_lines_and_says_how_many() {
    let bench = stuck(4);
    tracing::dispatcher::with_default(&bench.dispatch, || {
        info!("taken by the writer");
        bench.entered.recv_timeout(LONG).unwrap();
        for _ in 0..10 {
            info!("4 wait, 6 are dropped");
        }
    });
    assert_eq!(bench.telemetry.dropped_lines(), 6);
    drop(bench.go_on);
    assert!(bench.telemetry.flush_lines(LONG));
    assert_eq!(bench.telemetry.stats().dropped_lines(), 6);
}

#[test]
fn the_log_reports_what_it_lost() {
    let bench = Bench::json();
    let line = LineStyle::Json.dropped_notice()(7);
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(line["dropped"], 7);
    assert_eq!(line["level"], "WARN");
    assert_eq!(bench.telemetry.dropped_lines(), 0);
}

#[test]
fn a_reader_that_went_away_is_survived() {
    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let setup = TelemetrySetup::new(&LogConfig::default());
    let (dispatch, telemetry) = setup.build(Broken, LineStyle::Json, None).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        for _ in 0..3 {
            info!("into the void");
        }
    });
    assert!(telemetry.flush_lines(LONG));
    assert_eq!(telemetry.dropped_lines(), 3);
}

#[test]
fn a_full_non_blocking_pipe_is_waited_for() {
    struct Hesitant(u32, Sender<Vec<u8>>);

    impl Write for Hesitant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 % 3 {
                0 => Err(ErrorKind::WouldBlock.into()),
                1 => Err(ErrorKind::Interrupted.into()),
                _ => {
                    let taken = bytes.len().min(50);
                    self.1.send(bytes[..taken].to_vec()).unwrap();
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let (written, pieces) = channel();
    let setup = TelemetrySetup::new(&LogConfig::default());
    let built = setup.build(Hesitant(0, written), LineStyle::Json, None);
    let (dispatch, telemetry) = built.unwrap();
    tracing::dispatcher::with_default(&dispatch, || info!("a line longer than fifty bytes"));
    assert!(telemetry.flush_lines(LONG));
    let line: Vec<u8> = pieces.try_iter().flatten().collect();
    assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
    assert_eq!(telemetry.dropped_lines(), 0);
}

#[test]
fn shutdown_writes_everything_on_any_runtime() {
    let current = || Builder::new_current_thread().build().unwrap();
    let paused = || {
        let mut builder = Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    let multi = || {
        Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap()
    };
    for runtime in [current(), paused(), multi()] {
        let bench = Bench::json();
        bench.run(|| (0..1000).for_each(|n| info!(n)));
        let Bench {
            dispatch,
            telemetry,
            written,
        } = bench;
        within(LONG, move || runtime.block_on(telemetry.shutdown(LONG))).unwrap();
        assert_eq!(
            written
                .0
                .lock()
                .unwrap()
                .iter()
                .filter(|b| **b == b'\n')
                .count(),
            1000
        );
        drop(dispatch);
    }
    let bench = Bench::json();
    bench.run(|| info!("x"));
    let telemetry = bench.telemetry;
    within(LONG, move || telemetry.shutdown_blocking(LONG)).unwrap();
    let bench = Bench::json();
    let telemetry = bench.telemetry;
    within(LONG, move || tokio_test::block_on(telemetry.shutdown(LONG))).unwrap();
}

#[test]
fn shutdown_with_a_stuck_output_ends_in_time() {
    let bound = Duration::from_millis(50);
    let multi = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let current = Builder::new_current_thread().build().unwrap();
    for runtime in [multi, current] {
        let StuckBench {
            dispatch,
            telemetry,
            entered,
            go_on,
        } = stuck(4);
        tracing::dispatcher::with_default(&dispatch, || info!("x"));
        entered.recv_timeout(LONG).unwrap();
        // On the worker itself, with nobody to take over.
        let shutdown = async move { runtime_spawn(telemetry.shutdown(bound)).await };
        let error = within(LONG, move || runtime.block_on(shutdown)).unwrap_err();
        assert!(error.lines && !error.spans);
        assert_eq!(
            error.to_string(),
            "telemetry was not written out within 50ms"
        );
        drop(go_on);
    }
}

async fn runtime_spawn<F>(future: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(future);
    tasks.join_next().await.unwrap().unwrap()
}

#[test]
fn dropping_the_guard_with_a_stuck_output_ends_in_time() {
    let bench = stuck(4);
    tracing::dispatcher::with_default(&bench.dispatch, || info!("x"));
    bench.entered.recv_timeout(LONG).unwrap();
    let telemetry = bench.telemetry;
    within(LONG, move || drop(telemetry));
}

#[test]
fn a_dropped_shutdown_future_still_flushes() {
    let bench = Bench::json();
    bench.run(|| info!("x"));
    let mut shutdown = tokio_test::task::spawn(bench.telemetry.shutdown(LONG));
    // Polled once or not at all: both flush, the second by dropping the guard.
    let _ = shutdown.poll();
    drop(shutdown);
    drop(bench.dispatch);
    let written = bench.written;
    within(LONG, move || {
        while written.0.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
    });
}

//! One table of what calls cost, on one thread and on two that share one instance.
//!
//! Every row is measured in turns with all others, round by round; the figure is the median of its rounds, less what
//! the row that it stands on costs. In a round for two, a second thread makes the same calls while the first is
//! timed. Rounds in which the second hardly got anything done are left out: on a busy machine the threads take turns,
//! and two threads that take turns do not disturb each other.

use std::{
    hint,
    sync::{
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use allocation_counter::opt_out;
use msf_benches::rounds::median;
use msf_core::testing::allocations;
use tokio::{runtime::Handle, time::Instant};

use crate::calls::unanswered;

/// Makes so many calls.
pub(crate) type Runner = Box<dyn FnMut(u32) + Send>;

/// Rows under headings.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    heading: &'static str,
}

/// A row that others stand on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base(usize);

/// How long it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// How many rounds a median is made of.
    pub(crate) rounds: u32,
    /// About how long each row is timed in each.
    pub(crate) round: Duration,
}

/// One line of the table.
pub(crate) struct Row {
    name: &'static str,
    heading: &'static str,
    base: Option<usize>,
    target: Option<(f64, f64)>,
    at_least: u32,
    at_most: u32,
    first: Runner,
    second: Option<Runner>,
    is_shared: bool,
    calls: u32,
    alone: Vec<f64>,
    together: Vec<f64>,
    apart: Vec<f64>,
    allocations: f64,
    unanswered: u64,
}

impl Table {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Begins a group of rows.
    pub(crate) const fn heading(&mut self, heading: &'static str) {
        self.heading = heading;
    }

    /// Adds an operation that any thread may run. Its state must be shared by its clones.
    pub(crate) fn operation<F>(
        &mut self,
        name: &'static str,
        base: Option<Base>,
        operation: F,
    ) -> &mut Row
    where
        F: FnMut() + Clone + Send + 'static,
    {
        self.runners(
            name,
            base,
            repeat(operation.clone()),
            Some(repeat(operation)),
        )
    }

    /// Adds an operation that `make` makes for the first thread (0) and for the second (1).
    pub(crate) fn by_thread<F>(
        &mut self,
        name: &'static str,
        base: Option<Base>,
        make: impl Fn(usize) -> F,
    ) -> &mut Row
    where
        F: FnMut() + Send + 'static,
    {
        self.runners(name, base, repeat(make(0)), Some(repeat(make(1))))
    }

    /// Adds a row by what its threads run; without a second it has no figure for two.
    pub(crate) fn runners(
        &mut self,
        name: &'static str,
        base: Option<Base>,
        first: Runner,
        second: Option<Runner>,
    ) -> &mut Row {
        self.rows.push(Row {
            name,
            heading: self.heading,
            base: base.map(|base| base.0),
            target: None,
            at_least: 1,
            at_most: u32::MAX,
            first,
            is_shared: second.is_some(),
            second,
            calls: 0,
            alone: Vec::new(),
            together: Vec::new(),
            apart: Vec::new(),
            allocations: 0.0,
            unanswered: 0,
        });
        self.rows.last_mut().expect("a row was pushed")
    }

    /// The last row, for others to stand on.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) const fn last(&self) -> Base {
        assert!(!self.rows.is_empty(), "there is a row");
        Base(self.rows.len() - 1)
    }

    /// Keeps the rows whose name or heading contains one of the words, and those that these stand on.
    ///
    /// A [`Base`] got before points to another row after it.
    pub(crate) fn keep(&mut self, words: &[String]) {
        if words.is_empty() {
            return;
        }
        let is_wanted = |row: &Row| {
            let names = [row.name, row.heading];
            words
                .iter()
                .any(|word| names.iter().any(|name| name.contains(word.as_str())))
        };
        let mut is_kept: Vec<_> = self.rows.iter().map(is_wanted).collect();
        for row in self.rows.iter().filter(|row| is_wanted(row)) {
            if let Some(kept) = row.base.and_then(|base| is_kept.get_mut(base)) {
                *kept = true;
            }
        }
        let place = |old: usize| is_kept.iter().take(old).filter(|kept| **kept).count();
        for row in &mut self.rows {
            row.base = row.base.map(place);
        }
        let mut kept = is_kept.iter();
        self.rows.retain(|_| kept.next().is_some_and(|kept| *kept));
    }

    /// Measures all rows in turns. `runtime` is entered on both threads, for its timers.
    pub(crate) fn measure(&mut self, effort: Effort, runtime: &Handle) {
        let _entered = runtime.enter();
        for row in &mut self.rows {
            row.watched(|row| row.calibrate(effort.round));
        }
        let signals = Signals::default();
        let seconds: Vec<_> = self
            .rows
            .iter_mut()
            .map(|row| row.second.take().map(|runner| (runner, row.calls)))
            .collect();
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            scope.spawn(|| {
                let _entered = runtime.enter();
                opt_out(|| accompany(seconds, receiver, &signals));
            });
            // What counts allocations makes them dearer, unless it is told to look away.
            opt_out(|| {
                for _ in 0..effort.rounds {
                    for (index, row) in self.rows.iter_mut().enumerate() {
                        row.watched(|row| {
                            row.round_alone();
                            if row.is_shared {
                                row.round_together(index, &sender, &signals);
                            }
                        });
                    }
                }
            });
            drop(sender);
        });
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub(crate) fn print(&self, out: &mut impl std::io::Write) -> std::io::Result<()> {
        let width = self.rows.iter().map(|row| row.name.len()).max();
        let width = width.unwrap_or_default() + 2;
        writeln!(
            out,
            "{:width$}{:>12}{:>14}{:>9}   target",
            "", "ns 1 thread", "ns 2 threads", "allocs"
        )?;
        let mut heading = "";
        for row in &self.rows {
            if row.heading != heading {
                heading = row.heading;
                writeln!(out, "\n{heading}")?;
            }
            let base = row.base.and_then(|base| self.rows.get(base));
            let less = |figure: f64, of: fn(&Row) -> f64| figure - base.map_or(0.0, of);
            let alone = less(row.alone(), Row::alone);
            let together = less(row.together(), Row::together);
            let allocations = less(row.allocations, |row| row.allocations);
            let target = row.target.map_or_else(String::new, |(one, two)| {
                let is_met = alone <= one && (together.is_nan() || together <= two);
                let verdict = if is_met { "" } else { "  missed" };
                format!("{one:.0} / {two:.0}{verdict}")
            });
            let line = format!(
                "{:width$}{alone:>12.1}{:>14}{allocations:>9.2}   {target}",
                row.name,
                row.show_together(together),
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// The rows in which calls failed. Their figures are worth nothing.
    pub(crate) fn failing(&self) -> impl Iterator<Item = &'static str> {
        let failing = self.rows.iter().filter(|row| row.unanswered > 0);
        failing.map(|row| row.name)
    }

    /// Whether two threads disturbed each other in this row, which a word that both write must show.
    pub(crate) fn ran_together(&self, row: Base) -> bool {
        self.rows
            .get(row.0)
            .is_none_or(|row| !row.took_turns() && row.together() > 1.5 * row.alone())
    }
}

impl Row {
    /// Sets what the row should cost at most on one thread and on two.
    pub(crate) const fn target(&mut self, one: f64, two: f64) -> &mut Self {
        self.target = Some((one, two));
        self
    }

    /// Makes a round so long, for what goes through many keys.
    pub(crate) const fn at_least(&mut self, calls: u32) -> &mut Self {
        self.at_least = calls;
        self
    }

    /// Bounds the calls of a round, for what becomes slower with every call.
    pub(crate) const fn at_most(&mut self, calls: u32) -> &mut Self {
        self.at_most = calls;
        self
    }

    fn watched(&mut self, run: impl FnOnce(&mut Self)) {
        let before = unanswered();
        run(self);
        self.unanswered += unanswered() - before;
    }

    fn calibrate(&mut self, round: Duration) {
        let mut calls = 32.min(self.at_most);
        (self.first)(self.at_least.max(calls));
        self.allocations = allocations(|| (self.first)(calls)).count as f64 / f64::from(calls);
        self.calls = loop {
            let taken = time(|| (self.first)(calls));
            if calls >= self.at_most || taken >= round / 4 {
                let wanted = f64::from(calls) * round.as_secs_f64() / taken.as_secs_f64().max(1e-9);
                #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
                break (wanted as u32).clamp(self.at_least, self.at_most);
            }
            calls = calls.saturating_mul(2).min(self.at_most);
        };
    }

    fn round_alone(&mut self) {
        let taken = self.timed();
        self.alone.push(taken);
    }

    fn round_together(&mut self, index: usize, to_other: &mpsc::Sender<usize>, signals: &Signals) {
        signals.stop.store(false, Ordering::Relaxed);
        signals.done.store(0, Ordering::Relaxed);
        if to_other.send(index).is_err() {
            return;
        }
        wait_until(|| signals.is_running.load(Ordering::Acquire));
        let before = signals.done.load(Ordering::Relaxed);
        let taken = self.timed();
        let done = signals.done.load(Ordering::Relaxed) - before;
        signals.stop.store(true, Ordering::Relaxed);
        wait_until(|| !signals.is_running.load(Ordering::Acquire));
        if done >= self.calls / 8 {
            self.together.push(taken);
        } else {
            self.apart.push(taken);
        }
    }

    /// Nanoseconds of one call.
    fn timed(&mut self) -> f64 {
        // On a busy machine who holds a lock may lose the processor in each of many calls: do not wait for all of them.
        let chunk = (self.calls / 16).max(1);
        (self.first)(chunk);
        let start = Instant::now();
        let mut done = 0;
        while done < self.calls && (done == 0 || start.elapsed() < TOO_LONG) {
            (self.first)(chunk);
            done += chunk;
        }
        start.elapsed().as_nanos() as f64 / f64::from(done)
    }

    fn alone(&self) -> f64 {
        median(&mut self.alone.clone())
    }

    fn together(&self) -> f64 {
        if self.took_turns() {
            median(&mut self.apart.clone())
        } else {
            median(&mut self.together.clone())
        }
    }

    const fn took_turns(&self) -> bool {
        self.together.len() < self.apart.len()
    }

    fn show_together(&self, figure: f64) -> String {
        match (figure.is_nan(), self.took_turns()) {
            (true, _) => "-".to_owned(),
            (false, true) => format!("{figure:.1}*"),
            (false, false) => format!("{figure:.1}"),
        }
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// For a round, which is meant to take a millisecond or so.
const TOO_LONG: Duration = Duration::from_millis(10);

/// What the two threads tell each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Signals {
    is_running: AtomicBool,
    stop: AtomicBool,
    done: AtomicU32,
}

/// The second thread: makes the calls of the row it is told, until it is told to stop.
fn accompany(
    mut runners: Vec<Option<(Runner, u32)>>,
    rows: mpsc::Receiver<usize>,
    signals: &Signals,
) {
    for row in rows {
        let Some(Some((runner, calls))) = runners.get_mut(row) else {
            return;
        };
        let chunk = (*calls / 32).max(1);
        runner(chunk);
        signals.is_running.store(true, Ordering::Release);
        while !signals.stop.load(Ordering::Relaxed) {
            runner(chunk);
            signals.done.fetch_add(chunk, Ordering::Relaxed);
        }
        signals.is_running.store(false, Ordering::Release);
    }
}

fn repeat(mut operation: impl FnMut() + Send + 'static) -> Runner {
    Box::new(move |calls| (0..calls).for_each(|_| operation()))
}

fn time(code: impl FnOnce()) -> Duration {
    let start = Instant::now();
    code();
    start.elapsed()
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        hint::spin_loop();
        thread::yield_now();
    }
}

//! The sweep over the cells of one service.

use tokio::time::Instant;

use super::{
    Cell, Outliers, Signal,
    book::Book,
    sweep::{Change, Phase, Subject, Swept, sweep},
};

/// Sweeps over the cells of one service: reads them, has [`sweep`] decide, and writes what it decided.
#[derive(Debug)]
pub(crate) struct Detector {
    settings: Outliers,
    signal: Signal,
    swept_at: Option<Instant>,
    rng: fastrand::Rng,
}

/// One instance to sweep over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched<'a> {
    pub(crate) cell: &'a Cell,
    /// The sum over all its stripes.
    pub(crate) successes: u32,
    /// Whether it would be called if it were not ejected.
    pub(crate) is_callable: bool,
}

impl Detector {
    pub(crate) fn new(settings: Outliers) -> Self {
        Self {
            settings,
            signal: Signal::new(settings.consecutive),
            swept_at: None,
            rng: fastrand::Rng::new(),
        }
    }

    /// What the cells of the service wake the sweep by.
    pub(crate) const fn signal(&self) -> &Signal {
        &self.signal
    }

    /// Sweeps over all instances of the list in use. The cells have changed when it returns.
    pub(crate) fn sweep(&mut self, instances: &[Watched<'_>], now: Instant) -> Swept {
        self.signal.arm(false);
        let is_recent = |at: Instant| now.saturating_duration_since(at) <= self.settings.window;
        let is_gap = !self.swept_at.is_some_and(is_recent);
        self.swept_at = Some(now);

        // Copies: a list that names an instance twice must not lock it twice.
        let mut books: Vec<Book> = instances
            .iter()
            .map(|watched| *watched.cell.book())
            .collect();
        let mut subjects: Vec<Subject<'_>> = instances
            .iter()
            .zip(&mut books)
            .map(|(watched, book)| Subject {
                book,
                phase: watched.cell.phase(),
                successes: watched.successes,
                failures: watched.cell.failures(),
                in_a_row: watched.cell.failures_in_a_row(),
                is_callable: watched.is_callable,
                is_vouched: watched.cell.is_vouched(),
                change: None,
            })
            .collect();
        let rng = &mut self.rng;
        let swept = sweep(&mut subjects, &self.settings, is_gap, now, || rng.f32());
        drop(subjects);

        for (watched, book) in instances.iter().zip(books) {
            *watched.cell.book() = book;
        }
        for (place, change) in &swept.changes {
            instances[*place].cell.enter(match change {
                Change::Eject(_) => Phase::Ejected,
                Change::Probe => Phase::HalfOpen,
                Change::TakeBack => Phase::Open,
            });
        }
        let is_soon = |next: Instant| next <= now + self.settings.step();
        self.signal.arm(swept.next.is_some_and(is_soon));
        swept
    }
}

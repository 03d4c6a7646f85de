//! Who is ejected, who is probed and who is taken back: the whole decision, without a lock or a clock.

use std::time::Duration;

use tokio::time::Instant;

use super::{Outliers, book::Book, window::Calls};

/// One instance as the sweep sees it.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) book: &'a mut Book,
    pub(super) phase: Phase,
    /// All successes and failures ever, as wrapping counts.
    pub(super) successes: u32,
    pub(super) failures: u32,
    /// Failures since the last success.
    pub(super) in_a_row: u32,
    /// Whether it would be called if it were not ejected.
    pub(super) is_callable: bool,
    /// Whether an active check has passed since it was ejected.
    pub(super) is_vouched: bool,
    /// What the sweep decided; none for no change.
    pub(super) change: Option<Change>,
}

/// Where an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// It is called.
    Open = 0,
    /// It is not called.
    Ejected = 1,
    /// One call may find out.
    HalfOpen = 2,
    /// One call is on its way.
    Probing = 3,
    /// That call succeeded.
    Passed = 4,
    /// That call failed.
    Failed = 5,
}

/// What changes for one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    /// It is not called for a while.
    Eject(Reason),
    /// One call may find out.
    Probe,
    /// It is called again.
    TakeBack,
}

/// Why an instance is ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// Too many failures in a row.
    Consecutive,
    /// It succeeds less often than its peers.
    SuccessRate,
    /// The call that was to find out failed.
    Probe,
}

/// What one sweep decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Places in the list that was swept, each at most once.
    pub(crate) changes: Vec<(usize, Change)>,
    /// How many are not called after it.
    pub(crate) ejected: usize,
    /// When the next one is due; none while there is nothing to watch.
    pub(crate) next: Option<Instant>,
}

impl Reason {
    /// The word in metrics and logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Consecutive => "consecutive",
            Self::SuccessRate => "success_rate",
            Self::Probe => "probe",
        }
    }
}

/// Decides. `is_gap` says that the last sweep was so long ago that successes since then have no known age; `random`
/// gives numbers from 0 to 1.
pub(super) fn sweep(
    subjects: &mut [Subject<'_>],
    settings: &Outliers,
    is_gap: bool,
    now: Instant,
    mut random: impl FnMut() -> f32,
) -> Swept {
    for subject in &mut *subjects {
        subject
            .book
            .count(subject.successes, subject.failures, is_gap, now, settings);
        let is_over = subject.book.until.is_none_or(|until| until <= now);
        match subject.phase {
            Phase::Ejected if is_over || subject.is_vouched => subject.probe(),
            Phase::HalfOpen => subject.book.probing_since = None,
            Phase::Probing => {
                let since = *subject.book.probing_since.get_or_insert(now);
                if since + PROBE_WAIT <= now {
                    subject.probe();
                }
            }
            Phase::Passed => subject.take_back(now),
            Phase::Failed => subject.eject(Reason::Probe, now, settings, random()),
            Phase::Open | Phase::Ejected => {}
        }
    }

    let callable = subjects
        .iter()
        .filter(|subject| subject.is_callable)
        .count();
    let most = settings.may_be_ejected(callable);
    let mut out = subjects
        .iter()
        .filter(|subject| subject.is_callable && subject.is_out())
        .count();
    if out > most {
        // Others have left the list, or are ill: whoever would have come back first comes back now.
        let mut places: Vec<usize> = (0..subjects.len())
            .filter(|place| subjects[*place].is_callable && subjects[*place].is_out())
            .collect();
        places.sort_by_key(|place| {
            (
                subjects[*place].phase == Phase::Ejected,
                subjects[*place].book.until,
            )
        });
        for place in places.into_iter().take(out - most) {
            subjects[place].take_back(now);
        }
        out = most;
    }
    for (place, reason) in offenders(subjects, settings).into_iter().take(most - out) {
        subjects[place].eject(reason, now, settings, random());
    }

    let changes = subjects.iter().enumerate();
    Swept {
        changes: changes
            .filter_map(|(place, subject)| Some((place, subject.change?)))
            .collect(),
        ejected: subjects.iter().filter(|subject| subject.is_out()).count(),
        next: subjects
            .iter_mut()
            .filter_map(|subject| subject.next(now, settings))
            .min(),
    }
}

/// Who should be ejected, the worst first.
fn offenders(subjects: &[Subject<'_>], settings: &Outliers) -> Vec<(usize, Reason)> {
    let open = || {
        let all = subjects.iter().enumerate();
        all.filter(|(_, subject)| subject.is_callable && subject.phase == Phase::Open)
            .map(|(place, subject)| (place, subject, subject.book.window.sum()))
    };
    // What is older than the window is no reason any more, even if no call has succeeded since.
    let is_row = |subject: &Subject<'_>, calls: Calls| {
        settings.consecutive > 0 && subject.in_a_row >= settings.consecutive && calls.failures > 0
    };
    let mut rows: Vec<_> = open()
        .filter(|(_, subject, calls)| is_row(subject, *calls))
        .collect();
    rows.sort_by_key(|(place, subject, _)| (std::cmp::Reverse(subject.in_a_row), *place));
    let mut offenders: Vec<_> = rows
        .iter()
        .map(|(place, ..)| (*place, Reason::Consecutive))
        .collect();
    if settings.success_rate <= 0.0 {
        return offenders;
    }

    let min = u64::from(settings.calls_min);
    let mut rates: Vec<_> = open()
        .filter(|(_, subject, calls)| !is_row(subject, *calls))
        .map(|(place, _, calls)| (calls.success_rate(), place, calls))
        .collect();
    rates.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    // The worst is compared with all the others, the next one with those that are left, and so on.
    let mut peers = rates
        .iter()
        .fold(Calls::default(), |sum, (_, _, calls)| sum.plus(*calls));
    for (rate, place, calls) in rates {
        if calls.all() < min {
            // It tells too little to be judged, but what it tells is part of what is normal.
            continue;
        }
        let others = peers.minus(calls);
        let is_worse = rate < f64::from(settings.success_rate) * others.success_rate();
        if others.all() < min || !is_worse {
            continue;
        }
        peers = others;
        offenders.push((place, Reason::SuccessRate));
    }
    offenders
}

impl Subject<'_> {
    /// Whether it is not called as the others are.
    const fn is_out(&self) -> bool {
        !matches!(self.phase, Phase::Open)
    }

    fn probe(&mut self) {
        self.book.probing_since = None;
        self.phase = Phase::HalfOpen;
        self.change = Some(Change::Probe);
    }

    fn take_back(&mut self, now: Instant) {
        self.book.take_back(now);
        self.phase = Phase::Open;
        self.change = Some(Change::TakeBack);
    }

    fn eject(&mut self, reason: Reason, now: Instant, settings: &Outliers, random: f32) {
        self.book.eject(now, settings, random);
        self.phase = Phase::Ejected;
        self.change = Some(Change::Eject(reason));
    }

    /// When it should be looked at again.
    fn next(&mut self, now: Instant, settings: &Outliers) -> Option<Instant> {
        match self.phase {
            Phase::Open => {
                let forgiven = self.book.forgive(now, settings);
                let has_failed = self.book.window.sum().failures > 0;
                let step = has_failed.then(|| now + settings.step());
                forgiven.into_iter().chain(step).min()
            }
            Phase::Ejected => self.book.until,
            // The pick that takes the probe wakes the next sweep, and so does its outcome.
            Phase::HalfOpen => None,
            Phase::Probing => self.book.probing_since.map(|since| since + PROBE_WAIT),
            Phase::Passed | Phase::Failed => Some(now),
        }
    }
}

/// How long a probe may take before another one is sent: it may have been given up without a word.
const PROBE_WAIT: Duration = Duration::from_secs(10);

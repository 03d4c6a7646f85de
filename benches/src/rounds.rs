//! Short operations, measured in turns.

use tokio::time::Instant;

/// One operation among those that are compared.
pub struct Candidate<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
    rounds_ns: Vec<f64>,
}

/// What was measured of a candidate.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Measured {
    /// Its name.
    pub name: &'static str,
    /// The median over the rounds, per operation.
    pub ns: f64,
    /// What one round in fifty stays below, per operation: where others use the machine, what the operation takes when
    /// nobody interrupts it. It needs some hundred rounds, shorter than a slice of the scheduler.
    pub undisturbed_ns: f64,
}

impl<'a> Candidate<'a> {
    /// An operation with a name.
    pub fn new(name: &'static str, run: impl FnMut() + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
            rounds_ns: Vec::new(),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the operation.
    pub fn run(&mut self) {
        (self.run)();
    }

    fn round(&mut self, operations: u32) {
        let start = Instant::now();
        for _ in 0..operations {
            (self.run)();
        }
        let ns = start.elapsed().as_nanos() as f64 / f64::from(operations);
        self.rounds_ns.push(ns);
    }
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Measures all candidates in turns.
///
/// ```
/// use msf_benches::rounds::{Candidate, measure};
///
/// let measured = measure(&mut [Candidate::new("a box", || drop(Box::new(7)))], 3, 100);
/// assert!(measured[0].ns > 0.0);
/// ```
#[must_use]
pub fn measure(candidates: &mut [Candidate<'_>], rounds: u32, operations: u32) -> Vec<Measured> {
    for candidate in candidates.iter_mut() {
        candidate.round(operations);
        candidate.rounds_ns.clear();
    }
    for _ in 0..rounds {
        for candidate in candidates.iter_mut() {
            candidate.round(operations);
        }
    }
    candidates
        .iter_mut()
        .map(|candidate| Measured {
            name: candidate.name,
            ns: median(&mut candidate.rounds_ns),
            undisturbed_ns: quantile(&mut candidate.rounds_ns, 50),
        })
        .collect()
}

/// The middle value; for an even number the upper one of the two.
pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 2)
}

/// What one value in so many stays below.
fn quantile(values: &mut [f64], one_in: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let value = values.get(values.len() / one_in);
    value.copied().unwrap_or(f64::NAN)
}

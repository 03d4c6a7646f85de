//! The permits that nobody holds, in one cell per stripe.

use super::sync::{AtomicU64, Ordering, Padded, STRIPES, own};

/// Each cell is a word: how often a permit came back to it, above [`COUNT_BITS`] bits of permits in it.
#[derive(Debug)]
pub(super) struct Cells([Padded<AtomicU64>; STRIPES]);

impl Cells {
    pub(super) fn empty() -> Self {
        Self(std::array::from_fn(|_| Padded(AtomicU64::new(0))))
    }

    /// Adds new permits, spread over all cells.
    pub(super) fn add(&self, permits: u32) {
        let stripes = STRIPES as u64;
        let (each, rest) = (u64::from(permits) / stripes, u64::from(permits) % stripes);
        for (i, cell) in (0..).zip(&self.0) {
            let share = each + u64::from(i < rest);
            if share > 0 {
                cell.0.fetch_add(share, Ordering::AcqRel);
            }
        }
    }

    /// Takes a permit: of this thread's cell, or of another.
    ///
    /// It gives up only if all cells were empty at one moment, or if others were faster again and again.
    #[inline]
    pub(super) fn take(&self) -> bool {
        let own = own();
        take_from(&self.0[own].0).is_ok() || self.steal(own)
    }

    #[inline(never)]
    fn steal(&self, own: usize) -> bool {
        for _ in 0..ROUNDS {
            let mut seen = [0; STRIPES];
            for i in (own..STRIPES).chain(0..own) {
                match take_from(&self.0[i].0) {
                    Ok(()) => return true,
                    Err(word) => seen[i] = word,
                }
            }
            // One look is not enough: a permit may have come back to a cell that was passed already, while another
            // was taken from one that was not. A cell whose word is the same twice was empty all the time between.
            let mut cells = self.0.iter().zip(seen);
            if cells.all(|(cell, word)| cell.0.load(Ordering::SeqCst) == word) {
                return false;
            }
        }
        false
    }

    /// Takes up to `most` permits with a write to every cell that is looked at, also to empty ones.
    ///
    /// Who raised the gate's flag before it sees every permit that came back before its releaser could see the
    /// flag: the two writes to the cell are in an order. If the releaser's is the later one it has read this one, and
    /// with it the flag; if it is the earlier one, its permit is found here.
    pub(super) fn sweep(&self, most: u32) -> u32 {
        let mut left = u64::from(most);
        for cell in &self.0 {
            if left == 0 {
                break;
            }
            let mut word = cell.0.load(Ordering::Relaxed);
            loop {
                let taken = left.min(word & COUNT);
                let swapped = cell.0.compare_exchange_weak(
                    word,
                    word - taken,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                match swapped {
                    Ok(_) => {
                        left -= taken;
                        break;
                    }
                    Err(now) => word = now,
                }
            }
        }
        u32::try_from(u64::from(most) - left).unwrap_or(most)
    }

    /// Brings a permit back.
    #[inline]
    pub(super) fn put(&self) {
        let cell = &self.0[own()].0;
        cell.fetch_add(RETURNED + 1, Ordering::AcqRel);
    }

    /// The permits in all cells, at about this time.
    pub(super) fn count(&self) -> u64 {
        let words = self.0.iter().map(|cell| cell.0.load(Ordering::Relaxed));
        words.map(|word| word & COUNT).sum()
    }

    /// How often a permit came back to each cell, modulo 2^32.
    pub(super) fn returned(&self) -> [u32; STRIPES] {
        std::array::from_fn(|i| {
            let word = self.0[i].0.load(Ordering::Relaxed);
            u32::try_from(word >> COUNT_BITS).unwrap_or(u32::MAX)
        })
    }
}

#[inline]
fn take_from(cell: &AtomicU64) -> Result<(), u64> {
    let mut word = cell.load(Ordering::Acquire);
    while word & COUNT != 0 {
        match cell.compare_exchange_weak(word, word - 1, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Ok(()),
            Err(now) => word = now,
        }
    }
    Err(word)
}

const COUNT_BITS: u32 = 32;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const RETURNED: u64 = 1 << COUNT_BITS;
/// How often a search for a permit begins anew because permits came back meanwhile.
const ROUNDS: usize = 4;

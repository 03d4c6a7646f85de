//! Which call gets which fault: a function of the seed and the number of the call.

use super::kind::{Fault, Latency};

/// Shares are kept in ten-thousandths, in which they are exact.
pub(super) const PARTS: u32 = 10_000;

/// What is injected, how often, from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    pub(super) seed: u64,
    pub(super) latency: Latency,
    /// In the order of [`Fault::index`]; their sum is at most [`PARTS`].
    pub(super) shares: [u32; 4],
}

impl Schedule {
    /// The fault of the call with this number.
    ///
    /// Calls come in cycles, the shortest in which every share is a whole number of calls. Within a cycle
    /// each fault is dealt exactly that often, over places that the seed shuffles anew for every cycle.
    pub(super) fn fault(&self, call: u64) -> Option<Fault> {
        let divisor = self.shares.iter().fold(PARTS, |d, &share| gcd(d, share));
        let cycle = u64::from(PARTS / divisor);
        let shuffle = mix(self.seed ^ mix(call / cycle));
        // `x -> (stride * x + offset) mod cycle` permutes a cycle if the stride has no factor in common with it.
        let mut stride = (shuffle >> 32) % cycle;
        while gcd64(stride, cycle) != 1 {
            stride += 1;
        }
        let offset = shuffle & 0xffff_ffff;
        let mut place = (stride * (call % cycle) + offset) % cycle;
        for (index, &share) in self.shares.iter().enumerate() {
            let share = u64::from(share / divisor);
            if place < share {
                return Some(self.of(index, call));
            }
            place -= share;
        }
        None
    }

    fn of(&self, index: usize, call: u64) -> Fault {
        match index {
            0 => Fault::Latency(self.latency.at(unit(mix(self.seed ^ mix(!call))))),
            1 => Fault::Error,
            2 => Fault::Hang,
            _ => Fault::Reset,
        }
    }
}

/// A step of `SplitMix64` (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014).
const fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// From 0 to below 1, by the upper 53 bits.
fn unit(bits: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    unit
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

const fn gcd64(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd64(b, a % b) }
}

//! Who gets which slot.

use std::{cmp::Reverse, collections::BinaryHeap};

/// The turns of one instance: when it may take a slot, and which it wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    /// The slot that it wants next.
    wanted: u32,
    /// From one wanted slot to the next.
    skip: u32,
    weight: u64,
    heaviest: u64,
    taken: u64,
    round: u64,
}

impl Turns {
    /// `skip` is at least 1 and below the number of slots; the weights are the instance's own and the largest of all.
    pub(super) fn new(offset: u32, skip: u32, (weight, heaviest): (u16, u16)) -> Self {
        Self {
            wanted: offset,
            skip,
            weight: u64::from(weight),
            heaviest: u64::from(heaviest),
            taken: 0,
            round: 1,
        }
    }

    /// The heaviest take a slot in each round, one of a third of that weight in each third.
    fn after_a_slot(mut self) -> Self {
        self.taken += 1;
        let due = (self.taken * self.heaviest).div_ceil(self.weight);
        self.round = due.max(self.round + 1);
        self
    }

    /// The first slot that it wants and that is free; there must be one.
    fn take(&mut self, slots: &mut [u32]) -> usize {
        let len = slots.len() as u64;
        loop {
            let slot = self.wanted as usize;
            let next = u64::from(self.wanted) + u64::from(self.skip);
            self.wanted = u32::try_from(if next < len { next } else { next - len })
                .expect("both are below the number of slots");
            if slots[slot] == FREE {
                return slot;
            }
        }
    }
}

/// The index of the instance of each slot: all take turns in their order until no slot is free. Empty if there is no
/// instance.
///
/// With uneven weights, whose turn is next comes from a heap and not from asking all in each round: one instance of
/// the largest weight among thousands of the smallest would make that hundreds of millions of questions.
pub(super) fn fill(mut all: Vec<Turns>, slots: u32) -> Box<[u32]> {
    if all.is_empty() {
        return Box::default();
    }
    let mut table = vec![FREE; slots as usize];
    if all.iter().all(|turns| turns.weight == turns.heaviest) {
        let each_round = (0_u32..).take(all.len()).cycle();
        for index in each_round.take(slots as usize) {
            let slot = all[index as usize].take(&mut table);
            table[slot] = index;
        }
        return table.into();
    }
    let mut next: BinaryHeap<_> = (0_u32..)
        .zip(&all)
        .map(|(index, turns)| Reverse((turns.round, index)))
        .collect();
    for _ in 0..slots {
        let mut first = next.peek_mut().expect("each that is taken is put back");
        let index = first.0.1;
        let turns = &mut all[index as usize];
        let slot = turns.take(&mut table);
        table[slot] = index;
        *turns = turns.after_a_slot();
        first.0.0 = turns.round;
    }
    table.into()
}

const FREE: u32 = u32::MAX;

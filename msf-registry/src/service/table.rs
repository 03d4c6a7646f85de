//! What a pick reads: one immutable table per snapshot.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use msf_core::name::InstanceId;
use tokio::time::Instant;

use crate::{
    balance::{Balance, Cost, turns},
    model::{Health, Instance, Snapshot},
};

/// One instance with what calls have told about it; shared by all tables that list the instance.
///
/// Its reference count is the count of calls in flight: besides the table only a
/// [`Picked`](super::Picked) holds it. A count of our own would cost two more atomic operations per
/// pick and could leak. While one table replaces another both hold it, so for a moment every score
/// counts one call too many: all alike.
///
/// What a score reads comes first, beside that count: one cache line per instance that is drawn.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Host {
    pub(crate) cost: Cost,
    /// One over the weight: a score divides by the weight, and multiplying is quicker.
    share: f32,
    pub(crate) addr: SocketAddr,
    /// What the times of `cost` count from.
    base: Instant,
    pub(crate) instance: Arc<Instance>,
}

/// The instances of one snapshot, prepared for picking.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) snapshot: Arc<Snapshot>,
    /// Those that may be picked come first.
    pub(crate) endpoints: Box<[Arc<Host>]>,
    pub(crate) eligible: usize,
    /// The order of round robin over the eligible; empty when it is that of the places.
    turns: Box<[u32]>,
    pub(crate) is_panic: bool,
    /// Whether the registry has ever answered.
    pub(crate) is_known: bool,
}

impl Table {
    /// What is known before the registry has answered.
    pub(crate) fn unknown(snapshot: Snapshot) -> Self {
        Self {
            snapshot: Arc::new(snapshot),
            endpoints: Box::default(),
            eligible: 0,
            turns: Box::default(),
            is_panic: false,
            is_known: false,
        }
    }

    /// The table after this one.
    pub(crate) fn next(&self, snapshot: Arc<Snapshot>, balance: Balance, base: Instant) -> Self {
        let mut known: HashMap<&InstanceId, (&Arc<Host>, Health)> = HashMap::new();
        for endpoint in &self.endpoints {
            known.insert(&endpoint.instance.id, (endpoint, Health::Unknown));
        }
        for member in self.snapshot.instances() {
            if let Some((_, health)) = known.get_mut(&member.instance.id) {
                *health = member.health;
            }
        }

        let is_unhealthy = |health| health == Health::Unhealthy;
        let mut members: Vec<_> = snapshot.instances().iter().collect();
        // Stable: the order of the ids stays within both halves.
        members.sort_by_key(|member| is_unhealthy(member.health));
        let unhealthy = members.iter().filter(|m| is_unhealthy(m.health)).count();
        let is_panic = unhealthy == members.len() && !members.is_empty();
        let eligible = if is_panic {
            members.len()
        } else {
            members.len() - unhealthy
        };

        let endpoints: Box<[Arc<Host>]> = members
            .iter()
            .map(|member| {
                let before = known
                    .get(&member.instance.id)
                    .filter(|(endpoint, _)| endpoint.addr == member.instance.addr());
                match before {
                    // It answers again: what it was like before says nothing any more.
                    Some((_, health)) if is_unhealthy(*health) && !is_unhealthy(member.health) => {
                        Arc::new(Host::new(Arc::clone(&member.instance), base))
                    }
                    Some((endpoint, _)) if endpoint.instance == member.instance => {
                        Arc::clone(endpoint)
                    }
                    Some((endpoint, _)) => Arc::new(endpoint.described_by(&member.instance)),
                    None => Arc::new(Host::new(Arc::clone(&member.instance), base)),
                }
            })
            .collect();
        let turns = match balance {
            Balance::PeakEwma => Box::default(),
            _ => {
                let eligible = endpoints[..eligible].iter();
                turns(
                    &eligible
                        .map(|e| e.instance.weight.get())
                        .collect::<Vec<_>>(),
                )
            }
        };
        drop(members);
        Self {
            snapshot,
            endpoints,
            eligible,
            turns,
            is_panic,
            is_known: true,
        }
    }

    /// The place whose turn it is.
    #[inline]
    pub(crate) fn at_turn(&self, turn: usize) -> Option<usize> {
        if self.eligible == 0 {
            None
        } else if self.turns.is_empty() {
            Some(turn % self.eligible)
        } else {
            Some(self.turns[turn % self.turns.len()] as usize)
        }
    }

    /// The instances that may be picked.
    #[inline]
    pub(crate) fn eligible(&self) -> &[Arc<Host>] {
        &self.endpoints[..self.eligible]
    }
}

impl Host {
    fn new(instance: Arc<Instance>, base: Instant) -> Self {
        Self {
            cost: Cost::unknown(),
            share: f32::from(instance.weight.get()).recip(),
            addr: instance.addr(),
            base,
            instance,
        }
    }

    /// The same process, which now says something else about itself. Calls that are in flight are
    /// counted to the old description.
    fn described_by(&self, instance: &Arc<Instance>) -> Self {
        Self {
            cost: self.cost.copied(),
            share: f32::from(instance.weight.get()).recip(),
            addr: instance.addr(),
            base: self.base,
            instance: Arc::clone(instance),
        }
    }

    /// Calls that have not ended.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "so many calls do not fit into memory"
    )]
    pub(crate) fn in_flight(self: &Arc<Self>) -> u32 {
        (Arc::strong_count(self) - 1) as u32
    }

    /// Lower is better.
    #[inline]
    pub(crate) fn score(self: &Arc<Self>, now_ms: u32) -> f32 {
        self.cost.score(self.in_flight(), self.share, now_ms)
    }

    /// The time of its estimate's clock.
    pub(crate) fn millis(&self, now: Instant) -> u32 {
        millis(self.base, now)
    }
}

/// Milliseconds since `base`, on a clock that wraps by design.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the estimate's clock wraps by design"
)]
pub(crate) fn millis(base: Instant, now: Instant) -> u32 {
    let since: Duration = now.saturating_duration_since(base);
    (since.as_secs() as u32)
        .wrapping_mul(1_000)
        .wrapping_add(since.subsec_millis())
}

//! From a snapshot to the table that picks read.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU8},
    time::Duration,
};

use msf_core::{clock::QuickEpoch, name::InstanceId};

use super::{
    host::Host,
    pool::Pool,
    stripe::Stripe,
    table::{NEVER, SLOW, Seat, Table},
};
use crate::{
    balance::{LoadBalancing, hash},
    model::{Health, Member, Snapshot},
    outlier::Signal,
    routing::{Candidate, Ejection, Routable, Why, plan, routable},
};

/// What does not change from table to table.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) rules: LoadBalancing,
    pub(super) clock: QuickEpoch,
    pub(super) signal: Signal,
    /// How many stripes an instance has at most; a power of two.
    pub(super) stripes: usize,
}

impl Builder {
    /// The table after `before`. What is known about an instance goes with it, by id and address.
    pub(super) fn next(&self, before: &Table, snapshot: Arc<Snapshot>) -> Table {
        let now = self.clock.nanos();
        let members = self.used(snapshot.instances());
        let per_host = self.stripes_of(members.len());
        let known: HashMap<&InstanceId, usize> = (0..)
            .zip(&before.seats)
            .map(|(place, seat)| (&seat.host.instance.id, place))
            .collect();
        let mean_weight = mean(members.iter().map(|member| member.instance.weight.get()));

        let mut stripes = Vec::with_capacity(members.len() * per_host);
        let mut seats = Vec::with_capacity(members.len());
        for member in &members {
            let seat_before = known
                .get(&member.instance.id)
                .map(|place| (*place, &before.seats[*place]))
                .filter(|(_, seat)| seat.host.addr == member.instance.addr());
            let first = stripes.len();
            let host = match seat_before {
                Some((place, seat)) if seat.host.instance == member.instance => {
                    stripes.extend(before.stripes(place).iter().cloned());
                    Arc::clone(&seat.host)
                }
                Some((_, seat)) => Arc::new(seat.host.described_by(&member.instance)),
                None => Arc::new(Host::new(
                    Arc::clone(&member.instance),
                    self.clock,
                    &self.signal,
                )),
            };
            if stripes.len() == first {
                stripes.extend((0..per_host).map(|_| Stripe::new(&host)));
            }
            let but_for = |ejection| {
                let own = member.instance.status;
                routable(own, member.operator_status, member.health, ejection)
            };
            let routable = but_for(host.outlier.ejection());
            let is_back =
                seat_before.is_some_and(|(_, seat)| is_out(seat.routable) && !is_out(routable));
            if seat_before.is_some_and(|(_, seat)| is_unhealthy(seat.routable))
                && member.health != Health::Unhealthy
            {
                // It answers its checks again: what it was like before says nothing any more, and if it is ejected,
                // a call may find out.
                host.cost.forget();
                host.outlier.vouch();
            }
            let joined = match seat_before {
                Some((_, seat)) if !is_back => seat.joined,
                // All of the first list are new, and so nobody is.
                None if !before.is_known => NEVER,
                _ => now,
            };
            let weight = member.instance.weight.get();
            seats.push(Seat {
                host,
                share: mean_weight / f32::from(weight),
                first_stripe: u32::try_from(first)
                    .expect("a list has far fewer than 2^28 instances"),
                stripe_mask: u32::try_from(stripes.len() - first - 1)
                    .expect("an instance has at least one stripe and at most 16"),
                joined: self.still_slow(joined, now),
                weight,
                routable,
                is_callable: matches!(but_for(Ejection::None), Routable::Yes | Routable::Degraded),
            });
        }
        drop(known);
        drop(members);
        self.table(before, snapshot, seats, stripes)
    }

    fn table(
        &self,
        before: &Table,
        snapshot: Arc<Snapshot>,
        seats: Vec<Seat>,
        stripes: Vec<Arc<Stripe>>,
    ) -> Table {
        let candidates: Vec<_> = seats
            .iter()
            .map(|seat| Candidate {
                priority: seat.host.instance.priority,
                zone: seat.host.instance.zone.as_deref(),
                weight: seat.weight,
                routable: seat.routable,
            })
            .collect();
        let plan = plan(&candidates, &self.rules.rules());
        drop(candidates);
        let pools = plan.groups.into_iter();
        let pools: Box<[Pool]> = pools
            .map(|group| Pool::new(group, &seats, &self.rules, before))
            .collect();
        let mut picked_from = pools.iter().flat_map(|pool| &*pool.members);
        let window = self.rules.slow_start.map_or(0, |slow| nanos(slow.window));
        let slow_until = seats
            .iter()
            .filter(|seat| seat.joined != NEVER)
            .map(|seat| seat.joined.saturating_add(window))
            .max();
        // While all start slowly, their shares are the full ones.
        let has_slow =
            slow_until.is_some() && picked_from.any(|place| seats[*place as usize].joined == NEVER);
        Table {
            snapshot,
            seats: seats.into(),
            stripes: stripes.into(),
            pools,
            care: AtomicU8::new(if has_slow { SLOW } else { 0 }),
            slow_until: slow_until.unwrap_or(0),
            is_panic: plan.is_panic,
            is_known: true,
        }
    }

    /// The instances that this process uses.
    fn used<'m>(&self, listed: &'m [Member]) -> Vec<&'m Member> {
        let Some(subset) = self.rules.subset.filter(|s| s.size() < listed.len()) else {
            return listed.iter().collect();
        };
        let keys: Vec<_> = listed.iter().map(|m| hash::key_of(&m.instance)).collect();
        let kept = subset.members(keys.iter().map(|key| &**key));
        kept.into_iter()
            .map(|place| &listed[place as usize])
            .collect()
    }

    /// Fewer for each in a long list: it is long enough for two threads not to meet, and memory counts.
    fn stripes_of(&self, hosts: usize) -> usize {
        let most = (STRIPES_MAX / hosts.max(1)).max(1);
        self.stripes.min(1 << most.ilog2())
    }

    fn still_slow(&self, joined: u64, now: u64) -> u64 {
        match &self.rules.slow_start {
            Some(slow) if joined != NEVER && now < joined.saturating_add(nanos(slow.window)) => {
                joined
            }
            _ => NEVER,
        }
    }
}

fn mean(weights: impl ExactSizeIterator<Item = u16>) -> f32 {
    let count = weights.len().max(1) as f32;
    weights.map(f32::from).sum::<f32>() / count
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const fn is_out(routable: Routable) -> bool {
    matches!(routable, Routable::No(Why::Ejected)) || is_unhealthy(routable)
}

const fn is_unhealthy(routable: Routable) -> bool {
    matches!(routable, Routable::No(Why::Unhealthy))
}

/// Of all instances together, about 5 MB.
const STRIPES_MAX: usize = 32_768;

//! From a snapshot to the table that picks read.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU8},
    time::Duration,
};

use msf_core::{clock::QuickEpoch, name::InstanceId};

use super::{
    host::Host,
    outcome::Outcome,
    pool::Pool,
    stripe::Stripe,
    table::{NEVER, SLOW, Seat, Table},
};
use crate::{
    balance::{LoadBalancing, hash},
    model::{Health, Instance, Member, Snapshot},
    outlier::{Signal, Successes},
    routing::{Candidate, Ejection, Plan, Routable, Why, plan, routable},
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
        let known: HashMap<&InstanceId, usize> = (0..)
            .zip(&before.instances)
            .map(|(seat, instance)| (&instance.id, seat))
            .collect();
        let mean_weight = mean(members.iter().map(|member| member.instance.weight.get()));
        let stripe_bits = self.stripe_bits(members.len());

        let mut stripes = Vec::with_capacity(members.len() << stripe_bits);
        let mut seats = Vec::with_capacity(members.len());
        let mut joined = Vec::with_capacity(members.len());
        for member in &members {
            let instance = &member.instance;
            let old = known.get(&instance.id).copied();
            let old = old.filter(|seat| before.seats[*seat].host.addr == instance.addr());
            let host = old.map_or_else(
                || Arc::new(Host::new(instance.addr(), self.clock, &self.signal)),
                |seat| Arc::clone(&before.seats[seat].host),
            );
            let but_for = |ejection| {
                let operator = member.operator_status;
                routable(instance.status, operator, member.health, ejection)
            };
            let routable = but_for(host.outlier.ejection());
            let was = old.map(|seat| before.seats[seat].routable);
            let is_proving = host.outlier.ejection() == Ejection::Probing;
            // Whoever has to prove itself has not come back before it has.
            let was_proving = old.is_some_and(|seat| before.seats[seat].is_proving);
            let is_back = (was.is_some_and(is_out) || was_proving) && !is_out(routable);
            if was.is_some_and(is_unhealthy) && member.health != Health::Unhealthy {
                // It answers its checks again: what it was like before says nothing any more, and if it is ejected,
                // a call may find out.
                host.cost.forget();
                host.outlier.vouch();
            }
            let since = match old {
                Some(seat) if !is_back => before.joined[seat],
                // All of the first list are new, and so nobody is.
                None if !before.is_known => NEVER,
                _ => now,
            };
            joined.push(self.still_slow(since, now));
            match old {
                Some(seat)
                    if before.stripe_bits == stripe_bits && before.instances[seat] == *instance =>
                {
                    stripes.extend_from_slice(before.stripes(seat));
                }
                // Calls that are in flight stay with the old description.
                _ => {
                    let earlier = old.map_or(&[][..], |seat| before.stripes(seat));
                    let seen = old.map_or(0, |seat| before.successes(seat));
                    stripes.extend((0..1_u32 << stripe_bits).map(|n| {
                        let (seen, earlier) = if n == 0 {
                            (seen, earlier)
                        } else {
                            (0, &[][..])
                        };
                        Stripe::new(&host, instance, Successes::from(seen), earlier)
                    }));
                }
            }
            seats.push(Seat {
                host,
                share: mean_weight / f32::from(instance.weight.get()),
                weight: instance.weight.get(),
                routable,
                is_callable: matches!(but_for(Ejection::None), Routable::Yes | Routable::Degraded),
                is_proving,
                // Who is in no group is picked only when nobody in one is left.
                outcome: Outcome::Spill,
            });
        }
        let instances: Box<[_]> = members.iter().map(|m| Arc::clone(&m.instance)).collect();
        drop((known, members));

        let plan = self.plan(&seats, &instances);
        for group in &plan.groups {
            for member in &group.members {
                seats[*member as usize].outcome = Outcome::of(group.kind);
            }
        }
        let mut kinds = plan.groups.iter().map(|group| Outcome::of(group.kind));
        let is_plain = kinds.all(|outcome| outcome == Outcome::Ok);
        let pools = plan.groups.into_iter();
        let pools: Box<[Pool]> = pools
            .map(|group| Pool::new(group, &seats, &instances, &self.rules, before))
            .collect();
        let window = self.rules.slow_start.map_or(0, |slow| nanos(slow.window));
        let slow = joined.iter().filter(|since| **since != NEVER);
        let slow_until = slow.map(|since| since.saturating_add(window)).max();
        let picked_from = pools.iter().flat_map(|pool| &*pool.members);
        let since = picked_from.map(|seat| joined[*seat as usize]);
        let (eldest, youngest, is_any_whole) = since.fold(
            (NEVER, 0, false),
            |(eldest, youngest, is_any_whole), since| match since {
                NEVER => (eldest, youngest, true),
                since => (since.min(eldest), since.max(youngest), is_any_whole),
            },
        );
        // Those that joined together share alike.
        let has_slow = eldest != NEVER && (is_any_whole || eldest != youngest);
        let eldest = if is_any_whole { NEVER } else { eldest };
        Table {
            snapshot,
            seats: seats.into(),
            instances,
            joined: joined.into(),
            stripes: stripes.into(),
            stripe_bits,
            pools,
            care: AtomicU8::new(if has_slow { SLOW } else { 0 }),
            slow_until: slow_until.unwrap_or(0),
            eldest,
            is_plain,
            is_known: true,
        }
    }

    fn plan(&self, seats: &[Seat], instances: &[Arc<Instance>]) -> Plan {
        let candidates: Vec<_> = seats
            .iter()
            .zip(instances)
            .map(|(seat, instance)| Candidate {
                priority: instance.priority,
                zone: instance.zone.as_deref(),
                weight: seat.weight,
                routable: seat.routable,
            })
            .collect();
        plan(&candidates, &self.rules.rules())
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

    /// The same for each, as a power of two. Fewer in a long list: it is long enough for two threads not to meet, and
    /// memory counts.
    fn stripe_bits(&self, hosts: usize) -> u32 {
        let most = (STRIPES_MAX / hosts.max(1)).max(1);
        self.stripes.min(most).ilog2()
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

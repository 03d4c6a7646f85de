//! What a pick would give, and why.

use std::collections::HashMap;

use msf_core::name::InstanceId;

use super::{context::PickContext, host::millis, pool::Pool, state::State, table::Table};
use crate::{
    balance::Balance,
    explain::{Explained, Explanation, Reason},
    model::Member,
    routing::{Ejection, GroupKind, Routable, Why, routable},
};

impl State {
    /// What a pick would give now, and why. It counts as none, and no ejected instance is probed by it.
    pub(crate) fn explain(&self, context: &PickContext<'_>) -> Explanation {
        let table = self.table();
        let drawn = self.would_pick(&table, context);
        let asked = Asked {
            state: self,
            table: &table,
            context,
            drawn,
            now: self.clock().nanos(),
        };
        let seats: HashMap<&InstanceId, usize> = (0..)
            .zip(&table.instances)
            .map(|(place, instance)| (&instance.id, place))
            .collect();
        let members = table.snapshot.instances().iter();
        Explanation {
            service: self.service().clone(),
            revision: table.snapshot.cursor().revision(),
            balance: self.rules().balance.as_str(),
            group: drawn.map(|(pool, seat)| match table.pools.get(pool) {
                Some(pool) if is_in(pool, seat) => pool.kind,
                // Nobody of any group was left.
                _ => GroupKind::LastResort,
            }),
            chosen: drawn.map(|(_, seat)| table.instances[seat].id.clone()),
            candidates: members
                .map(|member| asked.about(member, seats.get(&member.instance.id).copied()))
                .collect(),
        }
    }
}

/// What is explained.
struct Asked<'a> {
    state: &'a State,
    table: &'a Table,
    context: &'a PickContext<'a>,
    /// The pool and the seat.
    drawn: Option<(usize, usize)>,
    now: u64,
}

impl Asked<'_> {
    fn about(&self, member: &Member, place: Option<usize>) -> Explained {
        let seat = place.map(|place| &self.table.seats[place]);
        let ejection = seat.map_or(Ejection::None, |seat| seat.host.outlier.ejection());
        let instance = &member.instance;
        let routable = routable(
            instance.status,
            member.operator_status,
            member.health,
            ejection,
        );
        let estimate = seat.and_then(|seat| seat.host.cost.seconds(millis(self.now)));
        Explained {
            id: instance.id.clone(),
            addr: instance.addr(),
            zone: instance.zone.clone(),
            status: member.status(),
            health: member.health,
            routable,
            why: place.map_or(Reason::OutsideSubset, |place| self.why(place, routable)),
            in_flight: place.map_or(0, |place| self.table.in_flight(place)),
            ewma_ms: estimate.map(|seconds| seconds * 1_000.0),
            slow_start: place.map_or(1.0, |place| self.share(place)),
            score: place.and_then(|place| self.score(place)),
        }
    }

    fn why(&self, place: usize, routable: Routable) -> Reason {
        let Some((drawn_pool, drawn)) = self.drawn else {
            return match routable {
                Routable::No(why) => Reason::NotRoutable(why),
                _ if self.is_tried(place) => Reason::Tried,
                _ => Reason::NotNeeded,
            };
        };
        if place == drawn {
            return Reason::Chosen;
        }
        if self.is_tried(place) {
            return Reason::Tried;
        }
        let pool = self.table.pools.iter().position(|pool| is_in(pool, place));
        match (pool, routable) {
            (None, Routable::No(why)) => Reason::NotRoutable(why),
            (None, _) => Reason::NotNeeded,
            // In panic its health is not believed, but its calls are.
            (Some(pool), Routable::No(why))
                if why == Why::Ejected || self.table.pools[pool].kind != GroupKind::Panic =>
            {
                Reason::NotRoutable(why)
            }
            (Some(_), _) if self.is_probed(place) => Reason::Probing,
            (Some(pool), _) if pool != drawn_pool => Reason::OtherGroup,
            (Some(pool), _) => self.lost(place, drawn, &self.table.pools[pool]),
        }
    }

    /// Why it was another one of the same pool.
    fn lost(&self, place: usize, drawn: usize, pool: &Pool) -> Reason {
        match self.state.rules().balance {
            Balance::PeakEwma | Balance::LeastRequest => {
                if self.score(place) > self.score(drawn) {
                    Reason::WorseScore
                } else {
                    Reason::NotDrawn
                }
            }
            Balance::RoundRobin => Reason::NotItsTurn,
            Balance::Random => Reason::NotDrawn,
            Balance::RingHash | Balance::Maglev | Balance::Rendezvous => {
                let Some(hash) = self.context.hash else {
                    return Reason::NotDrawn;
                };
                let owner = pool.placed.as_ref().and_then(|placed| placed.place(hash));
                if owner.is_none_or(|owner| pool.members[owner] as usize != place) {
                    Reason::OtherHash
                } else if self.share(place) < 1.0 {
                    Reason::StartsSlowly
                } else if self.state.rules().bounded_load.is_some() {
                    Reason::Full
                } else {
                    // It is not in the group that the hash belongs to, of which nobody was left.
                    Reason::NotDrawn
                }
            }
        }
    }

    /// What the draw compares, of all cores as of now.
    fn score(&self, place: usize) -> Option<f32> {
        let seat = &self.table.seats[place];
        let in_flight = self.table.in_flight(place);
        match self.state.rules().balance {
            Balance::PeakEwma => {
                let cost = &seat.host.cost;
                Some(cost.score(in_flight, seat.share, millis(self.now)))
            }
            Balance::LeastRequest => Some(in_flight as f32 * seat.share),
            _ => None,
        }
    }

    fn share(&self, place: usize) -> f32 {
        self.table.share(place, self.state.rules(), self.now)
    }

    fn is_tried(&self, place: usize) -> bool {
        self.context.tried.contains(&self.table.instances[place].id)
    }

    fn is_probed(&self, place: usize) -> bool {
        self.table.seats[place].host.outlier.ejection() == Ejection::Probing
    }
}

fn is_in(pool: &Pool, place: usize) -> bool {
    u32::try_from(place).is_ok_and(|seat| pool.members.binary_search(&seat).is_ok())
}

#[cfg(test)]
mod tests;

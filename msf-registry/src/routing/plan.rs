//! Which share of the calls goes to which instances.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    priority::{Level, loads},
    routable::{Routable, Why},
    zone::by_zone,
};
use crate::balance::ZoneAware;

/// What the plan looks at in one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) priority: u8,
    pub(crate) zone: Option<&'a str>,
    pub(crate) weight: u16,
    pub(crate) routable: Routable,
}

/// What the plan goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    /// How many times its even share an instance can carry; 1.4.
    pub(crate) overprovisioning: f32,
    /// The part of the instances below which health is not believed; 0.5, 0 for never.
    pub(crate) panic_threshold: f32,
    /// The caller's zone, if it is known, and how much stays there.
    pub(crate) zone: Option<(&'a str, &'a ZoneAware)>,
}

/// Groups of instances with their shares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In the order of `upto`; empty when nobody can be called.
    pub(crate) groups: Box<[Group]>,
}

/// Instances among which one is picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The group is drawn by 32 random bits that are not above this one's and above the last one's; the last
    /// group's is `u32::MAX`.
    pub(crate) upto: u32,
    /// Places in the candidates, ascending; never empty.
    pub(crate) members: Box<[u32]>,
    pub(crate) kind: GroupKind,
}

/// What a group of instances is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GroupKind {
    /// The first priority, whatever the zone.
    Only,
    /// The first priority in the caller's zone.
    Local,
    /// The first priority in another zone, because the caller's own has too little.
    Spill,
    /// A further priority, because those before have too little.
    Failover,
    /// Those that work badly, because those that work well are too few.
    Degraded,
    /// Those that are about to leave, or else those that were ejected, because nobody else is there.
    LastResort,
    /// Everybody of a priority: so many look dead that health is not believed.
    Panic,
}

impl GroupKind {
    /// The word in JSON and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Local => "local",
            Self::Spill => "spill",
            Self::Failover => "failover",
            Self::Degraded => "degraded",
            Self::LastResort => "last_resort",
            Self::Panic => "panic",
        }
    }
}

#[cfg(test)]
impl Plan {
    /// The place of the group that 32 random bits draw; they are not asked for when there is one group.
    pub(crate) fn draw(&self, random: impl FnOnce() -> u32) -> Option<usize> {
        match &*self.groups {
            [] => None,
            [_] => Some(0),
            groups => {
                let bits = random();
                groups.iter().position(|group| bits <= group.upto)
            }
        }
    }
}

/// Groups those that may be called and gives each group its share of the calls.
///
/// | who is there | who is called |
/// |---|---|
/// | some that work | the priorities in their order, each with as much as it can carry (see [`loads`]), and the first by zone (see [`by_zone`]) |
/// | too few that work, in all priorities together and in this one | all of this priority, whatever their health: panic |
/// | none that works, some that drain | those that drain |
/// | none that works or drains, some that were ejected | those that were ejected |
/// | only such that fail their checks, and panic is allowed | all of the first priority that has any |
///
/// An instance that is starting, is out of service or is down is never called, not even in panic: it said so, or
/// somebody did. The plan is empty only when there is nobody else.
pub(crate) fn plan(candidates: &[Candidate<'_>], rules: &Rules<'_>) -> Plan {
    let mut levels: BTreeMap<u8, Level> = BTreeMap::new();
    for candidate in candidates {
        let weight = u64::from(candidate.weight.max(1));
        let level = levels.entry(candidate.priority).or_default();
        match candidate.routable {
            Routable::Yes => level.working += weight,
            Routable::Degraded => level.degraded += weight,
            Routable::No(Why::Unhealthy | Why::Ejected) => level.failing += weight,
            // They are not meant to be called: they say as little about the rest as if they were not listed.
            Routable::LastResort | Routable::No(_) => {}
        }
    }
    let priorities: Vec<u8> = levels.keys().copied().collect();
    let levels: Vec<Level> = levels.into_values().collect();
    let loads = loads(&levels, rules.overprovisioning, rules.panic_threshold);
    let working_anywhere = levels.iter().any(|l| l.working + l.degraded > 0);

    let mut draft = Draft {
        candidates,
        groups: Vec::new(),
    };
    if !working_anywhere {
        let is_last = |wanted: Routable| move |c: &Candidate<'_>| c.routable == wanted;
        // What this process thinks of an instance must not leave it without any, even where panic is not allowed.
        let is_found = draft.add(1.0, GroupKind::LastResort, is_last(Routable::LastResort))
            || draft.add(
                1.0,
                GroupKind::LastResort,
                is_last(Routable::No(Why::Ejected)),
            );
        if is_found {
            return draft.finish();
        }
    }
    for (place, (priority, load)) in priorities.iter().zip(&loads).enumerate() {
        let of_level = |candidate: &Candidate<'_>| candidate.priority == *priority;
        if load.is_panic {
            draft.add(load.working + load.degraded, GroupKind::Panic, |c| {
                of_level(c) && is_there(c.routable)
            });
            continue;
        }
        let works = |c: &Candidate<'_>| of_level(c) && c.routable == Routable::Yes;
        let zones = rules.zone.filter(|_| place == 0).and_then(|(own, rule)| {
            let working = candidates.iter().filter(|c| works(c));
            by_zone(working.map(|c| (c.zone, c.weight)), own, rule)
        });
        match zones {
            Some(zones) => {
                for share in zones {
                    let kind = if share.is_own {
                        GroupKind::Local
                    } else {
                        GroupKind::Spill
                    };
                    draft.add(load.working * share.part, kind, |c| {
                        works(c) && c.zone == share.zone
                    });
                }
            }
            None if place == 0 => {
                draft.add(load.working, GroupKind::Only, works);
            }
            None => {
                draft.add(load.working, GroupKind::Failover, works);
            }
        }
        draft.add(load.degraded, GroupKind::Degraded, |c| {
            of_level(c) && c.routable == Routable::Degraded
        });
    }
    draft.finish()
}

/// Whether it is called when health is not believed.
const fn is_there(routable: Routable) -> bool {
    matches!(
        routable,
        Routable::Yes | Routable::Degraded | Routable::No(Why::Unhealthy | Why::Ejected)
    )
}

/// Groups with their parts of all calls, before the parts are bits.
struct Draft<'a> {
    candidates: &'a [Candidate<'a>],
    groups: Vec<(f64, Group)>,
}

impl Draft<'_> {
    /// Adds a group unless it would be empty or never be drawn; says whether it did.
    fn add(
        &mut self,
        part: f64,
        kind: GroupKind,
        is_member: impl Fn(&Candidate<'_>) -> bool,
    ) -> bool {
        if part <= PART_MIN {
            return false;
        }
        let members: Box<[u32]> = (0_u32..)
            .zip(self.candidates)
            .filter(|(_, candidate)| is_member(candidate))
            .map(|(place, _)| place)
            .collect();
        let is_any = !members.is_empty();
        if is_any {
            self.groups.push((
                part,
                Group {
                    upto: u32::MAX,
                    members,
                    kind,
                },
            ));
        }
        is_any
    }

    fn finish(self) -> Plan {
        let sum: f64 = self.groups.iter().map(|(part, _)| part).sum();
        let mut passed = 0.0;
        let mut groups: Box<[Group]> = self
            .groups
            .into_iter()
            .map(|(part, group)| {
                passed += part / sum;
                Group {
                    upto: bits(passed),
                    ..group
                }
            })
            .collect();
        if let Some(last) = groups.last_mut() {
            last.upto = u32::MAX;
        }
        Plan { groups }
    }
}

/// The highest of 32 bits below which this part of them lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from float saturates"
)]
fn bits(part: f64) -> u32 {
    (part * 2_f64.powi(32) - 1.0).round() as u32
}

/// A group that is drawn less often than one of a million times is left out.
const PART_MIN: f64 = 1e-6;

//! Which share of the calls goes to which instances.

use serde::Serialize;

use super::routable::Routable;
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
    /// The caller's zone.
    pub(crate) zone: Option<&'a str>,
    pub(crate) zone_aware: Option<&'a ZoneAware>,
}

/// Groups of instances with their shares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In the order of `upto`; empty when nobody can be called.
    pub(crate) groups: Box<[Group]>,
    /// Whether health is not believed, in any group.
    pub(crate) is_panic: bool,
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
    /// The first priority in other zones, because the caller's own has too little.
    Spill,
    /// A further priority, because those before have too little.
    Failover,
    /// Those that work badly, because those that work well are too few.
    Degraded,
    /// Those that are about to leave, because nobody else is there.
    LastResort,
    /// Everybody: so many look dead that health is not believed.
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

impl Plan {
    /// The group that 32 random bits draw. Without a draw when there is one group.
    #[inline]
    pub(crate) fn group(&self, random: impl FnOnce() -> u32) -> Option<&Group> {
        match &*self.groups {
            [] => None,
            [only] => Some(only),
            groups => {
                let bits = random();
                groups.iter().find(|group| bits <= group.upto)
            }
        }
    }
}

/// Groups those that may be called. Never empty while a candidate may be called at all.
pub(crate) fn plan(candidates: &[Candidate<'_>], _rules: &Rules<'_>) -> Plan {
    let members: Box<[u32]> = (0..)
        .zip(candidates)
        .filter(|(_, candidate)| matches!(candidate.routable, Routable::Yes | Routable::Degraded))
        .map(|(place, _)| place)
        .collect();
    if members.is_empty() {
        return Plan::default();
    }
    Plan {
        groups: Box::new([Group {
            upto: u32::MAX,
            members,
            kind: GroupKind::Only,
        }]),
        is_panic: false,
    }
}

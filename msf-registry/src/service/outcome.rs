//! What a pick counts as.

use crate::routing::GroupKind;

/// What the metrics tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// One of those that are called while all is well.
    Ok,
    /// One of a group in which health is not believed.
    Panic,
    /// One of another zone or priority, or one that works badly, since the first choice is too little.
    Spill,
    /// An ejected one, to find out whether it is well again.
    Probe,
    /// There was nobody.
    None,
}

impl Outcome {
    /// Every outcome; [`Ok`](Self::Ok) is the first.
    pub(crate) const ALL: [Self; 5] = [Self::Ok, Self::Panic, Self::Spill, Self::Probe, Self::None];

    /// The word in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Panic => "panic",
            Self::Spill => "spill",
            Self::Probe => "probe",
            Self::None => "none",
        }
    }

    /// That of a pick from a group.
    pub(super) const fn of(kind: GroupKind) -> Self {
        match kind {
            GroupKind::Only | GroupKind::Local => Self::Ok,
            GroupKind::Panic => Self::Panic,
            GroupKind::Spill
            | GroupKind::Failover
            | GroupKind::Degraded
            | GroupKind::LastResort => Self::Spill,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_stands_at_its_own_place() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
    }
}

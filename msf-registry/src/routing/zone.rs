//! How much stays in the caller's zone.

use std::collections::BTreeMap;

use crate::balance::ZoneAware;

/// The part of a priority's calls that goes to one zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share<'a> {
    /// `None` are the instances that name no zone.
    pub(super) zone: Option<&'a str>,
    pub(super) part: f64,
    pub(super) is_own: bool,
}

/// The shares of the zones for a caller in `own`, by Envoy's formula; `None` when zones do not matter: there is but
/// one, or there are too few instances, or more zones than there are anywhere: then somebody names machines.
///
/// As much stays in the zone as it can take without its instances being called more than the others:
/// `min(1, instances' part ÷ callers' part)`. The rest goes to the zones that have more instances than callers,
/// in proportion to how many more.
pub(super) fn by_zone<'a>(
    working: impl Iterator<Item = (Option<&'a str>, u16)>,
    own: &'a str,
    rule: &ZoneAware,
) -> Option<Vec<Share<'a>>> {
    let (mut instances, mut weights) = (0, BTreeMap::<Option<&str>, u64>::new());
    for (zone, weight) in working {
        instances += 1;
        *weights.entry(zone).or_default() += u64::from(weight.max(1));
    }
    if instances < rule.instances_min.max(1) || !(2..=ZONES_MAX).contains(&weights.len()) {
        return None;
    }
    let all: u64 = weights.values().sum();
    let part = |zone: &Option<&str>| {
        weights
            .get(zone)
            .map_or(0.0, |weight| *weight as f64 / all as f64)
    };
    let callers = Callers::new(rule, weights.keys().copied(), own);

    let (here, there) = (part(&Some(own)), callers.part(Some(own)));
    // A caller in a zone in which nobody said that there are callers is the only one there.
    let local = if there <= 0.0 {
        1.0
    } else {
        (here / there).min(1.0)
    };
    let local = if here <= 0.0 { 0.0 } else { local };
    let mut shares = Vec::new();
    if local > 0.0 {
        shares.push(Share {
            zone: Some(own),
            part: local,
            is_own: true,
        });
    }
    if local < 1.0 {
        let others = || weights.keys().filter(|zone| **zone != Some(own));
        let residual = |zone: &Option<&str>| (part(zone) - callers.part(*zone)).max(0.0);
        let sum: f64 = others().map(residual).sum();
        shares.extend(others().map(|zone| Share {
            zone: *zone,
            // All others are fully used by their own callers only if a rounding error says so.
            part: (1.0 - local)
                * if sum > 0.0 {
                    residual(zone) / sum
                } else {
                    part(zone) / (1.0 - here)
                },
            is_own: false,
        }));
    }
    Some(shares)
}

/// Each zone is a group with a structure of its own, and every pick looks through the groups.
const ZONES_MAX: usize = 64;

/// Where the callers are.
struct Callers<'a> {
    rule: &'a ZoneAware,
    sum: u64,
    /// The part of each zone, when they are spread evenly.
    even: f64,
}

impl<'a> Callers<'a> {
    fn new<'z>(
        rule: &'a ZoneAware,
        zones: impl Iterator<Item = Option<&'z str>>,
        own: &str,
    ) -> Self {
        let others = zones.flatten().filter(|zone| *zone != own).count();
        Self {
            rule,
            sum: rule.callers.values().map(|n| u64::from(*n)).sum(),
            even: 1.0 / (others + 1) as f64,
        }
    }

    fn part(&self, zone: Option<&str>) -> f64 {
        match zone {
            None => 0.0,
            Some(_) if self.sum == 0 => self.even,
            Some(zone) => {
                let callers = self.rule.callers.get(zone).copied().unwrap_or_default();
                f64::from(callers) / self.sum as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares(
        own: &str,
        callers: &[(&str, u32)],
        instances: &[(&str, usize)],
    ) -> Option<Vec<(String, f64)>> {
        let rule = ZoneAware::default()
            .instances_min(3)
            .callers(callers.iter().copied());
        let working = instances
            .iter()
            .flat_map(|(zone, n)| std::iter::repeat_n((Some(*zone), 1), *n));
        let shares = by_zone(working, own, &rule)?;
        let named = |share: &Share<'_>| (share.zone.unwrap_or("-").to_owned(), share.part);
        Some(
            shares
                .iter()
                .filter(|share| share.part > 1e-9)
                .map(named)
                .collect(),
        )
    }

    fn are(shares: Option<Vec<(String, f64)>>, expected: &[(&str, f64)]) {
        let shares = shares.unwrap();
        assert_eq!(shares.len(), expected.len(), "{shares:?}");
        for ((zone, part), (expected_zone, expected_part)) in shares.iter().zip(expected) {
            assert_eq!(zone, expected_zone);
            assert!(
                (part - expected_part).abs() < 1e-4,
                "{shares:?} is not {expected:?}"
            );
        }
    }

    /// The cluster of Envoy's test `ZoneAwareResidualsMismatched`: residuals of 20.83 %, 20.83 % and 12.5 %.
    #[test]
    fn what_a_zone_cannot_take_goes_where_there_is_most_left() {
        let callers = [("a", 2), ("b", 2), ("c", 1), ("d", 1)];
        let instances = [("a", 1), ("c", 3), ("d", 3), ("e", 1)];
        let residual = [0.2083 / 0.5417, 0.2083 / 0.5417, 0.125 / 0.5417];
        let of_rest = |n: usize| 0.625 * residual[n];
        are(
            shares("a", &callers, &instances),
            &[
                ("a", 0.375),
                ("c", of_rest(0)),
                ("d", of_rest(1)),
                ("e", of_rest(2)),
            ],
        );
        let all_of_it = [("c", residual[0]), ("d", residual[1]), ("e", residual[2])];
        are(shares("b", &callers, &instances), &all_of_it);
        are(shares("c", &callers, &instances), &[("c", 1.0)]);
    }

    /// The clusters of Envoy's tests `ZoneAwareDifferentZoneSize`, `ZoneAwareRoutingSmallZone` and the one for a
    /// zone without an instance.
    #[test]
    fn shares_are_those_of_envoys_tests() {
        let one_each = [("a", 1), ("b", 1), ("c", 1)];
        let two_zones = [("a", 1), ("b", 1)];
        are(
            shares("b", &two_zones, &one_each),
            &[("b", 0.6667), ("c", 0.3333)],
        );
        are(
            shares("a", &[], &[("a", 1), ("b", 2), ("c", 2)]),
            &[("a", 0.6), ("b", 0.2), ("c", 0.2)],
        );
        are(
            shares("b", &two_zones, &[("a", 2), ("c", 2)]),
            &[("c", 1.0)],
        );
        are(shares("c", &[], &one_each), &[("c", 1.0)]);
    }

    #[test]
    fn zones_do_not_matter_for_few_instances_or_one_zone() {
        assert_eq!(shares("a", &[], &[("a", 1), ("b", 1)]), None);
        assert_eq!(shares("a", &[], &[("a", 9)]), None);
        assert_eq!(shares("a", &[], &[("b", 9)]), None);
    }

    #[test]
    fn zones_do_not_matter_where_each_instance_has_its_own() {
        let rule = ZoneAware::default();
        let names: Vec<String> = (0..65).map(|n| format!("node-{n}")).collect();
        let shares = |zones: &[String]| {
            let working = zones.iter().map(|zone| (Some(zone.as_str()), 1));
            by_zone(working, "node-0", &rule).map(|shares| shares.len())
        };
        assert_eq!((shares(&names[..64]), shares(&names)), (Some(1), None));
    }

    #[test]
    fn a_caller_where_nobody_was_said_to_call_stays_there() {
        are(
            shares("c", &[("a", 1)], &[("a", 3), ("c", 1)]),
            &[("c", 1.0)],
        );
    }

    proptest! {
        /// When each zone's callers follow their shares, no instance gets more than an even share.
        #[test]
        fn all_instances_are_called_alike(counts in proptest::collection::vec((1_u32..20, 0_usize..20), 2..6)) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let callers: Vec<_> = names.iter().zip(&counts).map(|(zone, (n, _))| (*zone, *n)).collect();
            let instances: Vec<_> = names.iter().zip(&counts).map(|(zone, (_, n))| (*zone, *n)).collect();
            let all: u32 = callers.iter().map(|(_, n)| n).sum();
            let mut received = BTreeMap::<String, f64>::new();
            for (own, n) in &callers {
                let Some(shares) = shares(own, &callers, &instances) else { return Ok(()) };
                let sum: f64 = shares.iter().map(|(_, part)| part).sum();
                prop_assert!((sum - 1.0).abs() < 1e-6, "{sum}");
                for (zone, part) in shares {
                    *received.entry(zone).or_default() += part * f64::from(*n) / f64::from(all);
                }
            }
            let total: usize = instances.iter().map(|(_, n)| n).sum();
            for (zone, n) in instances.iter().filter(|(_, n)| *n > 0) {
                let even = *n as f64 / total as f64;
                prop_assert!((received[*zone] - even).abs() < 1e-6, "{zone}: {received:?}");
            }
        }
    }
}

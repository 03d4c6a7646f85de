//! Plans as a whole: who is in which group, with which share.

use proptest::prelude::*;

use super::{plan::Plan, *};
use crate::balance::ZoneAware;

fn rules() -> Rules<'static> {
    Rules {
        overprovisioning: 1.4,
        panic_threshold: 0.5,
        zone: None,
    }
}

const fn candidate(priority: u8, routable: Routable) -> Candidate<'static> {
    Candidate {
        priority,
        zone: None,
        weight: 1,
        routable,
    }
}

/// Kind, members and percent of each group.
fn seen(plan: &Plan) -> Vec<(GroupKind, Vec<u32>, f64)> {
    let mut from = 0.0;
    plan.groups
        .iter()
        .map(|group| {
            let upto = (f64::from(group.upto) + 1.0) / 2_f64.powi(32) * 100.0;
            let part = upto - std::mem::replace(&mut from, upto);
            (group.kind, group.members.to_vec(), part)
        })
        .collect()
}

const YES: Routable = Routable::Yes;
const SICK: Routable = Routable::No(Why::Unhealthy);
const EJECTED: Routable = Routable::No(Why::Ejected);
const DRAINS: Routable = Routable::LastResort;
const OUT: Routable = Routable::No(Why::OutOfService);

fn planned(candidates: &[Candidate<'_>]) -> Vec<(GroupKind, Vec<u32>, f64)> {
    seen(&plan(candidates, &rules()))
}

fn one_level(routable: &[Routable]) -> Vec<(GroupKind, Vec<u32>, f64)> {
    let candidates: Vec<_> = routable.iter().map(|r| candidate(0, *r)).collect();
    planned(&candidates)
}

#[test]
fn whoever_works_is_one_group_without_a_draw() {
    assert_eq!(
        one_level(&[YES, SICK, YES, OUT]),
        [(GroupKind::Only, vec![0, 2], 100.0)]
    );
    let all = plan(&[candidate(0, YES)], &rules());
    assert_eq!(all.draw(|| panic!("drawn for nothing")), Some(0));
    assert_eq!(Plan::default().draw(|| 0), None);
}

#[test]
fn in_panic_health_is_not_believed_but_what_was_said_is() {
    let groups = one_level(&[YES, SICK, EJECTED, SICK, OUT, DRAINS]);
    assert_eq!(groups, [(GroupKind::Panic, vec![0, 1, 2, 3], 100.0)]);
    let alone = plan(&[candidate(0, SICK)], &rules());
    assert_eq!(alone.groups[0].kind, GroupKind::Panic);
    let never = Rules {
        panic_threshold: 0.0,
        ..rules()
    };
    assert_eq!(plan(&[candidate(0, SICK)], &never), Plan::default());
}

#[test]
fn whoever_drains_is_called_when_nobody_else_works() {
    assert_eq!(
        one_level(&[DRAINS, YES]),
        [(GroupKind::Only, vec![1], 100.0)]
    );
    assert_eq!(
        one_level(&[DRAINS, SICK, OUT]),
        [(GroupKind::LastResort, vec![0], 100.0)]
    );
    assert_eq!(
        one_level(&[SICK, EJECTED]),
        [(GroupKind::LastResort, vec![1], 100.0)]
    );
    assert_eq!(one_level(&[OUT]), []);
    assert_eq!(one_level(&[]), []);
}

#[test]
fn whoever_is_taken_out_does_not_make_the_rest_look_ill() {
    // Two of six work, and the other four are not meant to: neither panic nor failover.
    let mut candidates = [OUT, OUT, DRAINS, Routable::No(Why::Starting), YES, YES]
        .map(|r| candidate(0, r))
        .to_vec();
    candidates.push(candidate(1, YES));
    assert_eq!(planned(&candidates), [(GroupKind::Only, vec![4, 5], 100.0)]);
}

#[test]
fn a_further_priority_takes_what_the_first_cannot() {
    let candidates =
        [(0, YES), (0, SICK), (3, YES), (3, Routable::Degraded)].map(|(p, r)| candidate(p, r));
    let groups = planned(&candidates);
    let kinds: Vec<_> = groups
        .iter()
        .map(|(kind, members, _)| (*kind, members.clone()))
        .collect();
    assert_eq!(
        kinds,
        [(GroupKind::Only, vec![0]), (GroupKind::Failover, vec![2])]
    );
    assert!((groups[0].2 - 70.0).abs() < 0.001, "{groups:?}");
}

#[test]
fn capacity_is_weight_and_not_number() {
    let heavy = Candidate {
        weight: 9,
        ..candidate(0, SICK)
    };
    let groups = planned(&[heavy, candidate(0, YES), candidate(1, YES)]);
    assert!((groups[0].2 - 14.0).abs() < 0.001, "{groups:?}");
}

#[test]
fn zones_split_the_first_priority_only() {
    let rule = ZoneAware::default();
    let in_zone = |priority, zone, routable| Candidate {
        zone: Some(zone),
        ..candidate(priority, routable)
    };
    let mut candidates = vec![in_zone(0, "a", YES), in_zone(0, "a", SICK)];
    candidates.extend([in_zone(0, "b", YES); 3]);
    candidates.extend([in_zone(0, "c", YES); 3]);
    candidates.extend([in_zone(1, "a", YES), in_zone(1, "b", YES)]);
    let rules = Rules {
        zone: Some(("a", &rule)),
        ..rules()
    };
    let groups = seen(&plan(&candidates, &rules));
    let kinds: Vec<_> = groups
        .iter()
        .map(|(kind, members, _)| (*kind, members.clone()))
        .collect();
    assert_eq!(
        kinds,
        [
            (GroupKind::Local, vec![0]),
            (GroupKind::Spill, vec![2, 3, 4]),
            (GroupKind::Spill, vec![5, 6, 7]),
        ]
    );
    // One of seven that work is here, and a third of the callers.
    assert!((groups[0].2 - 300.0 / 7.0).abs() < 0.001, "{groups:?}");
    let few = Rules {
        zone: Some(("a", &rule)),
        ..rules
    };
    assert_eq!(seen(&plan(&candidates[..5], &few))[0].0, GroupKind::Only);
}

#[test]
fn draws_follow_the_shares() {
    let candidates = [(0, YES), (0, SICK), (1, YES)].map(|(p, r)| candidate(p, r));
    let plan = plan(&candidates, &rules());
    let mut rng = fastrand::Rng::with_seed(7);
    let firsts = (0..100_000)
        .filter(|_| plan.draw(|| rng.u32(..)) == Some(0))
        .count();
    assert!((69_000..71_000).contains(&firsts), "{firsts} of 100000");
    assert_eq!(
        (plan.draw(|| 0), plan.draw(|| u32::MAX)),
        (Some(0), Some(1))
    );
}

fn any_routable() -> impl Strategy<Value = Routable> {
    proptest::sample::select(vec![
        YES,
        Routable::Degraded,
        DRAINS,
        SICK,
        EJECTED,
        OUT,
        Routable::No(Why::Starting),
        Routable::No(Why::Down),
    ])
}

proptest! {
    #[test]
    fn somebody_is_called_while_anybody_may_be(
        hosts in proptest::collection::vec((0_u8..4, 0_usize..4, 1_u16..1000, any_routable()), 0..40),
        zone in proptest::option::of(0_usize..4),
        threshold in 0.0_f32..=1.0,
        bits: u32,
    ) {
        let names = [None, Some("a"), Some("b"), Some("c")];
        let candidates: Vec<_> = hosts
            .iter()
            .map(|(priority, zone, weight, routable)| Candidate {
                priority: *priority,
                zone: names[*zone],
                weight: *weight,
                routable: *routable,
            })
            .collect();
        let rule = ZoneAware::default().instances_min(2);
        let zone = zone.and_then(|zone| names[zone]).map(|zone| (zone, &rule));
        let plan = plan(&candidates, &Rules { panic_threshold: threshold, zone, ..rules() });

        let has = |wanted: &[Routable]| candidates.iter().any(|c| wanted.contains(&c.routable));
        let is_callable = has(&[YES, Routable::Degraded, DRAINS, EJECTED]) || threshold > 0.0 && has(&[SICK]);
        prop_assert_eq!(plan.groups.is_empty(), !is_callable);
        prop_assert_eq!(plan.draw(|| bits).is_some(), is_callable);
        let mut upto = None;
        for group in &plan.groups {
            prop_assert!(Some(group.upto) > upto, "every group can be drawn");
            upto = Some(group.upto);
            prop_assert!(!group.members.is_empty() && group.members.is_sorted());
            for place in &group.members {
                let routable = candidates[*place as usize].routable;
                let fits = match group.kind {
                    GroupKind::Only | GroupKind::Local | GroupKind::Spill | GroupKind::Failover => routable == YES,
                    GroupKind::Degraded => routable == Routable::Degraded,
                    GroupKind::LastResort => routable == DRAINS || routable == EJECTED,
                    GroupKind::Panic => routable != DRAINS && routable != OUT,
                };
                prop_assert!(fits, "{:?} in {:?}", routable, group.kind);
            }
        }
        prop_assert!(plan.groups.is_empty() || upto == Some(u32::MAX));
    }
}

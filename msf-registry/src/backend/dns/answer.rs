//! What records say, as instances: pure.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU16, sync::Arc, time::Duration};

use msf_core::name::{InstanceId, ServiceName};

use crate::{
    backend::fixed::id_of,
    model::{Endpoint, Health, Instance, Member, Scheme},
};

/// One address that a service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) addr: SocketAddr,
    /// As in an SRV record: lower ones first.
    pub(super) priority: u16,
    /// As in an SRV record: 0 is "hardly ever".
    pub(super) weight: u16,
    /// The host that the record names.
    pub(super) target: Arc<str>,
}

/// The members of a service, sorted by id, which is the address: two records that lead to one address
/// are one instance, with the better priority and the larger weight.
pub(super) fn members(service: &ServiceName, scheme: Scheme, located: Vec<Located>) -> Vec<Member> {
    let mut by_id: BTreeMap<InstanceId, Located> = BTreeMap::new();
    for one in located {
        let id = id_of(one.addr);
        let is_better = by_id.get(&id).is_none_or(|known| {
            (one.priority, u16::MAX - one.weight) < (known.priority, u16::MAX - known.weight)
        });
        if is_better {
            by_id.insert(id, one);
        }
    }
    let tiers = Tiers::of(by_id.values());
    let mut members = Vec::with_capacity(by_id.len());
    for (id, one) in by_id {
        let (priority, weight) = tiers.place(&one);
        let instance = Instance::at(service.clone(), id, Endpoint::new(scheme, one.addr))
            .priority(priority)
            .weight(weight)
            .metadata(TARGET, &*one.target);
        // An address that nobody can connect to, such as port 0, hides no other.
        if instance.validate().is_ok() {
            members.push(Member::new(Arc::new(instance), Health::Unknown));
        }
    }
    members
}

/// When to ask again: after what the records say, within bounds, and not together with everybody else.
pub(super) fn refresh_after(ttl: Duration, min: Duration, max: Duration, jitter: f64) -> Duration {
    // Later, not sooner: a resolver in between would answer from its memory once more.
    ttl.clamp(min, max).mul_f64(1.0 + jitter / 10.0)
}

/// SRV priorities and weights in terms of the model.
///
/// Priorities are ranked, because only their order means something (RFC 2782). A weight of 0 beside
/// others is a very small share: others are scaled up, so that it is at most one hundredth of theirs where
/// the range allows it. Where all are 0, all are equal.
struct Tiers {
    /// The scale of each priority, in order.
    scales: BTreeMap<u16, u16>,
}

impl Tiers {
    fn of<'a>(located: impl Iterator<Item = &'a Located>) -> Self {
        let mut weights: BTreeMap<u16, (bool, u16)> = BTreeMap::new();
        for one in located {
            let (has_zero, max) = weights.entry(one.priority).or_default();
            *has_zero |= one.weight == 0;
            *max = one.weight.max(*max);
        }
        let scale = |(has_zero, max): (bool, u16)| match (has_zero, max) {
            (true, 1..) => (u16::MAX / max).clamp(1, 100),
            _ => 1,
        };
        let scales = weights.into_iter().map(|(tier, w)| (tier, scale(w)));
        Self {
            scales: scales.collect(),
        }
    }

    fn place(&self, one: &Located) -> (u8, NonZeroU16) {
        let rank = self.scales.range(..one.priority).count();
        let scale = self.scales.get(&one.priority).copied().unwrap_or(1);
        let weight = NonZeroU16::new(one.weight.saturating_mul(scale));
        (
            u8::try_from(rank).unwrap_or(u8::MAX),
            weight.unwrap_or(NonZeroU16::MIN),
        )
    }
}

/// Where the metadata say which host it is.
pub(super) const TARGET: &str = "dns.target";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(last: u8, priority: u16, weight: u16) -> Located {
        Located {
            addr: ([10, 0, 0, last], 80).into(),
            priority,
            weight,
            target: format!("h{last}.example.").into(),
        }
    }

    fn listed(located: Vec<Located>) -> Vec<(String, u8, u16)> {
        let service = ServiceName::new("payment").unwrap();
        let all = members(&service, Scheme::Http, located);
        all.iter()
            .map(|m| {
                let i = &m.instance;
                (i.id.to_string(), i.priority, i.weight.get())
            })
            .collect()
    }

    #[test]
    fn priorities_are_ranked_and_weights_kept() {
        let all = vec![at(3, 20, 5), at(1, 10, 60), at(2, 10, 40), at(4, 65_535, 1)];
        let expected = [("1", 0, 60), ("2", 0, 40), ("3", 1, 5), ("4", 2, 1)]
            .map(|(last, priority, weight)| (format!("10.0.0.{last}:80"), priority, weight));
        assert_eq!(listed(all), expected);
    }

    #[test]
    fn a_weight_of_zero_is_a_small_share_and_all_zero_is_equal() {
        let weights = |all: Vec<Located>| -> Vec<u16> {
            listed(all)
                .into_iter()
                .map(|(_, _, weight)| weight)
                .collect()
        };
        assert_eq!(weights(vec![at(1, 0, 0), at(2, 0, 0)]), [1, 1]);
        assert_eq!(weights(vec![at(1, 0, 0), at(2, 0, 1)]), [1, 100]);
        assert_eq!(weights(vec![at(1, 0, 0), at(2, 0, 65_535)]), [1, 65_535]);
        assert_eq!(weights(vec![at(1, 0, 0), at(2, 0, 30_000)]), [1, 60_000]);
        // The other priority has its own scale.
        assert_eq!(weights(vec![at(1, 0, 0), at(2, 1, 7)]), [1, 7]);
    }

    #[test]
    fn one_address_is_one_instance_and_an_impossible_one_hides_no_other() {
        let twice = vec![at(1, 20, 5), at(1, 10, 1), at(1, 10, 7)];
        assert_eq!(listed(twice), [("10.0.0.1:80".to_owned(), 0, 7)]);
        let mut nowhere = at(2, 0, 1);
        nowhere.addr.set_port(0);
        assert_eq!(listed(vec![nowhere, at(1, 0, 1)]).len(), 1);
    }

    proptest! {
        #[test]
        fn order_of_records_changes_nothing_and_shares_keep_their_order(
            records in proptest::collection::vec((1_u8..20, 0_u16..5, any::<u16>()), 0..20),
        ) {
            let all: Vec<Located> = records.iter().map(|(l, p, w)| at(*l, *p, *w)).collect();
            let mut reversed = all.clone();
            reversed.reverse();
            let (one, other) = (listed(all), listed(reversed));
            prop_assert_eq!(&one, &other);
            prop_assert!(one.is_sorted());
        }

        #[test]
        fn a_refresh_is_within_its_bounds(ttl in 0_u64..1_000_000, jitter in 0.0..1.0_f64) {
            let (min, max) = (Duration::from_secs(1), Duration::from_secs(60));
            let after = refresh_after(Duration::from_secs(ttl), min, max, jitter);
            prop_assert!(after >= min && after <= max.mul_f64(1.1));
            prop_assert!(after >= Duration::from_secs(ttl).min(max));
        }
    }
}

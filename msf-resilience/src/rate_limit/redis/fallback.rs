//! What counts while Redis does not.

use std::{num::NonZeroU32, time::Duration};

use super::{
    super::{
        quota::Quota,
        store::{Demand, LimitStore},
    },
    local::LocalStore,
};

/// What decides while Redis does not answer, is slow, or is not asked because it was.
///
/// | choice | who is let in | choose it when |
/// |---|---|---|
/// | [`Share`](Self::Share) | this instance's share of each quota | always, unless the limit must not be exceeded by anybody; the default |
/// | [`Nothing`](Self::Nothing) | what the layer's [`OnFailure`] says: everybody or nobody | nobody: it protects money or secrets, such as one-time codes |
///
/// Nobody is let in, which is to fail closed, only with both: this `Nothing` and the layer's `Refuse`.
///
/// ```
/// use msf_resilience::rate_limit::redis::Fallback;
///
/// assert_eq!(Fallback::share_of(3), Fallback::Share { instances: 3.try_into().unwrap() });
/// ```
///
/// [`OnFailure`]: crate::rate_limit::shared::OnFailure
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fallback {
    /// Counts here, in memory, against one of so many parts of each quota.
    Share {
        /// How many instances share the quota.
        instances: NonZeroU32,
    },
    /// Passes the error on.
    Nothing,
}

impl Fallback {
    /// The share of one of so many instances; of 0 it is the whole quota.
    #[must_use]
    pub fn share_of(instances: u32) -> Self {
        let instances = NonZeroU32::new(instances).unwrap_or(NonZeroU32::MIN);
        Self::Share { instances }
    }

    pub(super) fn local_store(self) -> Option<Box<dyn LimitStore>> {
        matches!(self, Self::Share { .. })
            .then(|| Box::new(LocalStore::new(LOCAL_KEYS)) as Box<dyn LimitStore>)
    }
}

/// One of so many parts of a quota, at least one request, and a burst that takes the call at all.
pub(super) fn share<'a>(demand: &Demand<'a>, instances: NonZeroU32) -> Demand<'a> {
    let quota = &demand.quota;
    let burst = quota
        .burst_size()
        .div_ceil(instances.get())
        .max(demand.cost);
    let slower = quota.period().saturating_mul(instances.get());
    let share = if slower <= PERIOD_MAX {
        Quota::per(quota.requests(), slower)
    } else {
        Quota::per(quota.requests().div_ceil(instances.get()), quota.period())
    };
    Demand::new(demand.key, share.burst(burst), demand.cost)
}

/// How many keys are remembered at least while Redis is away: as many as a limiter in memory remembers.
const LOCAL_KEYS: usize = 65_536;
/// The longest period of a quota.
const PERIOD_MAX: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_is_slower_and_takes_every_call_that_the_whole_takes() {
        let instances = NonZeroU32::new(3).unwrap();
        let demand = Demand::new("a", Quota::per_second(10), 1);
        let quota = Quota::per(10, Duration::from_secs(3)).burst(4);
        assert_eq!(share(&demand, instances), Demand::new("a", quota, 1));
        let big = Demand::new("a", Quota::per_second(10), 9);
        assert_eq!(share(&big, instances).quota.burst_size(), 9);
        let day = Demand::new("a", Quota::per(10, PERIOD_MAX), 1);
        assert_eq!(share(&day, instances).quota, Quota::per(4, PERIOD_MAX));
    }

    proptest! {
        #[test]
        fn every_share_is_a_quota(requests in 1_u32.., secs in 1_u64..=86_400, burst in 1_u32.., n in 1_u32..) {
            let quota = Quota::per(requests, Duration::from_secs(secs)).burst(burst);
            let demand = Demand::new("a", quota, 1);
            prop_assert!(share(&demand, NonZeroU32::new(n).unwrap()).quota.check().is_ok());
        }
    }
}

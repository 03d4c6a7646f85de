//! Whether somebody may try: a state machine without clock, lock or names.

use std::time::Duration;

use super::{
    LoginLimits,
    buckets::{Bucket, Buckets, Leak},
    counters::{Charge, Counters},
};

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Ledger {
    failures_free: u32,
    failures_free_everywhere: u32,
    accounts: Counters,
    networks: Buckets,
    all: Option<Bucket>,
    all_leak: Leak,
}

/// What an attempt is counted under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    /// The account, from one device or network.
    pub(super) place: u64,
    /// The account, from everywhere; none for a device that has logged in before.
    pub(super) everywhere: Option<u64>,
    pub(super) network: Option<u64>,
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitedBy {
    /// The account, whether there is one or not: answer as to a wrong password.
    Account,
    /// The network that the attempt comes from.
    Network,
    /// All together.
    Global,
}

impl LimitedBy {
    /// The word in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Network => "network",
            Self::Global => "global",
        }
    }
}

/// What an attempt was charged with. It is charged before it is made, so that many at once are not more than so many one
/// after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charges {
    place: Charge,
    everywhere: Option<Charge>,
    network: Option<u64>,
}

impl Charges {
    pub(super) fn locks(&self) -> bool {
        self.place.locks || self.everywhere.is_some_and(|charge| charge.locks)
    }
}

impl Ledger {
    pub(super) fn new(limits: &LoginLimits) -> Self {
        let network = Leak {
            burst: limits.network_burst,
            interval_ms: millis(limits.network_interval),
        };
        Self {
            failures_free: limits.failures_free,
            failures_free_everywhere: limits.failures_free_everywhere,
            accounts: Counters::new(limits),
            networks: Buckets::new(network, limits.networks_max),
            all: None,
            all_leak: Leak {
                burst: limits.global_burst,
                interval_ms: millis(limits.global_interval),
            },
        }
    }

    /// Lets an attempt be made, or says what is in its way and for how many milliseconds. Who is not let through is not
    /// charged for the account, so that insisting makes no lock longer.
    pub(super) fn admit(&mut self, keys: Keys, now_ms: u64) -> Result<Charges, (LimitedBy, u64)> {
        let network_ms = keys
            .network
            .map_or(0, |network| self.networks.wait_ms(network, now_ms));
        if network_ms > 0 {
            return Err((LimitedBy::Network, network_ms));
        }
        let is_new = keys.everywhere.is_some();
        let all_ms = self.all_leak.wait_ms(self.all, now_ms);
        if is_new && all_ms > 0 {
            return Err((LimitedBy::Global, all_ms));
        }
        // From here on it costs a hash, whether it may succeed or not.
        if let Some(network) = keys.network {
            self.networks.charge(network, now_ms);
        }
        if is_new {
            self.all = Some(self.all_leak.charged(self.all, now_ms));
        }
        let (free, free_everywhere) = (self.failures_free, self.failures_free_everywhere);
        let place_ms = self.accounts.wait_ms(keys.place, free, now_ms);
        let everywhere_ms = keys
            .everywhere
            .map_or(0, |key| self.accounts.wait_ms(key, free_everywhere, now_ms));
        let account_ms = place_ms.max(everywhere_ms);
        if account_ms > 0 {
            return Err((LimitedBy::Account, account_ms));
        }
        // The longer one last: it must not be what makes room for the other.
        let place = self.accounts.charge(keys.place, free, now_ms);
        let everywhere = keys
            .everywhere
            .map(|key| self.accounts.charge(key, free_everywhere, now_ms));
        Ok(Charges {
            place,
            everywhere,
            network: keys.network,
        })
    }

    /// The attempt succeeded: the failures of this device or network are forgotten, those of others are not.
    pub(super) fn succeed(&mut self, charges: Charges) {
        self.accounts.reset(charges.place);
        self.refund_shared(charges);
    }

    /// The attempt was not made.
    pub(super) fn withdraw(&mut self, charges: Charges) {
        self.accounts.refund(charges.place);
        self.refund_shared(charges);
    }

    fn refund_shared(&mut self, charges: Charges) {
        if let Some(network) = charges.network {
            self.networks.refund(network);
        }
        if let Some(everywhere) = charges.everywhere {
            self.accounts.refund(everywhere);
            self.all = self.all.map(|all| self.all_leak.refunded(all));
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

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
    /// How often sites have failed.
    sites: Counters,
    quiet: Share,
    noisy: Share,
}

/// What all devices together may do that are not known, and that come from sites of one sort. Each sort has its own, so
/// that who fails often uses up no place of those who do not.
#[derive(Debug)]
struct Share {
    bucket: Option<Bucket>,
    leak: Leak,
}

impl Share {
    fn wait_ms(&self, now_ms: u64) -> u64 {
        self.leak.wait_ms(self.bucket, now_ms)
    }

    fn charge(&mut self, now_ms: u64) {
        self.bucket = Some(self.leak.charged(self.bucket, now_ms));
    }

    fn refund(&mut self) {
        self.bucket = self.bucket.map(|bucket| self.leak.refunded(bucket));
    }
}

/// What an attempt is counted under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    /// The account, from one device or network.
    pub(super) place: u64,
    /// The account, from everywhere; none for a device that has logged in before.
    pub(super) everywhere: Option<u64>,
    pub(super) network: Option<u64>,
    /// Where the network belongs to.
    pub(super) site: Option<u64>,
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitedBy {
    /// The account, whether there is one or not: answer as to a wrong password.
    Account,
    /// The network that the attempt comes from.
    Network,
    /// All together: those that come from places which have failed a few times, or those that come from others.
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
    site: Option<Charge>,
    is_quiet: bool,
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
        let leak = Leak {
            burst: limits.global_burst,
            interval_ms: millis(limits.global_interval),
        };
        Self {
            failures_free: limits.failures_free,
            failures_free_everywhere: limits.failures_free_everywhere,
            accounts: Counters::new(limits, limits.accounts_max),
            networks: Buckets::new(network, limits.networks_max),
            sites: Counters::new(limits, limits.networks_max),
            quiet: Share { bucket: None, leak },
            noisy: Share { bucket: None, leak },
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
        let (free, free_everywhere) = (self.failures_free, self.failures_free_everywhere);
        let sites = &self.sites;
        let is_quiet = keys
            .site
            .is_some_and(|site| sites.failures(site, now_ms) < free);
        let all_ms = self.share(is_quiet).wait_ms(now_ms);
        if is_new && all_ms > 0 {
            return Err((LimitedBy::Global, all_ms));
        }
        // From here on it costs a hash, whether it may succeed or not.
        if let Some(network) = keys.network {
            self.networks.charge(network, now_ms);
        }
        if is_new {
            self.share(is_quiet).charge(now_ms);
        }
        let site = keys.site.map(|site| self.sites.charge(site, free, now_ms));
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
            site,
            is_quiet,
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
        if let Some(site) = charges.site {
            self.sites.refund(site);
        }
        if let Some(everywhere) = charges.everywhere {
            self.accounts.refund(everywhere);
            self.share(charges.is_quiet).refund();
        }
    }

    const fn share(&mut self, is_quiet: bool) -> &mut Share {
        if is_quiet {
            &mut self.quiet
        } else {
            &mut self.noisy
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! How the next instance is chosen, and the settings of that.
//!
//! [`LoadBalancing`] is the whole setting, for all services or for one:
//!
//! ```
//! use msf_core::name::ServiceName;
//! use msf_registry::{Balance, LoadBalancing, Registry, backend::memory::MemoryRegistry};
//!
//! let registry = Registry::builder(MemoryRegistry::new())
//!     .load_balancing(LoadBalancing::default().zone("a"))
//!     .load_balancing_of(ServiceName::new("cache")?, LoadBalancing::new(Balance::Maglev))
//!     .build()?;
//! # drop(registry);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Balance`] is the policy in it:
//!
//! | policy | chooses | for |
//! |---|---|---|
//! | [`Balance::PeakEwma`] | the better of two drawn at random, by latency × calls in flight | almost everything |
//! | [`Balance::LeastRequest`] | the better of two drawn at random, by calls in flight | callees whose quick answers are no good sign |
//! | [`Balance::RoundRobin`] | each in turn, by weight | calls that all cost the same |
//! | [`Balance::Random`] | at random, by weight | very many callers, each with few calls |
//! | [`Balance::Maglev`] | by the [hash](crate::PickContext::hash) of the call, from a table | caches and sessions |
//! | [`Balance::RingHash`] | by the hash of the call, from a ring | as Maglev, where others use a ring too |
//! | [`Balance::Rendezvous`] | by the hash of the call, the highest score of all | as Maglev, with few instances |
//!
//! # Peak EWMA
//!
//! Each instance has an estimate of its latency: an exponentially weighted moving average that jumps
//! up to a slower answer at once and comes down with a time constant of 10 s (the "peak EWMA" of
//! Twitter's Finagle). The score is `estimate × (calls in flight × mean weight ÷ weight + 1)`; of two
//! instances drawn at random, by weight, the lower score is taken ("power of two choices", Mitzenmacher 2001),
//! which avoids the herd that always choosing the best one makes.
//!
//! - A **failure** counts as an answer that took 5 s, or as long as the callee asked to be left alone
//!   (at most 300 s): an instance that fails fast must not look fast.
//! - An instance that **throttles** its callers (429) counts as one that took 1 s, or as long as it asked to
//!   be left alone: else the estimate of one that only refuses would fade to nothing, and it would be picked first.
//! - An instance **without an estimate** is tried once (by each core: cores know of each other's calls within some 4 ms);
//!   until that call is answered it counts as taking 1 s, so that a new instance is neither starved nor flooded. If the
//!   call is given up before that, another one tries it a second later.
//! - An estimate **fades** while nothing is heard, also with the 10 s, so that an instance that was slow or failed is tried
//!   again. For its calls in flight it does not: that one call finds out, and the others do not follow it.
//! - A call that was **dropped** without an outcome can only raise the estimate, to the time that was
//!   spent on it.
//! - The estimate belongs to the instance, by id and address: it survives every change of the list.
//!   One that is listed as healthy again after it was unhealthy starts anew.
//!
//! # Who may be picked
//!
//! A policy picks from those that [routing](crate::routing) leaves: by status, checks, ejection, priority and zone. When
//! too few of the instances work, the checks are more likely wrong than so many instances are dead, and all are picked
//! from ("panic", below the [threshold](LoadBalancing::panic_threshold)).

mod bounded;
mod ewma;
pub mod hash;
mod keyed;
mod load_balancing;
mod maglev;
mod p2c;
mod rendezvous;
mod ring;
mod round_robin;
#[cfg(test)]
mod simulation;
mod slow_start;
mod sticky;
mod subset;
mod zone;

pub use self::{
    bounded::bound,
    load_balancing::{InvalidLoadBalancing, LoadBalancing},
    maglev::Maglev,
    rendezvous::Rendezvous,
    ring::{Ring, RingHash},
    slow_start::SlowStart,
    sticky::{InvalidSticky, Sticky},
    subset::Subset,
    zone::ZoneAware,
};
pub(crate) use self::{
    ewma::{Cost, Outcome},
    p2c::{pair, scale},
    round_robin::turns,
};

/// A policy for choosing the next instance. See the [module documentation](self).
///
/// ```
/// use msf_registry::Balance;
///
/// assert_eq!(Balance::default(), Balance::PeakEwma);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Balance {
    /// The better of two drawn at random, by latency and calls in flight.
    #[default]
    PeakEwma,
    /// The better of two drawn at random, by calls in flight.
    LeastRequest,
    /// Each in turn, by weight.
    RoundRobin,
    /// One at random, by weight.
    Random,
    /// By the hash of the call, from a ring: few calls move when an instance comes or goes.
    RingHash,
    /// By the hash of the call, from a table: quicker than the ring and more even, and a few more calls move.
    Maglev,
    /// By the hash of the call, the instance with the highest score: exact, and it looks at every instance.
    Rendezvous,
}

impl Balance {
    /// Whether it goes by the [hash](crate::PickContext::hash) of the call.
    #[inline]
    #[must_use]
    pub const fn is_hashing(self) -> bool {
        matches!(self, Self::RingHash | Self::Maglev | Self::Rendezvous)
    }

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PeakEwma => "peak_ewma",
            Self::LeastRequest => "least_request",
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
            Self::RingHash => "ring_hash",
            Self::Maglev => "maglev",
            Self::Rendezvous => "rendezvous",
        }
    }
}

/// The first allowed of `hosts` places, from one on that the hash decides.
///
/// What is left when the walk along a ring or a table has met nobody: hardly ever, so it need not be consistent.
#[cold]
fn scan(hash: u64, hosts: usize, mut is_allowed: impl FnMut(usize) -> bool) -> Option<usize> {
    let first = usize::try_from(hash % hosts.max(1) as u64).unwrap_or_default();
    (0..hosts)
        .map(|n| (first + n) % hosts)
        .find(|place| is_allowed(*place))
}

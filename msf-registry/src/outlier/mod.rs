//! Instances whose calls fail are left alone for a while: *outlier ejection*, the passive side of health.
//!
//! Every outcome that a [`Picked`](crate::Picked) records is counted. An instance is ejected when
//!
//! - 5 calls to it failed in a row, or
//! - fewer than 0.8 times as many of its calls succeeded as of its peers' did, over the last 10 s and at least 20 calls.
//!
//! It is not called for 10 s, then 20 s, 30 s and so on up to 300 s, each drawn up to 20 % longer so that not all
//! callers come back at once. Then *one* call finds out: if it succeeds, the instance is back, and starts slowly; if
//! it fails, the next ejection begins. Every 10 s without trouble forget one ejection. An active check
//! that passes ends the wait and not the proof: the one call is sent at once.
//!
//! At most half of the instances are ejected, of two at most one, and the last never. Instances that are not called
//! for other reasons (drained, ill by their checks) do not count as others to call.
//!
//! ```
//! use std::time::Duration;
//! use msf_registry::{Balance, LoadBalancing, Outliers, Registry, backend::memory::MemoryRegistry};
//!
//! let registry = Registry::builder(MemoryRegistry::new())
//!     .load_balancing(
//!         LoadBalancing::new(Balance::PeakEwma)
//!             .outliers(Outliers::default().consecutive(3).base(Duration::from_secs(5))),
//!     )
//!     .build()?;
//! # drop(registry);
//! # Ok::<(), msf_registry::InvalidRegistry>(())
//! ```
//!
//! # Cost
//!
//! A call that succeeds reads two words that nobody writes, and counts on the line of its own core. Nothing runs in
//! the background while no call fails.
//!
//! # Metrics
//!
//! `msf_outlier_ejections_total{service,reason}` and `msf_outlier_ejected{service}`.

mod book;
mod cell;
mod detector;
mod metrics;
mod passive;
mod settings;
mod sweep;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use self::{
    cell::{Cell, Signal, Successes},
    detector::{Detector, Watched},
    metrics::{EJECTED, EJECTIONS, Ejections},
    sweep::Change,
};
pub use self::{
    passive::Observed,
    settings::{InvalidOutliers, Outliers},
};

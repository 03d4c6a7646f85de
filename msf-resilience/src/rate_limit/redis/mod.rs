//! Limits that all instances share, counted in Redis.
//!
//! [`RedisStore`] is a [`LimitStore`](super::store::LimitStore): one script decides all limits of a call in one round
//! trip, by the clock of the server, with the arithmetic of the limiter in memory and nothing rounded.
//!
//! ```no_run
//! use msf_resilience::rate_limit::{Quota, redis::{OnFailure, RedisStore}, store::{Demand, LimitStore}};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::builder("redis://10.0.0.5:6379/0")
//!     .on_failure(OnFailure::share_of(3))
//!     .build()?;
//! let verdict = store
//!     .decide(&[
//!         Demand::new("login:minute:ada", Quota::per_minute(5), 1),
//!         Demand::new("login:day:ada", Quota::per_hour(20), 1),
//!     ])
//!     .await?;
//! assert!(verdict.allowed);
//! # Ok(())
//! # }
//! ```
//!
//! # In Redis
//!
//! Each limit of each key is one string, `prefix:{tag}:key`, with the theoretical arrival time in microseconds. It
//! expires when it says what no key says, so nothing has to be cleaned up. The script checks all limits of a call and
//! then writes all or none.
//!
//! All keys of a call have the tag of its **first** key, so that in a cluster they are in one slot; give the limits
//! of a call always in the same order, refunds too. This store speaks to one server: a single one, the primary behind a
//! name, or a proxy that routes by slot. It does not follow a cluster's redirections. After a failover to a replica that
//! lags, what the last moments charged is forgotten. Should the server's clock be set back, nobody waits longer than the
//! whole burst takes.
//!
//! It needs Redis 5 or newer, or Valkey, and the commands `EVALSHA`, `EVAL`, `TIME`, `GET`, `SET` and `DEL`. A script
//! that the server does not know (a new server, `SCRIPT FLUSH`) is sent again with the call. For `rediss://` enable a TLS
//! feature of the crate `redis`.
//!
//! # When Redis is not there
//!
//! | setting | default | why |
//! |---|---|---|
//! | [`timeout`](RedisStoreBuilder::timeout) | 20 ms | an answer within a data centre takes less than 1 ms, and a request should not wait longer for being counted than for being served |
//! | [`connect_timeout`](RedisStoreBuilder::connect_timeout) | 1 s | calls do not wait for it, see above |
//! | [`on_failure`](RedisStoreBuilder::on_failure) | the quota, in memory | a limit that is too generous is better than none, and than an outage |
//! | breaker | 50 % of at least 10 calls within 1 s; open for 0.5 s to 5 s | while Redis hangs, nobody pays the timeout for longer |
//!
//! A connection on which nobody got an answer while a call timed out is given up, and so is one that leads to a
//! server which is no primary any more. The next call connects again. What timed out may have been charged:
//! such a call counts in Redis although it was decided here. That errs on the strict side.
//!
//! A key in Redis that is not ours (another type, another value) fails alone, and the breaker does not count it.
//!
//! # Refusals are remembered
//!
//! Who was refused and asks again is refused here until there could be room, for at most
//! [`deny_for`](RedisStoreBuilder::deny_for) (1 s): a caller in a loop costs Redis one call per second and
//! instance. So a refund of another instance, or a higher quota there, is seen up to a second late. At most
//! [`deny_places`](RedisStoreBuilder::deny_places) refusals are remembered; calls with more than four limits are not.
//!
//! # Cancel safety
//!
//! Dropping a decision at any time leaves all its limits charged or none. The attempt to connect that it began goes on
//! for the others.
//!
//! # Metrics
//!
//! `msf_ratelimit_redis_calls_total` and `msf_ratelimit_redis_seconds`, and those of the breaker
//! `redis:<name>`, if [`metrics`](RedisStoreBuilder::metrics) is given.

mod builder;
mod deny;
mod error;
mod failure;
mod link;
mod local;
pub(crate) mod metrics;
mod script;
mod store;
#[cfg(test)]
mod tests;

pub use self::{
    builder::RedisStoreBuilder, error::InvalidRedisStore, failure::OnFailure, store::RedisStore,
};

//! Limits that all instances share, counted in Redis.
//!
//! [`RedisStore`] is a [`LimitStore`](super::store::LimitStore): one script decides all limits of a call in one round
//! trip, by the clock of the server, with the arithmetic of the limiter in memory and nothing rounded.
//!
//! ```no_run
//! use msf_resilience::rate_limit::{Quota, redis::{Fallback, RedisStore}, shared::SharedRateLimiter};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::builder("redis://10.0.0.5:6379/0")
//!     .fallback(Fallback::share_of(3))
//!     .build()?;
//! let limiter = SharedRateLimiter::builder(store, Quota::per_second(10))
//!     .name("api")
//!     .limit("api-hour", Quota::per_hour(1_000))
//!     .build()?;
//! let allowed = limiter.check("ada").await?;
//! println!("{} more", allowed.remaining());
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
//! | [`fallback`](RedisStoreBuilder::fallback) | the quota, in memory | a limit that is too generous is better than none, and than an outage |
//! | breaker | 5 failures in a row, or half of at least 10 calls within 1 s; open for 0.5 s to 5 s; no ramp | while Redis hangs, nobody pays the timeout for longer |
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
mod fallback;
mod link;
mod local;
mod metrics;
mod script;
mod store;
#[cfg(test)]
mod tests;

pub use self::{
    builder::RedisStoreBuilder, error::InvalidRedisStore, fallback::Fallback, store::RedisStore,
};

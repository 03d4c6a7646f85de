//! A rate limit per key, exact to the nanosecond.

mod answering;
mod builder;
mod decision;
mod error;
mod future;
mod layer;
mod limiter;
pub(crate) mod metrics;
mod policy;
mod quota;
mod service;
mod shard;
#[cfg(test)]
mod tests;

pub use self::{
    answering::{AnsweringFuture, AnsweringRateLimitLayer, AnsweringRateLimitService},
    builder::{DEFAULT_MAX_KEYS, RateLimiterBuilder},
    decision::{Allowed, Limited, RATE_LIMIT, RATE_LIMIT_POLICY},
    error::{Error, InvalidRateLimiter},
    future::ResponseFuture,
    layer::RateLimitLayer,
    limiter::RateLimiter,
    quota::Quota,
    service::RateLimitService,
};

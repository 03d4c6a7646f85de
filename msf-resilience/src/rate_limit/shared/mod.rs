//! Limits that several processes share, through a [`LimitStore`](super::store::LimitStore).
//!
//! A [`SharedRateLimiter`] asks the store in every call, so it costs a round trip; it decides all its limits in that one. Its
//! answers are those of a [`RateLimiter`](super::RateLimiter): the same figures, fields and problem.
//!
//! # When the store fails
//!
//! [`OnFailure`] decides for the layer: the request passes without a limit, or it is refused with
//! `unavailable`. A store may know something better, such as a share of the limit that it counts alone.
//!
//! # Cancel safety
//!
//! Dropping a future of it may leave the request counted or not, in all of its limits alike.

mod answering;
mod builder;
mod error;
mod layer;
mod limiter;
mod service;

pub use self::{
    answering::{AnsweringFuture, AnsweringSharedLayer, AnsweringSharedService},
    builder::SharedRateLimiterBuilder,
    error::{Error, SharedError},
    layer::{OnFailure, SharedRateLimitLayer},
    limiter::SharedRateLimiter,
    service::{ResponseFuture, SharedRateLimitService},
};

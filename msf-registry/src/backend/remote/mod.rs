//! What backends that are servers of somebody else share: where they are, and one bounded exchange.

mod exchange;
mod limits;
#[cfg(feature = "etcd")]
mod lines;
mod url;

#[cfg(feature = "etcd")]
pub(super) use self::lines::{Lines, NextLine};
pub(super) use self::{
    exchange::{Answer, parse, send, within},
    limits::{InvalidLimit, Limits},
    url::base_of,
};

//! What backends that are servers reached over HTTP share: where they are, how long they are waited for, and one
//! bounded exchange.

mod exchange;
mod limits;
#[cfg(feature = "etcd")]
mod lines;
mod url;

#[cfg(feature = "etcd")]
pub(super) use self::{
    exchange::send,
    lines::{Lines, NextLine},
};
pub(super) use self::{
    exchange::{Answer, client, excerpt, parse, to_json, within},
    limits::{InvalidLimit, Limits, limit_setters, spread},
    url::base_of,
};

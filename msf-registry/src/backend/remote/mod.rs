//! What backends that are servers of somebody else share: where they are, and one bounded exchange.

mod exchange;
mod limits;
mod url;

pub(super) use self::{
    exchange::{Answer, Lines, NextLine, parse, send, within},
    limits::{InvalidLimit, Limits},
    url::base_of,
};

//! The `baggage` header (W3C Baggage §3).

mod grammar;
mod list;
mod member;
mod percent;

pub use self::{
    list::{Baggage, InvalidBaggage},
    member::BaggageMember,
};

#[cfg(test)]
mod tests;

//! Keeps the instances of this process registered until they are told to end.
//!
//! [`ledger`] knows what is due and is told what came of it; [`driver`] asks the registry; [`leases`] is what
//! handles hold. One driver serves all registrations of a [`Registry`](crate::Registry), so that what is due together
//! is renewed by one call.

mod driver;
mod entry;
mod leases;
mod ledger;
#[cfg(test)]
mod tests;

pub(crate) use self::leases::{Leases, Limits, Seat};

//! How often somebody may try to log in.
//!
//! A [`LoginLimiter`] counts failures at three levels: for each account, for each network, and for all together. After
//! five failures an account takes the next attempt a second later, then two, four and so on, up to 15 minutes and never
//! longer: whoever guesses for an account must not be able to take it away from its owner.
//!
//! ```
//! use msf_auth::login::{Attempt, LimitedBy, LoginLimiter};
//!
//! let limiter = LoginLimiter::builder().build()?;
//! let attempt = Attempt::new("ada@example.com").subject("7");
//! for _ in 0..5 {
//!     limiter.admit(attempt)?.failed();
//! }
//! let limited = limiter.admit(attempt).unwrap_err();
//! assert_eq!(limited.by, LimitedBy::Account);
//! assert!(limited.retry_after.as_millis() <= 1_000);
//! # Ok::<(), msf_core::BoxError>(())
//! ```
//!
//! With the feature `password`, `Logins` put it in front of [`Passwords`](crate::password) as it should be: what is locked
//! is answered like a wrong password, after the time of one.
//!
//! # What is counted
//!
//! | counter | holds | after |
//! |---|---|---|
//! | the account, from one known device | that device | 5 failures, then a delay that doubles |
//! | the account, from one network | devices of that network that are not known | the same |
//! | the account, from everywhere | all devices that are not known | 20 failures, then the same delay |
//! | the network | everybody in it | 100 at once, then 10 a minute |
//! | all, from places that failed less than five times in a day | devices that are not known | 1 000 at once, then 10 a second |
//! | all others | the same, and none of the row above | the same |
//!
//! A device is known when it shows what it was [given](LoginLimiter::device) at an earlier login. Guesses from elsewhere do
//! not hold it, so the owner of an account that is attacked still gets in. A success forgets the failures of its device
//! alone: who guesses does not profit from the owner's logins.
//!
//! An attempt is charged before it is made, and a success gives it back. A hundred at once are therefore not more than a
//! hundred one after the other, and who hangs up before the answer has guessed all the same.
//!
//! # What somebody can take from others
//!
//! The last two rows bound what a flood may cost in hashes, and who makes the flood is in the last: a place (an IPv4
//! address, or the first 48 bits of an IPv6 address) has five failures in a day before its new devices wait with all that
//! fail. So a hundred addresses keep out new devices of their own and of those who failed as often, and nobody else's.
//!
//! What remains: who has two hundred places to begin with, and two more for each second, keeps new devices of everybody
//! waiting; more places than there are [counters](LoginLimits::networks_max) can be used again and again, since it is
//! forgotten that they failed. Who fails twenty times for one account keeps new devices of its owner waiting, up to 15
//! minutes at a time. Devices that are known wait for neither, so give every device its cookie.
//!
//! # Memory
//!
//! The number of counters is bounded. When they are full, the one with the fewest failures goes, and among those the
//! oldest: a flood of names that nobody has pushes out its own kind, and a lock only goes when there are as many worse
//! ones. To make so many takes longer, by the limit for all together, than to wait until the lock ends.
//!
//! Counters live in one process. Behind several instances of a service the limits are multiplied by their number, and a
//! restart forgets them.
//!
//! # When it is the wrong tool
//!
//! For the rate of requests in general, see the rate limiter of `msf-resilience`. For keys of 128 random bits, such as
//! [API keys](crate::api_key), nobody has to count.

mod admission;
mod attempt;
mod bounded;
mod buckets;
mod counters;
mod device;
mod ledger;
mod limiter;
mod limits;
#[cfg(feature = "password")]
mod logins;
mod metrics;
#[cfg(test)]
mod tests;

#[cfg(feature = "password")]
pub use self::logins::{LoggedIn, LoginError, Logins};
pub(crate) use self::metrics::LOGINS;
pub use self::{
    admission::Admission,
    attempt::Attempt,
    ledger::LimitedBy,
    limiter::{LoginLimited, LoginLimiter, LoginLimiterBuilder},
    limits::{InvalidLoginLimits, LoginLimits},
};

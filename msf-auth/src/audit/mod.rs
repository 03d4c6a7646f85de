//! Who did what, for people and for alarms.
//!
//! Everything in this crate that decides about somebody tells an [`Audit`]: tokens that were refused, policies that
//! said no, logins, keys that changed, a refresh token that came back. An [`Event`] has a [`Kind`] and the names of
//! those concerned, and no secret: no token, no password, no key. By default events go to the log, at target
//! `msf_auth::audit`.
//!
//! ```
//! use msf_auth::audit::{Audit, Event, Kind, MemorySink};
//!
//! let seen = MemorySink::new(100);
//! let audit = Audit::new(seen.clone());
//! audit.record(&Event::new(Kind::RefreshReused).subject("7").session("s1"));
//!
//! let events = seen.events();
//! assert_eq!(events[0].kind(), Kind::RefreshReused);
//! assert_eq!(events[0].field("subject"), Some("7"));
//! ```
//!
//! # Sinks
//!
//! [`AuditSink::record`] is called where the event happens, also on the path of a request, so it must not wait: a sink
//! that writes to a network puts the event into a bounded queue and says what it does when that is full.

mod event;
mod kind;
mod memory;
mod sink;
#[cfg(test)]
mod tests;

pub use self::{
    event::Event,
    kind::{Kind, Severity},
    memory::{MemorySink, Recorded},
    sink::{Audit, AuditSink, LogSink},
};

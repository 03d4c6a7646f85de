//! Who may come from where: blocks of addresses that a route allows or denies.
//!
//! The address is the one that [`Forwarding`](crate::headers::forwarded::Forwarding) finds: the peer, or what a trusted
//! proxy said. What stands in `X-Forwarded-For` on anybody else's word counts for nothing.
//!
//! | rules | who passes |
//! |---|---|
//! | none | everybody |
//! | allowed blocks | who is in one of them |
//! | denied blocks | who is in none of them |
//! | both | who is in an allowed and in no denied one |
//!
//! A client whose address is not known passes no rule: not to know must not be a way around. The answer is 403 with the
//! code `forbidden`, and does not say which rule it was.

mod rules;

pub(crate) use self::rules::IpRules;

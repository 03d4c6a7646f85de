//! What the audit is told about a caller that may not.

use crate::{
    audit::{Event, Kind},
    principal::Principal,
};

/// That a known caller was refused, and why.
pub(crate) fn denied<'a>(caller: &'a Principal, reason: &'a str) -> Event<'a> {
    let mut event = Event::new(Kind::PolicyDenied)
        .subject(caller.subject())
        .issuer(caller.issuer())
        .reason(reason);
    if let Some(token_id) = caller.token_id() {
        event = event.token_id(token_id);
    }
    if let Some(client) = caller.client_id() {
        event = event.client(client);
    }
    if let Some(session) = caller.session_id() {
        event = event.session(session);
    }
    event
}

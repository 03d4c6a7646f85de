//! Whether an answer may go to others than the caller it was made for.

use http::{HeaderMap, Response, header};
use msf_core::problem::Code;

use super::key::varies_beyond;

/// What is done with the answer of a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Everybody,
    /// It is the leader's own; the others make their own calls.
    LeaderOnly,
    /// It says that the leader ran out of time or went away, which is nothing to the others: one of them calls again.
    Again,
}

impl Share {
    pub(super) fn of<B>(response: &Response<B>) -> Self {
        if let Some(Code::DeadlineExceeded | Code::Cancelled) = response.extensions().get() {
            return Self::Again;
        }
        let headers = response.headers();
        // What a limiter said of the leader need not hold for the others; and an event stream has no end to wait for.
        let is_limited = response.extensions().get() == Some(&Code::RateLimited);
        let is_private = is_limited || is_event_stream(headers) || headers.contains_key(header::SET_COOKIE)
            || says(headers, "private")
            // Every error of msf says `no-store`. Sharing it is what keeps a failing service from being asked by everybody.
            || says(headers, "no-store") && !response.status().is_server_error()
            || varies_beyond(headers);
        if is_private {
            Self::LeaderOnly
        } else {
            Self::Everybody
        }
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let prefix = value.and_then(|value| value.as_bytes().get(..EVENT_STREAM.len()));
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(EVENT_STREAM))
}

fn says(headers: &HeaderMap, directive: &str) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).into_iter();
    values.into_iter().any(|value| match value.to_str() {
        Ok(text) => text.split(',').any(|part| {
            let name = part.split('=').next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case(directive)
        }),
        // What cannot be read may say anything.
        Err(_) => true,
    })
}

const EVENT_STREAM: &[u8] = b"text/event-stream";

//! Label values of a request, small enough to compare as one integer.

use http::{Method, StatusCode};

use crate::problem::Code;

/// How many values `http_request_method` can have.
pub(super) const METHODS: usize = METHOD_LABELS.len();

/// The methods of RFC 9110 and RFC 5789, and one word for whatever else callers invent.
pub(super) const METHOD_LABELS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "_OTHER",
];

/// An index into [`METHOD_LABELS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MethodLabel(u8);

impl MethodLabel {
    pub(super) fn of(method: &Method) -> Self {
        Self(match *method {
            Method::GET => 0,
            Method::HEAD => 1,
            Method::POST => 2,
            Method::PUT => 3,
            Method::DELETE => 4,
            Method::CONNECT => 5,
            Method::OPTIONS => 6,
            Method::TRACE => 7,
            Method::PATCH => 8,
            _ => 9,
        })
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    pub(super) fn as_str(self) -> &'static str {
        METHOD_LABELS[self.index()]
    }
}

/// How a request ended, before its status is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The whole response was handed over.
    Complete = 0,
    /// The caller went away first.
    Cancelled = 1,
    /// The response body failed.
    Body = 2,
    /// The service or its body panicked.
    Panic = 3,
    /// The service failed instead of answering.
    Error = 4,
}

/// Everything but the route that tells one duration series from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labels {
    pub(super) method: MethodLabel,
    pub(super) status: Option<StatusCode>,
    /// Which problem was the answer, if one was.
    pub(super) code: Option<Code>,
    pub(super) end: End,
}

impl Labels {
    /// Equal for two requests exactly if they belong to the same series of a route.
    pub(super) fn key(self) -> u32 {
        let status = self.status.map_or(0, |status| u32::from(status.as_u16()));
        let code = self.code.map_or(0, |code| code as u32 + 1);
        // An error answer hides how the request ended, so it must not make a second series.
        let end = if self.code.is_some() || self.server_error() {
            End::Complete
        } else {
            self.end
        };
        code << 24 | u32::from(self.method.0) << 16 | status << 4 | end as u32
    }

    pub(super) fn status(&self) -> &str {
        self.status.as_ref().map_or("", StatusCode::as_str)
    }

    pub(super) fn error_type(&self) -> &str {
        if let Some(code) = self.code {
            return code.as_str();
        }
        if self.server_error() {
            return self.status();
        }
        match self.end {
            End::Complete => "",
            End::Cancelled => "cancelled",
            End::Body => "body",
            End::Panic => "panic",
            End::Error => "_OTHER",
        }
    }

    fn server_error(&self) -> bool {
        self.status.is_some_and(|status| status.is_server_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(status: u16, end: End) -> Labels {
        Labels {
            method: MethodLabel::of(&Method::PATCH),
            status: StatusCode::from_u16(status).ok(),
            code: None,
            end,
        }
    }

    #[test]
    fn a_problem_is_named_by_its_code() {
        let mut open = labels(503, End::Complete);
        open.code = Some(Code::BreakerOpen);
        let mut full = open;
        full.code = Some(Code::BulkheadFull);
        assert_eq!(open.error_type(), "breaker_open");
        assert_ne!(open.key(), full.key());
    }

    #[test]
    fn every_known_method_is_its_own_label() {
        for name in METHOD_LABELS {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(MethodLabel::of(&method).as_str(), name);
        }
        let invented = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(MethodLabel::of(&invented).as_str(), "_OTHER");
        // Methods are case-sensitive (RFC 9110 section 9.1).
        let lower = Method::from_bytes(b"get").unwrap();
        assert_eq!(MethodLabel::of(&lower).as_str(), "_OTHER");
    }

    #[test]
    fn a_5xx_status_wins_over_the_way_it_ended() {
        let cancelled = labels(503, End::Cancelled);
        assert_eq!(cancelled.error_type(), "503");
        assert_eq!(cancelled.key(), labels(503, End::Complete).key());
    }

    #[test]
    fn keys_tell_status_and_end_apart() {
        assert_ne!(
            labels(200, End::Complete).key(),
            labels(201, End::Complete).key()
        );
        assert_ne!(
            labels(200, End::Complete).key(),
            labels(200, End::Body).key()
        );
    }
}

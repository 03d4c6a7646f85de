//! The status of a span, by the OpenTelemetry HTTP conventions.

use opentelemetry::trace::{SpanKind, Status};

use super::attributes::Attributes;

/// What a finished span says about its outcome.
///
/// A status set by hand wins. A server answered a 4xx as it should: only its client failed. A
/// status that an HTTP code explains has no description.
pub(super) fn of(kind: &SpanKind, fields: &mut Attributes) -> Status {
    if let Some(status) = fields.status.take() {
        return match (status, fields.status_description.take()) {
            (Status::Error { .. }, Some(description)) => Status::error(description),
            (status, _) => status,
        };
    }
    match (fields.http_status, fields.error_type.take()) {
        (Some(500..), _) => Status::error(""),
        (Some(400..), _) if *kind == SpanKind::Server => Status::Unset,
        (Some(400..), _) => Status::error(""),
        // A body that broke off, a time-out, a refused connection.
        (_, Some(error)) => Status::error(error),
        (_, None) => Status::Unset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(kind: &SpanKind, http_status: Option<i64>, error_type: Option<&str>) -> Status {
        let mut fields = Attributes {
            http_status,
            error_type: error_type.map(str::to_owned),
            ..Attributes::default()
        };
        of(kind, &mut fields)
    }

    #[test]
    fn follows_the_http_conventions() {
        use SpanKind::{Client, Internal, Server};
        let table = [
            (Server, Some(200), None, Status::Unset),
            (Server, Some(404), None, Status::Unset),
            (Server, Some(429), Some("rate_limited"), Status::Unset),
            (Server, Some(503), Some("breaker_open"), Status::error("")),
            (Server, None, None, Status::Unset),
            (Client, Some(404), None, Status::error("")),
            (
                Client,
                None,
                Some("connect_refused"),
                Status::error("connect_refused"),
            ),
            (Server, Some(200), Some("timeout"), Status::error("timeout")),
            (Internal, None, Some("oops"), Status::error("oops")),
        ];
        for (kind, code, error, expected) in table {
            let label = format!("{kind:?} {code:?} {error:?}");
            assert_eq!(status(&kind, code, error), expected, "{label}");
        }
    }

    #[test]
    fn a_status_set_by_hand_wins() {
        let mut fields = Attributes {
            http_status: Some(500),
            status: Some(Status::Ok),
            ..Attributes::default()
        };
        assert_eq!(of(&SpanKind::Server, &mut fields), Status::Ok);
    }
}

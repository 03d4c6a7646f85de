//! From the errors of a call to the table.

use msf_client::{Error, transport::TransportError};
use msf_core::problem::Code;

use super::ProxyError;

impl ProxyError {
    /// What a failed call is, whose problem has this code.
    pub(crate) fn of_call(error: &Error, code: Code) -> Self {
        let (Error::Connect { source, .. } | Error::Transport { source, .. }) = error else {
            return Self::of(code);
        };
        match (source, code) {
            (TransportError::RequestBody { .. }, Code::BadRequest) => Self::BodyBrokeOff,
            (
                TransportError::QueueFull { .. } | TransportError::QueueTimeout { .. },
                Code::Overloaded,
            ) => Self::QueueFull,
            (TransportError::Refused { .. }, Code::Unavailable) => Self::Refused,
            _ => Self::of(code),
        }
    }
}

impl From<&Error> for ProxyError {
    fn from(error: &Error) -> Self {
        Self::of_call(error, error.to_problem().code())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use msf_core::{BoxError, name::ServiceName, problem::Problem};

    use super::*;

    fn failed(source: TransportError) -> ProxyError {
        let service = ServiceName::new("order").unwrap();
        ProxyError::from(&Error::Transport { service, source })
    }

    fn body(error: impl Into<BoxError>) -> ProxyError {
        failed(TransportError::RequestBody {
            source: error.into(),
        })
    }

    #[test]
    fn who_broke_off_is_told_apart() {
        let addr = ([10, 0, 0, 1], 80).into();
        let io = || io::Error::other("gone");
        let source = || io().into();
        assert_eq!(body(io()), ProxyError::BodyBrokeOff);
        assert_eq!(
            body(Problem::new(Code::RequestTimeout)),
            ProxyError::TooSlow
        );
        assert_eq!(
            body(Problem::new(Code::PayloadTooLarge)),
            ProxyError::TooLarge
        );
        let reset = TransportError::Reset {
            addr,
            source: source(),
        };
        assert_eq!(failed(reset), ProxyError::UpstreamReset);
        let protocol = TransportError::Protocol {
            addr,
            source: source(),
        };
        assert_eq!(failed(protocol), ProxyError::BadAnswer);
        let amid = TransportError::Body { source: source() };
        assert_eq!(failed(amid), ProxyError::UpstreamReset);
        let full = TransportError::QueueFull { addr, limit: 1 };
        assert_eq!(failed(full), ProxyError::QueueFull);
    }
}

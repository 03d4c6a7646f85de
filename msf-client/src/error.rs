//! Why a call failed, and what that means for whoever asked.

use std::{error::Error as StdError, fmt::Write, time::Duration};

use http::StatusCode;
use http_body_util::LengthLimitError;
use msf_auth::BearerError;
use msf_core::{
    BoxError,
    name::ServiceName,
    problem::{Code, Problem, Received},
};
use msf_registry::NoEndpoints;
use msf_resilience::{budget::BudgetExhausted, circuit_breaker::CircuitOpen};

use crate::transport::TransportError;

/// Why a call failed.
///
/// Two questions are asked of it: may the call be made again ([`is_unsent`](Self::is_unsent)), and what
/// does the caller's own caller get to know ([`to_problem`](Self::to_problem)).
///
/// ```
/// use msf_client::{Client, Error};
/// use msf_core::problem::Code;
/// use msf_registry::{Registry, backend::memory::MemoryRegistry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
/// let error = client.service("payment")?.get("/").send().await.unwrap_err();
/// assert!(matches!(error, Error::NoEndpoints(_)));
/// assert!(error.is_unsent());
/// assert_eq!(error.to_problem().code(), Code::NoHealthyEndpoint);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service has no instance.
    #[error(transparent)]
    NoEndpoints(#[from] NoEndpoints),
    /// The breaker of the service is open.
    #[error(transparent)]
    CircuitOpen(#[from] CircuitOpen),
    /// The call failed, and the retries' budget is used up. Only of retries that are to
    /// [refuse](msf_resilience::retry::Exhausted::Refuse) then; others give the last outcome.
    #[error(transparent)]
    BudgetExhausted(#[from] BudgetExhausted),
    /// No instance took the request; the last one's failure is the source.
    #[error("no connection to `{service}`")]
    Connect {
        /// The callee.
        service: ServiceName,
        /// What the last instance did.
        source: TransportError,
    },
    /// The client's own timeout passed.
    #[error("`{service}` did not answer within {timeout:?}")]
    Timeout {
        /// The callee.
        service: ServiceName,
        /// How long the call was allowed to take.
        timeout: Duration,
        /// Whether certainly nothing was sent.
        is_unsent: bool,
    },
    /// The deadline of the request passed, which was shorter than the client's timeout.
    #[error("the deadline passed before `{service}` had answered")]
    DeadlineExceeded {
        /// The callee.
        service: ServiceName,
        /// Whether certainly nothing was sent.
        is_unsent: bool,
    },
    /// The request or its answer broke off.
    #[error("the call of `{service}` failed")]
    Transport {
        /// The callee.
        service: ServiceName,
        /// How.
        source: TransportError,
    },
    /// The callee answered with an error status.
    #[error("`{service}` answered {status}{}", detail(received))]
    Problem {
        /// The callee.
        service: ServiceName,
        /// The status.
        status: StatusCode,
        /// What it said; nothing but the status' general code if it sent no problem.
        received: Box<Received>,
    },
    /// The body of the answer is not what the caller expects.
    #[error("the answer of `{service}` cannot be read")]
    Decode {
        /// The callee.
        service: ServiceName,
        /// Where it differs.
        source: serde_json::Error,
    },
    /// The body of the answer is not text in UTF-8.
    #[error("the answer of `{service}` is not UTF-8")]
    Text {
        /// The callee.
        service: ServiceName,
    },
    /// The body of the answer is larger than the caller allows.
    #[error("the answer of `{service}` is larger than {limit} bytes")]
    BodyTooLarge {
        /// The callee.
        service: ServiceName,
        /// The limit in bytes.
        limit: usize,
    },
    /// The request cannot be built.
    #[error("the request is invalid")]
    InvalidRequest {
        /// Why.
        source: BoxError,
    },
    /// There are no credentials to call with.
    #[error("there are no credentials to call with")]
    Credentials(#[source] BearerError),
}

impl Error {
    /// Whether certainly nothing of the request reached an instance, so that it may be sent again
    /// whatever it does.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        match self {
            Self::NoEndpoints(_)
            | Self::CircuitOpen(_)
            | Self::Connect { .. }
            | Self::InvalidRequest { .. }
            | Self::Credentials(_) => true,
            Self::Timeout { is_unsent, .. } | Self::DeadlineExceeded { is_unsent, .. } => {
                *is_unsent
            }
            Self::Transport { source, .. } => source.is_unsent(),
            Self::BudgetExhausted(_)
            | Self::Problem { .. }
            | Self::Decode { .. }
            | Self::Text { .. }
            | Self::BodyTooLarge { .. } => false,
        }
    }

    /// The status that the callee answered, if it answered one.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Problem { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The problem that the callee sent, if that is what it did.
    #[must_use]
    pub const fn received(&self) -> Option<&Received> {
        match self {
            Self::Problem { received, .. } => Some(received),
            _ => None,
        }
    }

    /// The code that the callee's problem has, if it sent one: what callers of one system decide by.
    ///
    /// ```
    /// # use msf_client::{Error, ServiceClient};
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
    /// use msf_core::problem::Code;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), msf_core::BoxError> {
    /// # let server = MockServer::start().await;
    /// # let problem = r#"{"code": "conflict", "detail": "sold out"}"#;
    /// # let problem = ResponseTemplate::new(409).set_body_raw(problem, "application/problem+json");
    /// # Mock::given(path("/reservations")).respond_with(problem).mount(&server).await;
    /// # let inventory = ServiceClient::at(&server.uri())?;
    /// let error = inventory.post("/reservations").send().await?.ok().await.unwrap_err();
    /// assert_eq!(error.code(), Some(Code::Conflict));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.received()?.code
    }

    /// What a gateway answers: 502, 503 or 504; or what the failed body of the request asks for.
    ///
    /// The text of the error goes to the log only.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let problem = match self {
            Self::NoEndpoints(error) => return error.clone().into(),
            Self::CircuitOpen(error) => return error.clone().into(),
            Self::BudgetExhausted(error) => return error.clone().into(),
            Self::Connect { source, .. } | Self::Transport { source, .. } => of_transport(source),
            Self::Timeout { .. } => Code::Timeout.into(),
            Self::DeadlineExceeded { .. } => Code::DeadlineExceeded.into(),
            Self::Problem { status, .. } => match *status {
                StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable.into(),
                StatusCode::GATEWAY_TIMEOUT => Code::Timeout.into(),
                _ => Code::BadGateway.into(),
            },
            Self::Decode { .. } | Self::Text { .. } | Self::BodyTooLarge { .. } => {
                Code::BadGateway.into()
            }
            Self::InvalidRequest { .. } | Self::Credentials(_) => Problem::new(Code::Internal),
        };
        problem.with_log_detail(chain(self))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        error.to_problem().with_source(error)
    }
}

fn of_transport(error: &TransportError) -> Problem {
    match error {
        TransportError::Connect { .. } | TransportError::Unsent { .. } => {
            Code::ConnectRefused.into()
        }
        TransportError::ConnectTimeout { .. } => Code::ConnectTimeout.into(),
        TransportError::QueueFull { .. } | TransportError::QueueTimeout { .. } => {
            Code::Overloaded.into()
        }
        TransportError::Refused { .. } => Code::Unavailable.into(),
        TransportError::InvalidRequest { .. } => Code::Internal.into(),
        TransportError::RequestBody { source } => of_request_body(source.as_ref()),
        TransportError::Reset { .. } | TransportError::Body { .. } => Code::UpstreamReset.into(),
        TransportError::Protocol { .. } => Code::BadGateway.into(),
        TransportError::BodyTimeout { .. } => Code::Timeout.into(),
    }
}

/// A body that came over the network fails with what its sender has to be told.
fn of_request_body(error: &(dyn StdError + 'static)) -> Problem {
    std::iter::successors(Some(error), |error| (*error).source())
        .take(CHAIN_LEN_MAX)
        .find_map(|error| {
            if let Some(problem) = error.downcast_ref::<Problem>() {
                let told = Problem::new(problem.code());
                return Some(match problem.detail() {
                    Some(detail) => told.with_detail(detail.to_owned()),
                    None => told,
                });
            }
            let is_too_large =
                error.is::<LengthLimitError>() || error.is::<Box<LengthLimitError>>();
            is_too_large.then(|| Code::PayloadTooLarge.into())
        })
        .unwrap_or_else(|| Problem::new(Code::BadRequest).with_detail("the request body broke off"))
}

/// The error and its causes in one line, for the log.
fn chain(error: &Error) -> String {
    let mut line = error.to_string();
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    for cause in causes.take(CHAIN_LEN_MAX) {
        // Writing to a String does not fail.
        let _ = write!(line, ": {cause}");
    }
    line
}

fn detail(received: &Received) -> String {
    match (received.code, &received.detail) {
        (Some(code), Some(detail)) => format!(" ({code}: {detail})"),
        (Some(code), None) => format!(" ({code})"),
        (None, _) => String::new(),
    }
}

const CHAIN_LEN_MAX: usize = 16;

const _: () = assert!(size_of::<Error>() <= 128, "an error must stay small");

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn service() -> ServiceName {
        ServiceName::new("payment").unwrap()
    }

    fn sent_body(error: impl Into<BoxError>) -> Problem {
        let source = TransportError::RequestBody {
            source: error.into(),
        };
        Error::Transport {
            service: service(),
            source,
        }
        .to_problem()
    }

    #[test]
    fn a_body_that_failed_says_what_its_sender_is_told() {
        let slow = Problem::new(Code::RequestTimeout)
            .with_detail("too slow")
            .with_log_detail("peer 10.0.0.9");
        let told = sent_body(slow);
        assert_eq!(told.code(), Code::RequestTimeout);
        assert_eq!(told.detail(), Some("too slow"));
        assert_eq!(sent_body(io::Error::other("gone")).code(), Code::BadRequest);
    }

    #[test]
    fn the_text_of_an_error_is_for_the_log() {
        let error = Error::Connect {
            service: service(),
            source: TransportError::Connect {
                addr: ([10, 0, 0, 7], 80).into(),
                source: io::Error::other("no route"),
            },
        };
        let problem = error.to_problem();
        assert_eq!(problem.status(), 502);
        assert_eq!(problem.detail(), None);
        let log = problem.log_detail().unwrap();
        assert_eq!(
            log,
            "no connection to `payment`: cannot connect to 10.0.0.7:80: no route"
        );
    }

    #[test]
    fn an_error_of_the_callee_is_a_bad_gateway_and_overload_stays_overload() {
        for (status, code) in [
            (500, Code::BadGateway),
            (404, Code::BadGateway),
            (503, Code::Unavailable),
            (504, Code::Timeout),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let received = Received::parse(status, b"{}").unwrap();
            let error = Error::Problem {
                service: service(),
                status,
                received: Box::new(received),
            };
            assert_eq!(error.to_problem().code(), code);
            assert!(!error.is_unsent());
        }
    }
}

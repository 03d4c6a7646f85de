//! The answer to a caller that may not pass.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use msf_core::problem::{Code, Problem};
use thiserror::Error;

use crate::verify::VerifyError;

/// Why a request was not let through, and what its caller is told.
///
/// The answer is a problem with a `WWW-Authenticate` challenge where RFC 6750 section 3 asks for one. Why a
/// token was refused is for the log: [`VerifyError::reason`] never reaches the caller.
///
/// ```
/// use bytes::Bytes;
/// use msf_auth::Refusal;
///
/// let response = Refusal::Forbidden { scope: Some("orders:read".into()) }.into_response::<Bytes>();
/// assert_eq!(response.status(), 403);
/// assert_eq!(
///     response.headers()["www-authenticate"],
///     r#"Bearer error="insufficient_scope", scope="orders:read""#
/// );
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No bearer token came: 401.
    #[error("no credentials")]
    NoCredentials,
    /// The `Authorization` header cannot be read, or there are several: 400.
    #[error("the Authorization header is malformed")]
    Malformed,
    /// The token is not valid (401), or its issuer's keys cannot be had (503).
    #[error(transparent)]
    Token(#[from] VerifyError),
    /// The caller is known and may not: 403.
    #[error("{}", match .scope { Some(scope) => format!("the scope `{scope}` is missing"), None => "not allowed".to_owned() })]
    Forbidden {
        /// The scope that would help.
        scope: Option<Box<str>>,
    },
    /// The caller may, once it has authenticated again or better: 401 with the challenge of RFC 9470.
    #[error("the caller has to authenticate again, or better")]
    #[non_exhaustive]
    StepUp {
        /// In this class of authentication.
        acr: Option<Box<str>>,
        /// No longer ago than this.
        max_age: Option<Duration>,
    },
    /// A decision that is needed could not be had: 503.
    #[error("a decision could not be had")]
    Undecided,
    /// The resource is another's, so for this caller there is none: 404.
    #[error("not the owner")]
    Hidden,
}

/// As for keys that cannot be had.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Refusal {
    /// The response for the caller, with its challenge.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let challenge = self.challenge();
        let mut response: Response<B> = Problem::from(self).into_response();
        if let Some(challenge) = challenge {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// The `WWW-Authenticate` header of the answer (RFC 6750 section 3).
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        match self {
            // Section 3.1: without credentials the challenge has no error code.
            Self::NoCredentials => Some(HeaderValue::from_static("Bearer")),
            Self::Malformed => Some(HeaderValue::from_static(
                r#"Bearer error="invalid_request""#,
            )),
            Self::Token(error) if error.is_unavailable() => None,
            Self::Token(_) => Some(HeaderValue::from_static(r#"Bearer error="invalid_token""#)),
            Self::Forbidden { scope } => Some(insufficient_scope(scope.as_deref())),
            Self::StepUp { acr, max_age } => Some(step_up(acr.as_deref(), *max_age)),
            Self::Undecided | Self::Hidden => None,
        }
    }
}

/// RFC 9470 section 3.
fn step_up(acr: Option<&str>, max_age: Option<Duration>) -> HeaderValue {
    let mut text = r#"Bearer error="insufficient_user_authentication""#.to_owned();
    // The rules for a scope keep quotes out, and a space, which would make two classes of one.
    if let Some(acr) = acr.filter(|acr| is_scope(acr)) {
        text.push_str(&format!(r#", acr_values="{acr}""#));
    }
    if let Some(max_age) = max_age {
        text.push_str(&format!(r#", max_age="{}""#, max_age.as_secs()));
    }
    HeaderValue::from_str(&text).unwrap_or_else(|_| {
        HeaderValue::from_static(r#"Bearer error="insufficient_user_authentication""#)
    })
}

fn insufficient_scope(scope: Option<&str>) -> HeaderValue {
    scope
        .filter(|scope| is_scope(scope))
        .and_then(|scope| {
            let text = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
            HeaderValue::from_str(&text).ok()
        })
        .unwrap_or_else(|| HeaderValue::from_static(r#"Bearer error="insufficient_scope""#))
}

/// `scope-token` of RFC 6749 section 3.3: it cannot break out of the quotes.
fn is_scope(scope: &str) -> bool {
    !scope.is_empty()
        && scope
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoCredentials => Self::new(Code::Unauthenticated),
            Refusal::Malformed => Self::new(Code::BadRequest)
                .with_detail("send one `Authorization: Bearer` header with one token"),
            Refusal::Token(error) => error.into(),
            Refusal::Forbidden { scope: Some(scope) } => {
                Self::new(Code::Forbidden).with_detail(format!("the scope `{scope}` is missing"))
            }
            Refusal::Forbidden { scope: None } => Self::new(Code::Forbidden),
            Refusal::StepUp { .. } => Self::new(Code::Unauthenticated)
                .with_detail("authenticate again, as the challenge says"),
            Refusal::Undecided => Self::new(Code::Unavailable).with_retry_after(RETRY_AFTER),
            Refusal::Hidden => Self::new(Code::NotFound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_scope_cannot_forge_the_challenge() {
        for scope in ["a\"b", "a\\b", "a\r\nb", "ä", ""] {
            let refusal = Refusal::Forbidden {
                scope: Some(scope.into()),
            };
            assert_eq!(
                refusal.challenge().unwrap(),
                r#"Bearer error="insufficient_scope""#
            );
        }
    }

    #[test]
    fn a_hidden_resource_looks_like_none() {
        let response = Refusal::Hidden.into_response::<Bytes>();
        assert_eq!(response.status(), 404);
        assert!(!response.headers().contains_key(header::WWW_AUTHENTICATE));
        assert!(!String::from_utf8_lossy(response.body()).contains("owner"));
    }
}

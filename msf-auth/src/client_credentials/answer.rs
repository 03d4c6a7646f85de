//! What a token endpoint answers (RFC 6749 sections 5.1 and 5.2): a pure function of status and body.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use msf_core::BoxError;
use serde::Deserialize;
use thiserror::Error;

use crate::{outbound::Answer, token::json::Strict};

/// A request for a token gave none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenRequestError {
    /// Nothing came back that could be read.
    #[error("the token endpoint could not be asked")]
    Exchange(#[source] BoxError),
    /// The server refused, with this code of RFC 6749 section 5.2; `invalid_client` means that the name or the secret
    /// is wrong.
    #[error("the token endpoint refused: {code}")]
    Refused {
        /// The code, cut to 64 characters.
        code: Box<str>,
    },
    /// The answer has a status that is none of this protocol.
    #[error("the token endpoint answered with {0}")]
    Status(StatusCode),
    /// The answer is no token that can be sent as a bearer token.
    #[error("the answer of the token endpoint cannot be used: {0}")]
    Protocol(&'static str),
}

/// A token and for how long it can be used.
pub(super) struct Granted {
    pub(super) header: HeaderValue,
    pub(super) life: Duration,
}

#[derive(Deserialize)]
struct Success {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// When the server does not say: short, since a token that has ended fails calls, and a renewal costs little.
const LIFE_UNSAID: Duration = Duration::from_secs(60);
/// Longer lives are not believed; the token is fetched again at least once a day.
const LIFE_MAX: Duration = Duration::from_secs(86_400);
/// Headers above this are refused by most servers.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
const CODE_CHARS_MAX: usize = 64;

pub(super) fn read(answer: &Answer) -> Result<Granted, TokenRequestError> {
    match answer.status {
        StatusCode::OK => success(&answer.body),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(refusal(answer.status, &answer.body))
        }
        status => Err(TokenRequestError::Status(status)),
    }
}

fn success(body: &[u8]) -> Result<Granted, TokenRequestError> {
    // No error of the parser is passed on: it could quote the token.
    let unreadable = |_| TokenRequestError::Protocol("it is no JSON of a token");
    let Strict(value) = serde_json::from_slice(body).map_err(unreadable)?;
    let success = Success::deserialize(value).map_err(unreadable)?;
    if !success.token_type.eq_ignore_ascii_case("Bearer") {
        return Err(TokenRequestError::Protocol("it is no bearer token"));
    }
    let token = success.access_token;
    if token.len() > TOKEN_BYTES_MAX || !crate::bearer::is_b64token(token.as_bytes()) {
        return Err(TokenRequestError::Protocol(
            "the token is not one of RFC 6750",
        ));
    }
    let life = success.expires_in.map_or(LIFE_UNSAID, Duration::from_secs);
    if life.is_zero() {
        return Err(TokenRequestError::Protocol("the token has ended already"));
    }
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| TokenRequestError::Protocol("the token is not one of RFC 6750"))?;
    header.set_sensitive(true);
    Ok(Granted {
        header,
        life: life.min(LIFE_MAX),
    })
}

/// Only the code is kept: descriptions are prose of the server's, which may quote what was sent.
fn refusal(status: StatusCode, body: &[u8]) -> TokenRequestError {
    let code = serde_json::from_slice::<Refusal>(body)
        .ok()
        .map(|refusal| refusal.error);
    match code.filter(|code| code.bytes().all(|b| b.is_ascii_graphic())) {
        Some(code) if !code.is_empty() => TokenRequestError::Refused {
            code: code.chars().take(CODE_CHARS_MAX).collect::<String>().into(),
        },
        _ => TokenRequestError::Status(status),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn answer(status: u16, body: &[u8]) -> Result<Granted, TokenRequestError> {
        read(&Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body),
        })
    }

    fn granted(body: &Value) -> Result<Granted, TokenRequestError> {
        answer(200, body.to_string().as_bytes())
    }

    #[test]
    fn a_token_comes_with_its_life() {
        let life_s = |expires_in: Value| {
            let body = json!({ "access_token": "a.b~c+/=", "token_type": "bearer", "expires_in": expires_in, "x": 1 });
            let granted = granted(&body).unwrap();
            assert_eq!(granted.header, "Bearer a.b~c+/=");
            assert!(granted.header.is_sensitive());
            granted.life.as_secs()
        };
        assert_eq!(life_s(json!(300)), 300);
        assert_eq!(life_s(Value::Null), 60);
        assert_eq!(life_s(json!(u64::MAX)), 86_400);
    }

    #[test]
    fn what_is_no_bearer_token_is_not_used() {
        for body in [
            json!({ "access_token": "a", "token_type": "DPoP", "expires_in": 300 }),
            json!({ "access_token": "a", "token_type": "mac" }),
            json!({ "access_token": "a" }),
            json!({ "token_type": "Bearer" }),
            json!({ "access_token": "", "token_type": "Bearer" }),
            json!({ "access_token": "a\r\nx: y", "token_type": "Bearer" }),
            json!({ "access_token": "a b", "token_type": "Bearer" }),
            json!({ "access_token": "a".repeat(16 * 1024 + 1), "token_type": "Bearer" }),
            json!({ "access_token": 7, "token_type": "Bearer" }),
            json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 0 }),
            json!({ "access_token": "a", "token_type": "Bearer", "expires_in": -1 }),
            json!({ "access_token": "a", "token_type": "Bearer", "expires_in": "300" }),
            json!([]),
        ] {
            let outcome = granted(&body);
            assert!(
                matches!(outcome, Err(TokenRequestError::Protocol(_))),
                "{body}"
            );
        }
        let twice = br#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#;
        assert!(answer(200, twice).is_err());
    }

    #[test]
    fn no_error_has_what_the_server_said_but_its_code() {
        let secret = "hunter2hunter2";
        let refused = json!({ "error": "invalid_client", "error_description": secret }).to_string();
        let Err(error) = answer(401, refused.as_bytes()) else {
            panic!("it was taken");
        };
        assert_eq!(
            error.to_string(),
            "the token endpoint refused: invalid_client"
        );
        for body in [
            json!({ "access_token": secret }).to_string(),
            format!(r#"{{"access_token":{secret}"#),
            json!({ "access_token": "a", "token_type": secret }).to_string(),
        ] {
            let Err(error) = answer(200, body.as_bytes()) else {
                panic!("it was taken");
            };
            assert!(!format!("{error:?} {error}").contains(secret));
        }
        for (status, body) in [
            (500, "x"),
            (302, ""),
            (204, ""),
            (400, r#"{"error":"a b"}"#),
            (400, "<html>"),
        ] {
            let outcome = answer(status, body.as_bytes());
            assert!(
                matches!(outcome, Err(TokenRequestError::Status(_))),
                "{status}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            status in prop::sample::select(vec![200_u16, 400, 401, 500]),
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _outcome = answer(status, &body);
        }
    }
}

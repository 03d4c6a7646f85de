//! One call to etcd: which member is asked, and as whom.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use msf_core::config::Secret;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    builder::{EtcdRegistryBuilder, InvalidEtcd},
    wire::{Line, Refusal, Token},
};
use crate::{
    backend::remote::{Answer, Lines, client, excerpt, parse, send, within},
    error::RegistryError,
};

/// Who is asked, and how.
#[derive(Debug)]
pub(super) struct Caller {
    client: Client,
    members: Box<[String]>,
    /// The member that answered last.
    at: AtomicUsize,
    user: Option<User>,
    timeout: Duration,
    answer_max: usize,
}

#[derive(Debug)]
struct User {
    name: String,
    password: Secret<String>,
    /// Held while logging in, so that all who wait for a token cost etcd one password hash.
    token: Mutex<Option<Arc<Secret<String>>>>,
}

impl Caller {
    pub(super) fn new(settings: &EtcdRegistryBuilder) -> Result<Self, InvalidEtcd> {
        let limits = settings.limits;
        let client = client(limits)
            // A watch is silent as long as nothing changes; a member whose machine is gone is, too.
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE)
            .tcp_keepalive_retries(3)
            .build()
            .map_err(InvalidEtcd::Client)?;
        let user = settings.user.clone().map(|(name, password)| User {
            name,
            password,
            token: Mutex::new(None),
        });
        Ok(Self {
            client,
            members: settings.urls.clone().into_boxed_slice(),
            at: AtomicUsize::new(0),
            user,
            timeout: limits.timeout,
            answer_max: limits.answer_max,
        })
    }

    /// One question and its answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        path: &'static str,
        body: &Value,
    ) -> Result<T, RegistryError> {
        let body = Bytes::from(body.to_string());
        let at = self.at.load(Ordering::Relaxed);
        let answer = within(self.timeout, self.as_user(path, &body)).await;
        if matches!(answer, Err(RegistryError::Timeout(_))) {
            self.leave(at);
        }
        let answer = answer?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        parse(&answer.body, path)
    }

    /// A question that is answered line by line. The limit in time is for its head.
    pub(super) async fn stream(
        &self,
        path: &'static str,
        body: &Value,
    ) -> Result<Lines, RegistryError> {
        let body = Bytes::from(body.to_string());
        let at = self.at.load(Ordering::Relaxed);
        let opening = async {
            let token = self.token().await?;
            let response = self.open(path, &body, token.as_deref()).await?;
            if response.status().is_success() {
                return Ok(Ok(Lines::new(response, self.answer_max)));
            }
            Answer::read(response, self.answer_max).await.map(Err)
        };
        match within(self.timeout, opening).await {
            Ok(Ok(lines)) => Ok(lines),
            Ok(Err(answer)) => Err(refused(&answer)),
            Err(error) => {
                if matches!(error, RegistryError::Timeout(_)) {
                    self.leave(at);
                }
                Err(error)
            }
        }
    }

    /// Forgets the token, so that the next call logs in again.
    pub(super) async fn log_out(&self) {
        if let Some(user) = &self.user {
            *user.token.lock().await = None;
        }
    }

    /// Once more after etcd has forgotten the token: it keeps them in memory, and for five minutes only.
    async fn as_user(&self, path: &str, body: &Bytes) -> Result<Answer, RegistryError> {
        let token = self.token().await?;
        let answer = self.send(path, body, token.as_deref()).await?;
        let (Some(user), Some(stale)) = (&self.user, &token) else {
            return Ok(answer);
        };
        if !is_token_refused(&answer) {
            return Ok(answer);
        }
        user.token
            .lock()
            .await
            .take_if(|token| Arc::ptr_eq(token, stale));
        let token = self.token().await?;
        self.send(path, body, token.as_deref()).await
    }

    async fn token(&self) -> Result<Option<Arc<Secret<String>>>, RegistryError> {
        let Some(user) = &self.user else {
            return Ok(None);
        };
        let mut token = user.token.lock().await;
        if token.is_none() {
            let body = json!({ "name": user.name, "password": user.password.expose() });
            let body = Bytes::from(body.to_string());
            let answer = self.send(AUTHENTICATE, &body, None).await?;
            if !answer.status.is_success() {
                return Err(refused(&answer));
            }
            let answer: Token = parse(&answer.body, AUTHENTICATE)?;
            *token = Some(Arc::new(Secret::new(answer.token)));
        }
        Ok(token.clone())
    }

    async fn send(
        &self,
        path: &str,
        body: &Bytes,
        token: Option<&Secret<String>>,
    ) -> Result<Answer, RegistryError> {
        let response = self.open(path, body, token).await?;
        Answer::read(response, self.answer_max).await
    }

    /// At the member that answered last, else at the others in turn. A member that hangs takes all the time
    /// of this call; the next call goes to another one.
    async fn open(
        &self,
        path: &str,
        body: &Bytes,
        token: Option<&Secret<String>>,
    ) -> Result<Response, RegistryError> {
        let (first, count) = (self.at.load(Ordering::Relaxed), self.members.len());
        let mut last = Err(RegistryError::Unreachable("no member was asked".into()));
        for at in (first..first + count).map(|at| at % count) {
            last = send(self.request(&self.members[at], path, body, token)).await;
            match &last {
                Err(RegistryError::Unreachable(_)) => {}
                // It has no leader, or loses it: another member may have one.
                Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {}
                _ => {
                    self.at.store(at, Ordering::Relaxed);
                    break;
                }
            }
        }
        last
    }

    fn request(
        &self,
        base: &str,
        path: &str,
        body: &Bytes,
        token: Option<&Secret<String>>,
    ) -> RequestBuilder {
        let request = self
            .client
            .post(format!("{base}/v3/{path}"))
            .header(CONTENT_TYPE, "application/json")
            .body(body.clone());
        match token {
            Some(token) => request.header(AUTHORIZATION, token.expose()),
            None => request,
        }
    }

    fn leave(&self, at: usize) {
        let next = (at + 1) % self.members.len();
        // Whoever else left it has chosen already.
        let _chosen = self
            .at
            .compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// A token that is not known any more, or one from before users were changed.
fn is_token_refused(answer: &Answer) -> bool {
    answer.status == StatusCode::UNAUTHORIZED
        || (answer.status == StatusCode::BAD_REQUEST
            && Refusal::of(answer)
                .message
                .contains("revision of auth store is old"))
}

/// etcd says 400 to a missing user and to a wrong password; to callers a 400 is a request that will never do.
pub(super) fn refused(answer: &Answer) -> RegistryError {
    let refusal = Refusal::of(answer);
    let is_login = [
        "user name is empty",
        "authentication failed",
        "auth store is old",
    ]
    .iter()
    .any(|reason| refusal.message.contains(reason));
    RegistryError::Refused {
        status: if is_login {
            401
        } else {
            answer.status.as_u16()
        },
        detail: (!refusal.message.is_empty()).then_some(refusal.message),
    }
}

impl<T> Line<T> {
    pub(super) fn result(self, place: &str) -> Result<T, RegistryError> {
        match (self.result, self.error) {
            (Some(result), None) => Ok(result),
            (_, Some(refusal)) => Err(RegistryError::Refused {
                status: refusal.http_code.unwrap_or(500),
                detail: Some(excerpt(&refusal.message)),
            }),
            (None, None) => Err(RegistryError::Protocol(
                format!("{place}: neither a result nor an error").into(),
            )),
        }
    }
}

impl Refusal {
    pub(super) fn of(answer: &Answer) -> Self {
        let mut refusal: Self = serde_json::from_slice(&answer.body).unwrap_or_default();
        refusal.message = excerpt(&refusal.message);
        refusal
    }
}

const AUTHENTICATE: &str = "auth/authenticate";
const KEEPALIVE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: StatusCode, body: &str) -> Answer {
        Answer {
            status,
            #[cfg(feature = "consul")]
            headers: http::HeaderMap::new(),
            body: body.into(),
        }
    }

    #[test]
    fn a_refused_login_may_be_tried_again() {
        for message in [
            "etcdserver: user name is empty",
            "etcdserver: authentication failed, invalid user ID or password",
        ] {
            let body = format!(r#"{{"error":"{message}","message":"{message}","code":3}}"#);
            let error = refused(&answer(StatusCode::BAD_REQUEST, &body));
            assert!(!error.is_permanent(), "{error:?}");
        }
        let error = refused(&answer(
            StatusCode::BAD_REQUEST,
            r#"{"message":"etcdserver: key is not provided"}"#,
        ));
        assert!(error.is_permanent());
    }

    #[test]
    fn a_refusal_that_is_not_understood_keeps_its_status_and_no_text() {
        for body in ["", "<html>", "[]", r#"{"message":7}"#] {
            let error = refused(&answer(StatusCode::BAD_GATEWAY, body));
            assert_eq!(error.to_string(), "the registry answered 502");
        }
        let long = format!(r#"{{"message":"\u0007{}"}}"#, "x".repeat(10_000));
        let error = refused(&answer(StatusCode::BAD_GATEWAY, &long));
        assert!(error.to_string().len() < 300, "{error}");
    }
}

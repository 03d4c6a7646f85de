//! One request about a token, from its start to what becomes of it.

use std::sync::Arc;

use http::StatusCode;
use msf_core::{BoxError, clock, config::Secret, task};
use tokio::sync::watch;

use super::{answer, cache::Digest, introspector::Shared};
use crate::{
    outbound::{Form, called::Endpoint},
    principal::Principal,
    verify::Reason,
};

type Outcome = Result<Arc<Principal>, Reason>;

/// Answers have one or two KiB.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Starts a request that belongs to nobody; called inside a runtime, with the flights unlocked.
pub(super) fn start(
    shared: &Arc<Shared>,
    token: Secret<String>,
    hash: Digest,
    sender: watch::Sender<Option<Outcome>>,
) {
    let running = Running {
        shared: shared.clone(),
        hash,
        sender,
    };
    task::spawn("introspect", running.run(token)).detach();
}

/// A request under way. However it ends (also by a panic, or with its runtime), the next one for this token can start
/// and those who wait are woken.
struct Running {
    shared: Arc<Shared>,
    hash: Digest,
    sender: watch::Sender<Option<Outcome>>,
}

impl Running {
    async fn run(self, token: Secret<String>) {
        let shared = &self.shared;
        let asked_at = clock::now();
        let outcome = match ask(&shared.endpoint, &token).await {
            Ok(body) => {
                let now_s = shared.clock.unix_seconds();
                answer::read(&body, &shared.vouched_for, now_s).map(Arc::new)
            }
            Err(error) => {
                let error = &*error as &(dyn std::error::Error + 'static);
                tracing::warn!(target: TARGET, error, "the issuer could not be asked about a token");
                Err(Reason::IssuerUnavailable)
            }
        };
        // Before the flight is taken out: who comes between the two finds the answer.
        shared.answers.keep(self.hash, &outcome, asked_at);
        self.sender.send_replace(Some(outcome));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.flights().remove(&self.hash);
    }
}

async fn ask(endpoint: &Endpoint, token: &Secret<String>) -> Result<bytes::Bytes, BoxError> {
    let form = Form::default()
        .field("token", token.expose())
        .field("token_type_hint", "access_token");
    let answer = endpoint.post(form.into_body(), ANSWER_BYTES_MAX).await?;
    // 401 is about us, not about the token (RFC 7662 section 2.3).
    if answer.status != StatusCode::OK {
        return Err(format!("answered with {}", answer.status).into());
    }
    Ok(answer.body)
}

const TARGET: &str = "msf_auth::introspect";

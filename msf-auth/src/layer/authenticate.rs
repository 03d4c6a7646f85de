//! Who calls, and may they: the part that is the same for both faces.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, request::Parts};

use super::gate::Gate;
use crate::{
    api_key::api_key,
    audit::{Event, Kind},
    bearer::bearer_token,
    identity::Identity,
    policy::{Answer, Decider, Decision, Facts, Outcome, PathParams, Question},
    principal::Principal,
    refusal::Refusal,
    verify::{Verify, VerifyError},
};

/// What the credentials of a request are.
pub(super) enum Credentials {
    None,
    Token(Verify),
}

/// What has become of a request.
pub(super) enum Step<B> {
    Pass(Request<B>),
    Refuse(Refusal),
    /// Somebody else has to be asked.
    Ask(Asking<B>),
}

/// A request about which somebody is asked.
pub(super) struct Asking<B> {
    held: Held<B>,
    name: Box<str>,
    answer: Pin<Box<dyn Future<Output = Answer> + Send>>,
}

/// A request, and what is known about it.
struct Held<B> {
    request: Request<B>,
    caller: Option<Arc<Principal>>,
    params: PathParams,
    answers: Vec<(Box<str>, Answer)>,
}

impl Gate {
    /// Begins with the header. What an outer layer said about the caller does not count here.
    pub(super) fn credentials<B>(&self, request: &mut Request<B>) -> Result<Credentials, Refusal> {
        request.extensions_mut().remove::<Identity>();
        if let Some(keys) = &self.api_keys {
            match api_key(request.headers()) {
                Ok(Some(key)) => return Ok(Credentials::Token(keys.verifying(key))),
                Ok(None) => {}
                Err(_) if self.rule(request.method()).is_public => return Ok(Credentials::None),
                Err(_) => return Err(Refusal::Malformed),
            }
        }
        match bearer_token(request.headers()) {
            Ok(Some(token)) => Ok(Credentials::Token(self.verify(token))),
            Ok(None) => Ok(Credentials::None),
            Err(_) if self.rule(request.method()).is_public => Ok(Credentials::None),
            Err(_) => Err(Refusal::Malformed),
        }
    }

    /// What has the form of a signed token is verified here and asked about nowhere, so that nobody but us decides what
    /// a signature is worth.
    fn verify(&self, token: &str) -> Verify {
        #[cfg(feature = "oauth-client")]
        if let Some(introspector) = &self.introspector
            && !is_signed(token)
        {
            return introspector.introspecting(token);
        }
        self.verifier.verify(token)
    }

    /// What to make of a verified token.
    pub(super) fn verified<B>(
        &self,
        outcome: Result<Arc<Principal>, VerifyError>,
        request: Request<B>,
    ) -> Step<B> {
        match outcome {
            Ok(caller) => self.decide(Some(caller), request),
            Err(_) if self.rule(request.method()).is_public => self.decide(None, request),
            Err(error) => Step::Refuse(error.into()),
        }
    }

    /// Decides by the policy, and leaves the caller in the request.
    pub(super) fn decide<B>(&self, caller: Option<Arc<Principal>>, request: Request<B>) -> Step<B> {
        let (params, request) = self.params(request);
        self.decide_held(Held {
            request,
            caller,
            params,
            answers: Vec::new(),
        })
    }

    /// Goes on with an answer. Each one settles one name, so that a request asks each decider at most once.
    fn decide_held<B>(&self, held: Held<B>) -> Step<B> {
        let rule = self.rule(held.request.method());
        let facts = Facts {
            caller: held.caller.as_deref(),
            params: &held.params,
            now_s: if rule.needs_time { self.now_s() } else { 0 },
            answers: &held.answers,
        };
        let outcome = rule.policy.0.evaluate(facts);
        if let Outcome::Ask(name) = outcome
            && let (Some(decider), Some(caller)) = (rule.decider(name), &held.caller)
        {
            let question = Question::new(
                Arc::clone(caller),
                held.request.method().clone(),
                held.request.uri().path(),
                held.params.clone(),
            );
            return Step::Ask(Asking {
                answer: ask(decider.clone(), question),
                name: name.into(),
                held,
            });
        }
        let decision = outcome.decision();
        self.metrics.count(decision);
        if let Some(refusal) = decision.refusal() {
            self.tell(decision, &held);
            return Step::Refuse(refusal);
        }
        let Held {
            mut request,
            caller,
            ..
        } = held;
        if let Some(caller) = caller {
            request.extensions_mut().insert(Identity(caller));
        }
        Step::Pass(request)
    }

    /// Only of known callers, so that strangers cannot fill the audit log.
    fn tell<B>(&self, decision: Decision<'_>, held: &Held<B>) {
        let Some(caller) = &held.caller else {
            return;
        };
        let reason = decision.to_string();
        let mut event = Event::new(Kind::PolicyDenied)
            .subject(caller.subject())
            .issuer(caller.issuer())
            .reason(&reason);
        if let Some(token_id) = caller.token_id() {
            event = event.token_id(token_id);
        }
        if let Some(client) = caller.client_id() {
            event = event.client(client);
        }
        if let Some(session) = caller.session_id() {
            event = event.session(session);
        }
        self.audit.record(&event);
    }

    fn now_s(&self) -> u64 {
        self.verifier.clock().unix_seconds()
    }

    fn params<B>(&self, request: Request<B>) -> (PathParams, Request<B>) {
        let source = match self.params {
            Some(source) if self.rule(request.method()).needs_parameters => source,
            _ => return (PathParams::none(), request),
        };
        let (mut parts, body): (Parts, B) = request.into_parts();
        let params = source(&mut parts);
        (params, Request::from_parts(parts, body))
    }
}

/// Whether it looks like a JWT: three segments, of which the first begins as the base64url of `{"` does.
#[cfg(feature = "oauth-client")]
fn is_signed(token: &str) -> bool {
    token.starts_with("ey") && token.bytes().filter(|b| *b == b'.').count() == 2
}

/// The only box of this layer, for requests that wait for somebody else anyway.
fn ask(decider: Decider, question: Question) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    Box::pin(async move { decider.ask(&question).await })
}

impl<B> Asking<B> {
    /// Waits for the answer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        self.answer.as_mut().poll(cx)
    }

    /// Goes on with it.
    pub(super) fn answered(self, answer: Answer, gate: &Gate) -> Step<B> {
        let mut held = self.held;
        held.answers.push((self.name, answer));
        gate.decide_held(held)
    }
}

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
    bearer::bearer_token,
    identity::Identity,
    policy::{Answer, Decider, Decision, Facts, Outcome, PathParams, Question, denied},
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
            Ok(Some(token)) => Ok(Credentials::Token(self.authenticator.verify(token))),
            Ok(None) => Ok(Credentials::None),
            Err(_) if self.rule(request.method()).is_public => Ok(Credentials::None),
            Err(_) => Err(Refusal::Malformed),
        }
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
                path(&held.request),
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
        if let Some(caller) = &held.caller {
            self.audit.record(&denied(caller, &decision.to_string()));
        }
    }

    fn now_s(&self) -> u64 {
        self.authenticator.now_s()
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

/// The whole path: behind a prefix, axum shows what follows it, and two routes would look like one.
fn path<B>(request: &Request<B>) -> &str {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions().get::<::axum::extract::OriginalUri>() {
        return original.path();
    }
    request.uri().path()
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

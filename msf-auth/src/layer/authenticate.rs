//! Who calls, and may they: the part that is the same for both faces.

use std::sync::Arc;

use http::{Request, request::Parts};

use super::gate::Gate;
use crate::{
    bearer::bearer_token,
    identity::Identity,
    policy::PathParams,
    principal::Principal,
    refusal::Refusal,
    verify::{Verify, VerifyError},
};

/// What the credentials of a request are.
pub(super) enum Credentials {
    None,
    Token(Verify),
}

impl Gate {
    /// Begins with the header. What an outer layer said about the caller does not count here.
    pub(super) fn credentials<B>(&self, request: &mut Request<B>) -> Result<Credentials, Refusal> {
        request.extensions_mut().remove::<Identity>();
        match bearer_token(request.headers()) {
            Ok(Some(token)) => Ok(Credentials::Token(self.verifier.verify(token))),
            Ok(None) => Ok(Credentials::None),
            Err(_) if self.is_public => Ok(Credentials::None),
            Err(_) => Err(Refusal::Malformed),
        }
    }

    /// What to make of a verified token.
    pub(super) fn verified<B>(
        &self,
        outcome: Result<Arc<Principal>, VerifyError>,
        request: Request<B>,
    ) -> Result<Request<B>, Refusal> {
        match outcome {
            Ok(caller) => self.decide(Some(caller), request),
            Err(_) if self.is_public => self.decide(None, request),
            Err(error) => Err(error.into()),
        }
    }

    /// Decides by the policy, and leaves the caller in the request.
    pub(super) fn decide<B>(
        &self,
        caller: Option<Arc<Principal>>,
        request: Request<B>,
    ) -> Result<Request<B>, Refusal> {
        let (params, mut request) = self.params(request);
        let decision = self.policy.decide(caller.as_deref(), &params);
        if let Some(refusal) = decision.refusal() {
            let subject = caller.as_ref().map(|caller| caller.subject());
            let issuer = caller.as_ref().map(|caller| caller.issuer());
            tracing::debug!(target: "msf_auth::audit", subject, issuer, %decision, "refused");
            return Err(refusal);
        }
        if let Some(caller) = caller {
            request.extensions_mut().insert(Identity(caller));
        }
        Ok(request)
    }

    fn params<B>(&self, request: Request<B>) -> (PathParams, Request<B>) {
        let Some(source) = self.params else {
            return (PathParams::none(), request);
        };
        let (mut parts, body): (Parts, B) = request.into_parts();
        let params = source(&mut parts);
        (params, Request::from_parts(parts, body))
    }
}

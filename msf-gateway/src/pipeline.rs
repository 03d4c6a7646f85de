//! The order in which a request goes through the gateway, and why each step is where it is.
//!
//! This file is the table of contents: what a step does is in the module that it names.

use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, HeaderValue, Request, Response, Version, header, request::Parts};
use http_body::Body as _;
use msf_auth::{Principal, Refusal, Verifier, policy::PathParams};
use msf_client::{Call, Client, Error, ServiceClient};
use msf_core::{
    body::Body,
    name::ServiceName,
    problem::{Code, Problem},
    server::Connection,
};
use msf_resilience::rate_limit::{Allowed, Limited};

use crate::{
    body::Proxied,
    gateway::CheckedRoute,
    headers::{IdentityHeaders, cookie, forwarded::Forwarding, hop_by_hop, message, trailers, via},
    limit::{Key, RateKey},
    own::{OwnAnswers, OwnFuture, Scope},
    path::InvalidPath,
    respond, rewrite,
    route::{Found, Table},
    tunnel::{self, TunnelMetrics},
};

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) table: Table<Arc<CheckedRoute>>,
    pub(crate) forwarding: Forwarding,
    pub(crate) identity: IdentityHeaders,
    pub(crate) verifier: Option<Verifier>,
    pub(crate) own: Arc<OwnAnswers>,
    pub(crate) client: Client,
    /// By [`CheckedRoute::service_at`].
    pub(crate) services: Box<[ServiceName]>,
    pub(crate) tunnels: TunnelMetrics,
}

/// One worker's way to the services, over connections of its own.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    /// By [`CheckedRoute::service_at`].
    pub(crate) services: Box<[ServiceClient]>,
}

/// Where a request goes; left in its extensions, where the layers that observe it find the route.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Route(Arc<CheckedRoute>),
    Invalid(InvalidPath),
    MethodNotAllowed(HeaderValue),
    NotFound,
}

/// A request that may go on, and what is known about its caller.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) route: Arc<CheckedRoute>,
    pub(crate) parts: Parts,
    pub(crate) body: Body,
    client: RateKey,
    pub(crate) allowed: Option<Allowed>,
}

/// What comes after the steps that need no waiting.
#[expect(
    clippy::large_enum_variant,
    reason = "made and taken apart once per request, where a box would cost more than moving it"
)]
pub(crate) enum Next {
    Refuse(Response<Bytes>),
    /// The token has to be verified first.
    Verify(Admission),
    Call(Call, Option<Allowed>),
}

impl Shared {
    /// The steps before anything is logged or counted, since logs and metrics need the route. An answer of
    /// the gateway's own ends here.
    pub(crate) fn enter(&self, request: &mut Request<Body>) -> Option<OwnFuture> {
        // 1. One spelling of the path. Everything after this step sees the canonical path only: the gateway's
        //    own paths, the route, the policy, the logs, and the service.
        let target = match rewrite::canonical(request) {
            Err(invalid) => Target::Invalid(invalid),
            Ok(()) => {
                let (method, uri) = (request.method(), request.uri());
                // 2. The gateway's own paths win, so that no route can hide a probe.
                let own = self
                    .own
                    .answer(Scope::Public, method, uri.path(), uri.query());
                if own.is_some() {
                    return own;
                }
                // 3. The route, from the path and the method and nothing else.
                match self.table.find(uri.path(), method) {
                    // Whatever a route says, the paths of the inside are not forwarded.
                    Found::Route(route) if rewrite::is_internal(uri.path(), route.strip) => {
                        Target::NotFound
                    }
                    Found::Route(route) => Target::Route(Arc::clone(route)),
                    Found::MethodNotAllowed { allow } => Target::MethodNotAllowed(allow.clone()),
                    Found::Nothing => Target::NotFound,
                }
            }
        };
        request.extensions_mut().insert(target);
        // Here the layers of trace and metrics begin; see `service`.
        None
    }
}

impl Worker {
    pub(crate) fn new(shared: &Arc<Shared>, client: &Client) -> Arc<Self> {
        let service = |name: &ServiceName| {
            let service = client.service(name);
            service.expect("`build` has asked for it, and the client keeps what it was asked for")
        };
        Arc::new(Self {
            services: shared.services.iter().map(service).collect(),
            shared: Arc::clone(shared),
        })
    }

    /// The steps up to the token.
    pub(crate) fn admit(&self, mut request: Request<Body>) -> Next {
        let shared = &*self.shared;
        // 4. Refuse what another server could read as another request, before any of it is believed.
        let host = match message::check(&request) {
            Ok(host) => host,
            Err(invalid) => return Next::Refuse(respond::invalid(invalid)),
        };
        let route = match request.extensions_mut().remove() {
            Some(Target::Route(route)) => route,
            Some(Target::Invalid(path)) => {
                return Next::Refuse(Problem::from(path).into_response());
            }
            Some(Target::MethodNotAllowed(allow)) => {
                return Next::Refuse(respond::method_not_allowed(allow));
            }
            Some(Target::NotFound) | None => {
                return Next::Refuse(Problem::new(Code::NotFound).into_response());
            }
        };
        let (mut parts, body) = request.into_parts();

        // 5. Remove what belongs to the client's connection, then what only the inside may say, and then say who
        //    the client is: in this order, so that the client can remove nothing that the gateway adds.
        //    What a client asks for beyond an answer passes only as far as the route and the standard allow:
        //    another protocol, trailers, and a word before the body.
        let upgrade = match &route.upgrades {
            Some(upgrades) => tunnel::Asked::of(&mut parts, &body, upgrades, &shared.tunnels),
            None => None,
        };
        hop_by_hop::strip_request(&mut parts.headers);
        shared.identity.strip(&mut parts.headers);
        trailers::restrict(&mut parts.headers, &shared.identity);
        if let Some(asked) = upgrade {
            asked.pass_on(&mut parts);
        }
        if parts.version < Version::HTTP_11 {
            parts.headers.remove(header::EXPECT);
        }
        let peer = parts.extensions.get().map(|it: &Connection| it.peer().ip());
        let client = shared
            .forwarding
            .rewrite(peer, host.as_ref(), &mut parts.headers);
        via::append(parts.version, &mut parts.headers);
        cookie::join(&mut parts.headers);

        // 6. The limit per client, before the token: a signature costs more than a look into a table, and who
        //    guesses tokens or passwords must be counted.
        let mut admission = Admission {
            route,
            parts,
            body,
            client: RateKey::client(client),
            allowed: None,
        };
        if let Err(limited) = admission.count(Key::Client, None) {
            return Next::Refuse(respond::limited(limited));
        }

        // 7. The token, if the route asks for one. A public route looks at none: a client with an expired
        //    token must still be able to log in.
        if admission.route.is_public {
            return self.authorised(admission, None);
        }
        match msf_auth::bearer_token(&admission.parts.headers) {
            Ok(Some(_)) => Next::Verify(admission),
            Ok(None) => self.authorised(admission, None),
            Err(_malformed) => Next::Refuse(Refusal::Malformed.into_response()),
        }
    }

    /// The steps after the token.
    pub(crate) fn authorised(&self, mut admission: Admission, caller: Option<&Principal>) -> Next {
        // 8. The policy of the route, which is a part of the route and not a list beside it.
        let decision = admission.route.policy.decide(caller, &PathParams::none());
        if let Some(refusal) = decision.refusal() {
            return Next::Refuse(refusal.into_response());
        }

        // 9. The limit per subject, which only a verified token can name.
        if let Err(limited) = admission.count(Key::Subject, caller) {
            return Next::Refuse(respond::limited(limited));
        }

        // 10. The size of the body, as far as the client tells it; otherwise it is counted while it passes.
        //    After the policy, so that a stranger learns nothing about the route, and before the first byte
        //    of the body, so that a client that waits for `100 Continue` sends none in vain.
        let Admission {
            route,
            mut parts,
            body,
            allowed,
            ..
        } = admission;
        let hint = body.size_hint();
        if hint.lower() > u64::try_from(route.body_limit).unwrap_or(u64::MAX) {
            return Next::Refuse(respond::too_large(route.body_limit));
        }
        let body = match hint.exact() {
            Some(_) => body,
            None => Body::new(http_body_util::Limited::new(body, route.body_limit)),
        };

        // 11. The path as the service knows it, and no `Host`: the service's name takes its place, and what
        //     the client called us stands in `X-Forwarded-Host`.
        rewrite::strip(&mut parts.uri, route.strip);
        parts.headers.remove(header::HOST);

        // 12. The call by name: instance, circuit breaker, timeout, trace headers and connection are the
        //     client's concern. The route's timeout takes the place of the client's, as the measure by which
        //     the breaker judges too; what the caller says about its own patience is not believed (see
        //     `IdentityHeaders`).
        let Some(service) = self.services.get(route.service_at) else {
            return Next::Refuse(Problem::new(Code::Internal).into_response());
        };
        let request = Request::from_parts(parts, body);
        let call = match route.timeout {
            Some(timeout) => service.clone().with_timeout(timeout).call(request),
            None => service.call(request),
        };
        Next::Call(call, allowed)
    }

    /// The steps on the way back.
    pub(crate) fn answer(
        outcome: Result<Response<msf_client::ResponseBody>, Error>,
        allowed: Option<&Allowed>,
    ) -> Response<Proxied> {
        let mut response = match outcome {
            // 13. The answer of the service without what belongs to its connection, and the body piece by
            //     piece as it arrives.
            Ok(response) => respond::cleaned(response),
            // 14. Or one answer for everything that can go wrong on the way, which says nothing about the
            //     inside.
            Err(error) => respond::failed(error).map(Proxied::from),
        };
        // 15. How much of its limit the client has left.
        if let Some(allowed) = allowed {
            allowed.write_to(response.headers_mut());
        }
        response
    }
}

impl Admission {
    /// Counts the request against the limit of its route, if that counts by `key`.
    fn count(&mut self, key: Key, caller: Option<&Principal>) -> Result<(), Limited> {
        let Some(limit) = self.route.limit.as_ref().filter(|limit| limit.key == key) else {
            return Ok(());
        };
        let subject = caller.map(RateKey::subject);
        self.allowed = Some(limit.check(subject.as_ref().unwrap_or(&self.client))?);
        Ok(())
    }
}

/// The template of a request's route, for the layers that observe it.
pub(crate) fn template(extensions: &Extensions) -> Option<&str> {
    match extensions.get()? {
        Target::Route(route) => Some(route.template.as_str()),
        _ => None,
    }
}

//! The order in which a request goes through the gateway, and why each step is where it is.
//!
//! This file is the table of contents: what a step does is in the module that it names.

use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, HeaderValue, Method, Request, Response, header};
use http_body::Body as _;
use msf_auth::{Principal, Refusal, Verifier, policy::PathParams};
use msf_client::{Call, Client, Error, ServiceClient};
use msf_core::{
    BoxError,
    body::Body,
    problem::{Code, Problem},
    server::Connection,
};

use crate::{
    access_log::{self, Queue},
    admission::{Admission, Waiting},
    body::Proxied,
    cluster::{Clusters, HashBy},
    cors,
    exchange::{Back, Exchange},
    failure::Failures,
    gateway::{Action, CheckedRoute},
    headers::{
        self, IdentityHeaders, gateway,
        max_forwards::{self, Hop},
        message,
    },
    layered::{RouteLayer, Upstream, UpstreamFuture},
    limit::{Key, RateKey},
    listener::Rules,
    own::{OwnAnswers, OwnFuture, Scope},
    path::InvalidPath,
    plugin::ClientAddr,
    respond, rewrite,
    route::{Captures, Found, Lookup, Table},
    tunnel::{self, TunnelMetrics},
};

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) table: Table<Arc<CheckedRoute>>,
    pub(crate) rules: Rules,
    pub(crate) identity: IdentityHeaders,
    pub(crate) verifier: Option<Verifier>,
    pub(crate) own: Arc<OwnAnswers>,
    pub(crate) client: Client,
    pub(crate) clusters: Clusters,
    /// By the places that [`Action`] and a mirror name.
    pub(crate) calls: Box<[CallSlot]>,
    pub(crate) failures: Failures,
    pub(crate) access_log: Option<Arc<Queue>>,
    /// Whether services are told the id and the time of a request.
    pub(crate) gateway_headers: bool,
    pub(crate) tunnels: TunnelMetrics,
}

/// How one route calls one cluster.
#[derive(Debug)]
pub(crate) struct CallSlot {
    pub(crate) service: ServiceClient,
    pub(crate) hash_by: Option<HashBy>,
    /// Only copies of requests go there.
    pub(crate) is_mirror: bool,
    /// The first one is the innermost.
    pub(crate) layers: Arc<[RouteLayer]>,
}

/// One worker's way to the services, over connections of its own.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    /// By the places that [`Action`] and a mirror name.
    calls: Box<[WorkerCall]>,
}

/// A call of a worker.
#[derive(Debug)]
struct WorkerCall {
    service: ServiceClient,
    hash_by: Option<HashBy>,
    /// The same call behind the layers of its route, if that has any.
    layered: Option<Upstream>,
}

/// Where a request goes; left in its extensions, where the layers that observe it find the route.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Route(Arc<CheckedRoute>, Captures),
    Invalid(InvalidPath),
    MethodNotAllowed(HeaderValue),
    NotFound,
}

/// What comes after the steps that need no waiting.
#[expect(
    clippy::large_enum_variant,
    reason = "made and taken apart once per request, where a box would cost more than moving it"
)]
pub(crate) enum Next {
    /// The request goes no further.
    Refuse(Response<Bytes>),
    /// The route answers itself.
    Answer(Response<Bytes>),
    /// The token has to be verified first.
    Verify(Admission),
    /// Plugins or a store have to be asked first.
    Wait(Waiting),
    Call(Call),
    /// The call behind the layers of the route.
    Layered(UpstreamFuture),
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
                // One that others could read as another request is refused as any, whatever it asks for.
                if own.is_some() && message::check(request).is_ok() {
                    return own;
                }
                // 3. The route, by the one order of `route`. A preflight is a question about the request that it
                //    announces.
                let lookup = Lookup::of(request);
                let asked = self.asked(&lookup);
                let lookup = asked
                    .as_ref()
                    .map_or(lookup, |asked| lookup.with_method(asked));
                match self.table.find(&lookup) {
                    // Whatever a route says, the paths of the inside are not forwarded.
                    Found::Route(route, _) if rewrite::is_internal(uri.path(), route.strip) => {
                        Target::NotFound
                    }
                    Found::Route(route, captures) => Target::Route(Arc::clone(route), captures),
                    Found::MethodNotAllowed { allow } => Target::MethodNotAllowed(allow),
                    Found::Nothing => Target::NotFound,
                }
            }
        };
        request.extensions_mut().insert(target);
        // Here the layers of trace and metrics begin; see `service`.
        None
    }
}

impl Shared {
    /// The method that a preflight asks about, if the route of that answers such questions itself.
    pub(crate) fn asked(&self, lookup: &Lookup<'_>) -> Option<Method> {
        if *lookup.method != Method::OPTIONS {
            return None;
        }
        let asked = cors::asked_method(lookup.headers?)?;
        match self.table.find(&lookup.with_method(&asked)) {
            Found::Route(route, _) if route.answers_preflights() => Some(asked),
            _ => None,
        }
    }
}

impl Worker {
    /// The worker of the runtime whose connections the client has.
    pub(crate) fn new(shared: &Arc<Shared>, client: &Client) -> Arc<Self> {
        let call = |call: &CallSlot| {
            let service = call.service.clone();
            WorkerCall::new(
                service.with_connections(client.connections().clone()),
                call.hash_by.clone(),
                &call.layers,
            )
        };
        Arc::new(Self {
            calls: shared.calls.iter().map(call).collect(),
            shared: Arc::clone(shared),
        })
    }

    /// The steps up to the token.
    pub(crate) fn admit(&self, mut request: Request<Body>, back: &mut Back) -> Next {
        let shared = &*self.shared;
        // 4. Refuse what another server could read as another request, before any of it is believed.
        let host = match message::check(&request) {
            Ok(host) => host,
            Err(invalid) => return Next::Refuse(respond::invalid(invalid)),
        };
        if let Some(to_https) = shared.rules.redirect(&request, host.as_ref()) {
            return Next::Refuse(to_https);
        }
        if *request.method() == Method::OPTIONS {
            match max_forwards::count_down(request.headers_mut()) {
                Ok(Hop::On) => {}
                Ok(Hop::Last) => return Next::Refuse(respond::last_hop()),
                Err(invalid) => return Next::Refuse(respond::invalid(invalid)),
            }
        }
        let (route, captures) = match request.extensions_mut().remove() {
            Some(Target::Route(route, captures)) => (route, captures),
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

        // 5. CORS: a preflight is answered here, since a browser sends no token with it. From here on, every answer
        //    goes back through the exchange, if the route has any use for it.
        if let Some(extras) = &route.extras {
            if let Some(preflight) = extras.preflight(&parts.method, &parts.headers) {
                return Next::Refuse(preflight);
            }
            back.exchange = Exchange::begin(&route, &captures, &parts, host.as_ref());
        }

        // 6. Remove what belongs to the client's connection, then what only the inside may say, and then say who
        //    the client is: in this order, so that the client can remove nothing that the gateway adds.
        let upgrade = match &route.upgrades {
            Some(upgrades) => tunnel::Asked::of(&mut parts, &body, upgrades, &shared.tunnels),
            None => None,
        };
        let connection = parts.extensions.get::<Connection>().cloned();
        let listener = connection.as_ref().map_or(0, Connection::listener);
        let (identity, forwarding) = (&shared.identity, shared.rules.forwarding(listener));
        let client = headers::receive(
            &mut parts,
            connection.as_ref(),
            host.as_ref(),
            identity,
            forwarding,
        );
        if let Some(asked) = upgrade {
            asked.pass_on(&mut parts);
        }
        if shared.gateway_headers {
            gateway::write(&mut parts.headers);
        }
        access_log::note(|record| record.client = client);

        // 7. Who may come from where, and whether the route is open at all, which is nobody's secret.
        if let Some(extras) = &route.extras {
            if let Some(exchange) = &mut back.exchange {
                exchange.came_from(client);
            }
            if !extras.ip.permits(client) {
                return Next::Refuse(respond::forbidden());
            }
            if let Some(closed) = extras.maintenance.as_ref().and_then(|it| it.refuse(client)) {
                return Next::Refuse(closed);
            }
            if extras.shows_caller() {
                parts.extensions.insert(ClientAddr(client));
            }
        }

        // 8. The limit per client, before the token: a signature costs more than a look into a table, and who
        //    guesses tokens or passwords must be counted.
        let admission = Admission {
            route,
            parts,
            body,
            captures,
            client: RateKey::client(client),
        };
        if let Err(limited) = admission.count(Key::Client, None, back) {
            return Next::Refuse(respond::limited(limited));
        }

        // 9. The token, if the route asks for one. A public route looks at none: a client with an expired
        //    token must still be able to log in.
        if admission.route.is_public {
            return self.authorised(admission, None, back);
        }
        match msf_auth::bearer_token(&admission.parts.headers) {
            Ok(Some(_)) => Next::Verify(admission),
            Ok(None) => self.authorised(admission, None, back),
            Err(_malformed) => Next::Refuse(Refusal::Malformed.into_response()),
        }
    }

    /// The steps after the token.
    pub(crate) fn authorised(
        &self,
        mut admission: Admission,
        caller: Option<&Arc<Principal>>,
        back: &mut Back,
    ) -> Next {
        // 10. The policy of the route, which is a part of the route and not a list beside it.
        let principal = caller.map(|caller| &**caller);
        let params = if admission.route.needs_params {
            let path = admission.parts.uri.path();
            admission.captures.decoded_all(path).collect()
        } else {
            PathParams::none()
        };
        let decision = admission.route.policy.decide(principal, &params);
        if let Some(refusal) = decision.refusal() {
            return Next::Refuse(refusal.into_response());
        }

        // 11. The limit per subject, which only a verified token can name.
        if let Err(limited) = admission.count(Key::Subject, principal, back) {
            return Next::Refuse(respond::limited(limited));
        }

        // 12. The size of the body, as far as the client tells it; otherwise it is counted while it passes.
        //    After the policy, so that a stranger learns nothing about the route, and before the first byte
        //    of the body, so that a client that waits for `100 Continue` sends none in vain.
        let limit = admission.route.body_limit;
        let hint = admission.body.size_hint();
        if hint.lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Next::Refuse(respond::too_large(limit));
        }
        if hint.exact().is_none() {
            let body = http_body_util::Limited::new(admission.body, limit);
            admission.body = Body::new(body);
        }

        // 13. Whom somebody else has to be asked about waits here.
        if admission.waits() {
            let caller = caller.cloned();
            return Next::Wait(Box::pin(admission.ask(caller, std::mem::take(back))));
        }
        self.dispatch(admission, caller, back)
    }

    /// The steps up to the call.
    pub(crate) fn dispatch(
        &self,
        admission: Admission,
        caller: Option<&Arc<Principal>>,
        back: &Back,
    ) -> Next {
        let Admission {
            route,
            mut parts,
            mut body,
            client,
            ..
        } = admission;

        // 14. Where it goes. A route may answer itself.
        let at = match &route.action {
            Action::Forward(at) => *at,
            Action::Split(split, places) => places.get(split.draw()).copied().unwrap_or(usize::MAX),
            Action::Redirect(redirect) => {
                let values = back.exchange.as_ref().map(|exchange| exchange.values());
                let answer = values.and_then(|values| redirect.response(&values));
                return match answer {
                    Some(answer) => Next::Answer(answer),
                    None => Next::Refuse(Problem::new(Code::NotFound).into_response()),
                };
            }
            Action::Respond(response) => return Next::Answer(response.response()),
        };
        let Some(call) = self.calls.get(at) else {
            return Next::Refuse(Problem::new(Code::Internal).into_response());
        };

        // What keeps it together with others is what the client sent.
        if let Some(by) = &call.hash_by {
            by.mark(&mut parts, &client);
        }

        // 15. The request as the service gets it. What the route changes, then the path as the service knows it. The
        //     client replaces `Host` by the service's name; what we were called stands in `X-Forwarded-Host`.
        if let (Some(extras), Some(exchange)) = (&route.extras, &back.exchange) {
            let values = exchange.values();
            if let Some(refused) = extras.transform(&values, caller, &call.service, &mut parts) {
                return Next::Refuse(refused);
            }
        }
        rewrite::strip(&mut parts.uri, route.strip);

        // 16. A copy for the mirror, which nobody waits for.
        if let Some(extras) = &route.extras
            && let Some(mirror) = &extras.mirror
        {
            let service = self.calls.get(mirror.call).map(|call| &call.service);
            body = mirror.copy(&parts, body, service, |service, headers| {
                extras.identify(caller, service, headers).is_ok()
            });
        }

        // 17. The call by name: instance, circuit breaker, timeout, retries, trace headers and connection are the
        //     client's concern. The route's timeout takes the place of the client's, as the measure by which
        //     the breaker judges too; what the caller says about its own patience is not believed (see
        //     `IdentityHeaders`).
        let request = Request::from_parts(parts, body);
        access_log::note(|record| record.call(call.service.name()));
        match &call.layered {
            None => Next::Call(call.service.call(request)),
            Some(layered) => {
                let mut request = request;
                // Layers have no use for what the service will not see.
                request.headers_mut().remove(header::HOST);
                Next::Layered(layered.ask(request))
            }
        }
    }

    /// The steps on the way back.
    pub(crate) fn answer(
        outcome: Result<Response<msf_client::ResponseBody>, Error>,
        back: &mut Back,
    ) -> Response<Proxied> {
        let response = match outcome {
            // 18. The answer of the service without what belongs to its connection, and the body piece by
            //     piece as it arrives.
            Ok(response) => respond::cleaned(response),
            // 19. Or one answer for everything that can go wrong on the way, which says nothing about the
            //     inside.
            Err(error) => respond::failed(error).map(Proxied::from),
        };
        // 20. How much of its limit the client has left, and what the route says besides.
        back.finish(response)
    }

    /// As [`answer`](Self::answer), for a call behind layers.
    pub(crate) fn answer_layered(
        outcome: Result<Response<Body>, BoxError>,
        back: &mut Back,
    ) -> Response<Proxied> {
        let response = match outcome {
            Ok(response) => respond::cleaned_as(response.map(|body| Proxied::Boxed { body })),
            Err(error) => respond::failed_as(error).map(Proxied::from),
        };
        back.finish(response)
    }
}

impl WorkerCall {
    fn new(service: ServiceClient, hash_by: Option<HashBy>, layers: &[RouteLayer]) -> Self {
        let inner = (!layers.is_empty()).then(|| Upstream::new(service.clone()));
        let around = |inner: Upstream| {
            layers
                .iter()
                .fold(inner, |inner, layer| layer.around(inner))
        };
        Self {
            layered: inner.map(around),
            hash_by,
            service,
        }
    }
}

/// The template of a request's route, for the layers that observe it.
pub(crate) fn template(extensions: &Extensions) -> Option<&str> {
    match extensions.get()? {
        Target::Route(route, _) => Some(route.template.as_str()),
        _ => None,
    }
}

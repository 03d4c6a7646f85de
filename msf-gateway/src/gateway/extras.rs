//! What a route does besides forwarding, checked.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, header, request::Parts};
use msf_auth::{
    Identity, InternalTokens, Principal,
    internal::{InternalCall, InternalTokenError},
};
use msf_client::ServiceClient;

use super::{check::Common, error::GatewayError, settings::Settings};
use crate::{
    access::IpRules,
    action::Maintenance,
    cors,
    layered::RouteLayer,
    limit::SharedLimit,
    mirror::Mirroring,
    plugin::Plugins,
    respond, rewrite,
    route::{Methods, Pattern, Route},
    transform::{
        CheckedHeaders, CheckedPath, HeaderTransform, InvalidTransform, PathTransform, Side, Values,
    },
};

/// What a route does besides forwarding. A plain route has none of it, and pays one branch per step for that.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) cors: Option<cors::Checked>,
    pub(crate) ip: IpRules,
    pub(crate) maintenance: Option<Maintenance>,
    pub(crate) shared_limit: Option<SharedLimit>,
    pub(crate) request_headers: Option<CheckedHeaders>,
    pub(crate) response_headers: Option<CheckedHeaders>,
    pub(crate) path: Option<CheckedPath>,
    pub(crate) internal_tokens: Option<InternalTokens>,
    pub(crate) mirror: Option<Mirroring>,
    pub(crate) layers: Vec<RouteLayer>,
    pub(crate) plugins: Plugins,
}

impl Extras {
    /// Checks the settings of a route that leads to a service or answers itself; what is wrong goes to `errors`.
    pub(super) fn new(
        route: &Route,
        template: &str,
        captures: &[&str],
        common: &Common<'_>,
        errors: &mut Vec<GatewayError>,
    ) -> Option<Box<Self>> {
        let settings = &route.settings;
        let is_forwarded = settings.redirect.is_none() && settings.respond.is_none();
        let name = || template.to_owned();
        let mut extras = Self {
            ip: settings.ip.clone(),
            maintenance: settings.maintenance.clone(),
            shared_limit: settings.shared_limit.clone(),
            layers: settings.layers.clone(),
            // Those of the builder are for calls.
            plugins: common
                .plugins
                .iter()
                .filter(|_| is_forwarded)
                .chain(&settings.plugins)
                .cloned()
                .collect(),
            ..Self::default()
        };
        if let Some(cors) = &settings.cors {
            match cors::Checked::new(cors, methods(&route.matches.methods).as_deref()) {
                Ok(cors) => extras.cors = Some(cors),
                Err(source) => errors.push(GatewayError::Cors {
                    route: name(),
                    source,
                }),
            }
        }
        let mut keep = |outcome: Result<(), InvalidTransform>| {
            if let Err(source) = outcome {
                let route = template.to_owned();
                errors.push(GatewayError::InvalidTransform { route, source });
            }
        };
        let checked = |transform: &HeaderTransform, side, checked: &mut Option<_>| {
            if !transform.is_empty() {
                *checked = Some(CheckedHeaders::new(transform, side, captures)?);
            }
            Ok(())
        };
        keep(checked(
            &settings.request_headers,
            Side::Request,
            &mut extras.request_headers,
        ));
        keep(checked(
            &settings.response_headers,
            Side::Response,
            &mut extras.response_headers,
        ));
        keep(path(route, captures).map(|path| extras.path = path));
        if settings.has_internal_identity {
            let is_public = route
                .policy
                .as_ref()
                .is_some_and(|policy| policy.is_public());
            match common.tokens {
                _ if is_public => errors.push(GatewayError::IdentityOfNobody { route: name() }),
                None => errors.push(GatewayError::NoInternalTokens { route: name() }),
                Some(tokens) => extras.internal_tokens = Some(tokens.clone()),
            }
        }
        if let Some(mirror) = &settings.mirror {
            match mirror.out_of_range() {
                Some((setting, allowed)) => errors.push(GatewayError::InvalidMirror {
                    route: name(),
                    setting,
                    allowed,
                }),
                None => extras.mirror = Some(Mirroring::new(mirror.clone())),
            }
        }
        if !is_forwarded && let Some(setting) = about_calls(route) {
            errors.push(GatewayError::WithoutService {
                route: name(),
                setting,
            });
        }
        // A redirect is made of what the exchange keeps of the request.
        let is_needed = settings.redirect.is_some() || !extras.is_empty();
        is_needed.then(|| Box::new(extras))
    }

    fn is_empty(&self) -> bool {
        self.cors.is_none()
            && self.ip.is_empty()
            && self.maintenance.is_none()
            && self.shared_limit.is_none()
            && self.request_headers.is_none()
            && self.response_headers.is_none()
            && self.path.is_none()
            && self.internal_tokens.is_none()
            && self.mirror.is_none()
            && self.layers.is_empty()
            && self.plugins.is_empty()
    }

    /// What it does before the token is looked at, for people.
    pub(crate) fn before_the_token(&self) -> impl Iterator<Item = (&'static str, String)> {
        let cors = self.cors.as_ref().map(|_| ("cors", "on".to_owned()));
        let ip = (!self.ip.is_empty()).then(|| ("addresses", self.ip.to_string()));
        let closed = self.maintenance.as_ref().map(|maintenance| {
            let is_on = if maintenance.is_on() { "on" } else { "off" };
            ("maintenance", is_on.to_owned())
        });
        cors.into_iter().chain(ip).chain(closed)
    }

    /// What it does afterwards, up to the call.
    pub(crate) fn after_the_token(&self) -> impl Iterator<Item = (&'static str, String)> {
        let set = [
            (self.shared_limit.is_some(), "shared rate limit"),
            (!self.plugins.is_empty(), "plugins"),
            (self.internal_tokens.is_some(), "internal identity"),
            (self.request_headers.is_some(), "request headers"),
            (self.response_headers.is_some(), "response headers"),
            (self.path.is_some(), "another path"),
            (!self.layers.is_empty(), "layers"),
        ];
        let set = set.into_iter().filter(|(is_set, _)| *is_set);
        set.map(|(_, name)| (name, "on".to_owned()))
    }

    /// Whether something has to be waited for between the policy and the call.
    pub(crate) fn waits(&self) -> bool {
        self.shared_limit.is_some() || !self.plugins.is_empty()
    }

    /// Whether code of others sees the request, to whom the gateway says what it knows of the caller.
    pub(crate) fn shows_caller(&self) -> bool {
        !self.plugins.is_empty() || !self.layers.is_empty()
    }

    /// Makes the request what the service gets: who the caller is, the headers, the path. Returns the answer to a
    /// request that cannot be made so.
    pub(crate) fn transform(
        &self,
        values: &Values<'_>,
        caller: Option<&Arc<Principal>>,
        service: &ServiceClient,
        parts: &mut Parts,
    ) -> Option<Response<Bytes>> {
        if let Some(caller) = caller
            && !self.layers.is_empty()
        {
            parts.extensions.insert(Identity(Arc::clone(caller)));
        }
        if let Err(error) = self.identify(caller, service, &mut parts.headers) {
            return Some(respond::no_identity(error));
        }
        if let Some(transform) = &self.request_headers {
            transform.apply(values, &mut parts.headers);
        }
        if let Some(path) = &self.path {
            let path = path
                .apply(values)
                .filter(|path| !rewrite::is_internal(path, 0));
            let rewritten = path.and_then(|path| rewrite::with_path(&mut parts.uri, &path));
            if rewritten.is_none() {
                return Some(respond::not_found());
            }
        }
        None
    }

    /// Says to a service who the caller is, where the route mints tokens for that. One for another service does not reach
    /// it, and neither does the caller's own, also where the policy lets somebody pass without one.
    pub(crate) fn identify(
        &self,
        caller: Option<&Arc<Principal>>,
        service: &ServiceClient,
        headers: &mut HeaderMap,
    ) -> Result<(), InternalTokenError> {
        let Some(tokens) = &self.internal_tokens else {
            return Ok(());
        };
        headers.remove(header::AUTHORIZATION);
        if let Some(caller) = caller {
            let call = InternalCall::to(service.name().as_str());
            headers.insert(header::AUTHORIZATION, tokens.bearer(caller, &call)?);
        }
        Ok(())
    }

    /// The answer to a preflight, for a request that is one.
    pub(crate) fn preflight(
        &self,
        method: &Method,
        headers: &HeaderMap,
    ) -> Option<Response<Bytes>> {
        let cors = self.cors.as_ref()?;
        if *method != Method::OPTIONS {
            return None;
        }
        cors::asked_method(headers)?;
        let answer = cors.preflight(headers);
        Some(answer.unwrap_or_else(respond::forbidden_origin))
    }
}

fn path(route: &Route, captures: &[&str]) -> Result<Option<CheckedPath>, InvalidTransform> {
    let settings = &route.settings;
    let is_twice = route.strip_prefix && settings.path != PathTransform::Keep;
    if settings.is_path_twice || is_twice {
        return Err(InvalidTransform::PathTwice);
    }
    let path = CheckedPath::new(&settings.path, prefix(&route.matches.pattern), captures)?;
    Ok(path)
}

/// The prefix of a route, without a slash at its end.
pub(super) fn prefix(pattern: &Pattern) -> Option<&str> {
    match pattern {
        Pattern::Prefix(path) => Some(path.trim_end_matches('/')),
        Pattern::Exact(_) | Pattern::Template(_) | Pattern::Regex(_) => None,
    }
}

fn methods(methods: &Methods) -> Option<Vec<Method>> {
    match methods {
        Methods::All => None,
        Methods::Only(list) => Some(list.clone()),
    }
}

/// A setting that is of no effect on a route without a service.
fn about_calls(route: &Route) -> Option<&'static str> {
    let Settings {
        path,
        attempt_timeout,
        retry,
        hedge,
        has_internal_identity,
        mirror,
        layers,
        request_headers,
        ..
    } = &route.settings;
    let set = [
        (route.strip_prefix, "strip_prefix"),
        (*path != PathTransform::Keep, "replace_prefix` or `rewrite"),
        (route.timeout.is_some(), "timeout"),
        (attempt_timeout.is_some(), "attempt_timeout"),
        (retry.is_some(), "retry"),
        (hedge.is_some(), "hedge"),
        (*has_internal_identity, "internal_identity"),
        (mirror.is_some(), "mirror"),
        (!layers.is_empty(), "layer"),
        (!request_headers.is_empty(), "request_headers"),
    ];
    set.into_iter()
        .find_map(|(is_set, name)| is_set.then_some(name))
}

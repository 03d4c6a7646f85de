//! Asking a gateway what it would do with a request.
//!
//! ```
//! # use msf_client::Client;
//! # use msf_registry::{Registry, backend::memory::MemoryRegistry};
//! use msf_gateway::{Gateway, Probe, Route, route::Answer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = Client::builder(Registry::new(MemoryRegistry::new())).build()?;
//! let gateway = Gateway::builder(client)
//!     .route(Route::template("/api/users/{id}").id("user").to("users").public())
//!     .build()?;
//!
//! let explanation = gateway.explain(&Probe::get("https://shop.local/api/users/7"));
//! assert!(matches!(&explanation.answer, Answer::Route { id, .. } if id == "user"));
//! println!("{explanation}");
//! # Ok(())
//! # }
//! ```

use http::{HeaderName, HeaderValue, Method, Request};

use crate::{
    gateway::{Action, CheckedRoute, Gateway},
    own::Scope,
    pipeline::Shared,
    rewrite,
    route::{Answer, Explanation, Found, Lookup, Setting},
};

/// A request that is not sent, for [`Gateway::explain`].
///
/// Where it is not a request at all, the explanation says so.
///
/// ```
/// use http::Method;
/// use msf_gateway::Probe;
///
/// let probe = Probe::new(Method::POST, "https://shop.local/api/users?page=2").header("x-canary", "1");
/// # drop(probe);
/// ```
#[derive(Debug)]
#[must_use = "a probe does nothing until a gateway explains it"]
pub struct Probe {
    method: Method,
    url: Box<str>,
    headers: Vec<(Box<str>, Box<str>)>,
}

impl Probe {
    /// A `GET` of a URL, or of a path on a host that no route names.
    pub fn get(url: impl Into<Box<str>>) -> Self {
        Self::new(Method::GET, url)
    }

    /// A request of a URL, or of a path on a host that no route names.
    pub fn new(method: Method, url: impl Into<Box<str>>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn request(&self) -> Result<Request<()>, http::Error> {
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.parse()?;
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse()?;
            request
                .headers_mut()
                .append(name, HeaderValue::from_str(value)?);
        }
        Ok(request)
    }
}

impl Gateway {
    /// Which route takes a request, why no other does, and what the route does with it: found by the code that
    /// serves requests. It does not ask who the caller is, counts nothing and sends nothing.
    #[must_use]
    pub fn explain(&self, probe: &Probe) -> Explanation {
        let refused = |reason: String| {
            let answer = Answer::Invalid { reason };
            Explanation::without_route(&probe.method, &probe.url, answer)
        };
        let mut request = match probe.request() {
            Ok(request) => request,
            Err(error) => return refused(error.to_string()),
        };
        if let Err(invalid) = rewrite::canonical(&mut request) {
            return refused(invalid.to_string());
        }
        let (method, uri) = (request.method(), request.uri());
        let shared = self.shared();
        let own = &shared.own;
        if own
            .answer(Scope::Public, method, uri.path(), uri.query())
            .is_some()
        {
            return Explanation::without_route(method, uri.path(), Answer::Own);
        }
        let lookup = Lookup::of(&request);
        let asked = shared.asked(&lookup);
        let lookup = asked
            .as_ref()
            .map_or(lookup, |asked| lookup.with_method(asked));
        let mut explanation = shared.table.explain(&lookup);
        if let Found::Route(route, _) = shared.table.find(&lookup) {
            explanation.settings = settings(route, &shared);
            if rewrite::is_internal(uri.path(), route.strip) {
                let id = route.template.as_str().to_owned();
                explanation.answer = Answer::Internal { id };
            }
        }
        explanation
    }
}

/// What a route does with a request, in the order in which it does it.
pub(crate) fn settings(route: &CheckedRoute, shared: &Shared) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut say = |name: &str, value: String| {
        settings.push(Setting {
            name: name.to_owned(),
            value,
        });
    };
    let extras = route.extras.as_deref();
    if let Some(extras) = extras {
        for (name, value) in extras.before_the_token() {
            say(name, value);
        }
    }
    if let Some(limit) = &route.limit {
        say("rate limit", format!("by {:?}", limit.key).to_lowercase());
    }
    say("policy", route.policy.to_string());
    say("body limit", format!("{} bytes", route.body_limit));
    if let Some(extras) = extras {
        for (name, value) in extras.after_the_token() {
            say(name, value);
        }
    }
    if route.strip > 0 {
        say("strips", format!("{} bytes of the path", route.strip));
    }
    let cluster = |at: usize| {
        let call = shared.calls.get(at);
        call.map(|call| call.service.name().to_string())
            .unwrap_or_default()
    };
    let calls = match &route.action {
        Action::Forward(at) => {
            say("to", cluster(*at));
            std::slice::from_ref(at)
        }
        Action::Split(split, places) => {
            for (at, share) in places.iter().zip(split.shares()) {
                say(
                    "to",
                    format!("{}, {share} of {}", cluster(*at), split.sum()),
                );
            }
            places
        }
        Action::Redirect(redirect) => {
            say("redirects", redirect.to_string());
            &[]
        }
        Action::Respond(response) => {
            say("responds", response.response().status().to_string());
            &[]
        }
    };
    if let Some(call) = calls.first().and_then(|at| shared.calls.get(*at)) {
        say("timeout", format!("{:?}", call.service.timeout()));
        if let Some(retry) = call.service.retry() {
            say("attempts", retry.max_attempts().to_string());
        }
        if call.service.hedge().is_some() {
            say("hedges", "on".to_owned());
        }
    }
    if let Some(mirror) = extras.and_then(|extras| extras.mirror.as_ref()) {
        say("mirrors", format!("{}, {mirror}", cluster(mirror.call)));
    }
    settings
}

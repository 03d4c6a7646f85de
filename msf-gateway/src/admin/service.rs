//! The service of the admin listener.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use msf_core::{
    body::Body,
    problem::{Code, Problem},
    server::{DrainPlan, Phase, Server},
    task,
};
use serde_json::{Value, json};
use tower_service::Service;

use super::{
    Admin,
    config::LogLevel,
    endpoint::{Endpoint, Order},
    explain::Asked,
    guard::Guard,
    page, views,
};
use crate::{gateway::Gateway, own::Scope};

/// The service of the admin listener.
#[derive(Clone)]
pub(crate) struct AdminService {
    shared: Arc<Seat>,
}

struct Seat {
    gateway: Gateway,
    server: Server,
    plan: DrainPlan,
    guard: Guard,
    config: Option<Arc<dyn Fn() -> Value + Send + Sync>>,
    log_level: Option<LogLevel>,
}

pub(crate) type AdminFuture =
    Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl AdminService {
    /// Operates a gateway that is served by `server`.
    pub(crate) fn new(admin: Admin, gateway: Gateway, server: Server, plan: DrainPlan) -> Self {
        let guard = Guard::new(admin.token.as_ref(), admin.is_read_only);
        Self {
            shared: Arc::new(Seat {
                gateway,
                server,
                plan,
                guard,
                config: admin.config,
                log_level: admin.log_level,
            }),
        }
    }
}

impl Service<Request<Body>> for AdminService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AdminFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> AdminFuture {
        let seat = Arc::clone(&self.shared);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let answer = seat.answer(&parts, body).await;
            let mut response = answer.unwrap_or_else(Problem::into_response);
            page::protect(response.headers_mut());
            Ok(response.map(Body::from))
        })
    }
}

impl Seat {
    async fn answer(&self, parts: &Parts, body: Body) -> Result<Response<Bytes>, Problem> {
        let (path, query) = (parts.uri.path(), parts.uri.query());
        let endpoint = Endpoint::of(path);
        let is_open = endpoint.is_some_and(|it| it.is_open(path));
        let allowed = self
            .guard
            .check(&parts.method, &parts.uri, &parts.headers, is_open);
        if let Err(refused) = allowed {
            tracing::warn!(target: TARGET, method = %parts.method, path, ?refused, "refused");
            return Ok(challenged(refused.into()));
        }
        let endpoint = endpoint.ok_or_else(|| Problem::new(Code::NotFound))?;
        if !endpoint.takes(&parts.method) {
            let mut response = Problem::new(Code::MethodNotAllowed).into_response::<Bytes>();
            let allow = HeaderValue::from_static(endpoint.allow());
            response.headers_mut().insert(header::ALLOW, allow);
            return Ok(response);
        }
        let shared = self.gateway.shared();
        Ok(match endpoint {
            Endpoint::Page => page::html(),
            Endpoint::Style => page::style(),
            Endpoint::Script => page::script(),
            Endpoint::Own => {
                let own = shared
                    .own
                    .answer(Scope::Operations, &parts.method, path, query);
                own.ok_or_else(|| Problem::new(Code::NotFound))?.await
            }
            Endpoint::Routes => shown(&views::routes(&shared)),
            Endpoint::Clusters => shown(&views::clusters(&shared)),
            Endpoint::Breakers => shown(&views::breakers(&shared)),
            Endpoint::Config => {
                let mut config = views::config(&self.gateway, &shared);
                if let (Some(config), Some(document)) = (config.as_object_mut(), &self.config) {
                    config.insert("document".to_owned(), document());
                }
                shown(&config)
            }
            Endpoint::Explain => {
                let asked = Asked::parse(query)?;
                shown(&views::explain(&self.gateway, &asked))
            }
            Endpoint::LogLevel => {
                let level = self.log_level.as_ref().ok_or_else(|| {
                    Problem::new(Code::NotImplemented)
                        .with_detail("this program does not let its log level be changed here")
                })?;
                if parts.method == http::Method::POST {
                    let directive = directive(body).await?;
                    (level.set)(&directive).map_err(|error| {
                        Problem::new(Code::ValidationFailed).with_detail(error.to_string())
                    })?;
                    tracing::warn!(target: TARGET, level = directive, "the log level was changed");
                }
                shown(&json!({ "level": (level.current)() }))
            }
            Endpoint::Drain => shown(&self.drain()),
            Endpoint::Breaker(service, order) => {
                let client = views::find(&shared, service)?;
                let breaker = client.breaker();
                match order {
                    Order::Open => breaker.force_open(),
                    Order::Close => breaker.metrics_only(),
                    Order::Release => breaker.release(),
                }
                tracing::warn!(target: TARGET, service, ?order, "a breaker was ordered");
                shown(&views::breaker(breaker))
            }
        })
    }

    /// Begins the end, which takes as long as the plan says. Does nothing when it has begun.
    fn drain(&self) -> Value {
        let drain = self.server.drain().clone();
        let plan = self.plan;
        if drain.phase() == Phase::Serving {
            tracing::warn!(target: TARGET, "the gateway was told to drain");
            self.gateway.health().set_draining();
            // Here and not in the task: who asks again finds that it has begun.
            drain.advance(Phase::Draining);
            task::spawn("gateway drain", async move { drain.run(plan).await }).detach();
        }
        let phase = match self.server.drain().phase() {
            Phase::Serving => "serving",
            Phase::Draining => "draining",
            Phase::Stopping => "stopping",
            Phase::Cut => "cut",
        };
        json!({
            "phase": phase,
            "connections": self.server.connections(),
            "delay_ms": u64::try_from(plan.delay().as_millis()).unwrap_or(u64::MAX),
            "timeout_ms": u64::try_from(plan.timeout().as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// The level, as JSON `{"level": ".."}` or as plain text.
async fn directive(body: Body) -> Result<String, Problem> {
    let unreadable = || Problem::new(Code::BadRequest).with_detail("the body cannot be read");
    let body = Limited::new(body, DIRECTIVE_MAX).collect().await;
    let body = body.map_err(|_| unreadable())?.to_bytes();
    let text = std::str::from_utf8(&body).map_err(|_| unreadable())?.trim();
    if !text.starts_with('{') {
        return Ok(text.to_owned());
    }
    let document: Value = serde_json::from_str(text).map_err(|_| unreadable())?;
    let level = document.get("level").and_then(Value::as_str);
    level.map(str::to_owned).ok_or_else(|| {
        Problem::new(Code::BadRequest)
            .with_detail("the body has no `level`, such as {\"level\": \"debug\"}")
    })
}

fn challenged(problem: Problem) -> Response<Bytes> {
    let is_401 = problem.status() == http::StatusCode::UNAUTHORIZED;
    let mut response: Response<Bytes> = problem.into_response();
    if is_401 {
        let challenge = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn shown(document: &Value) -> Response<Bytes> {
    let mut body = serde_json::to_vec_pretty(document).unwrap_or_default();
    body.push(b'\n');
    let mut response = Response::new(Bytes::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

const TARGET: &str = "msf_gateway::admin";
/// What a directive of the log may have at most, and its JSON around it.
const DIRECTIVE_MAX: usize = 8 << 10;

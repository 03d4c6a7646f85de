//! Rate limits that never refuse.

use std::{hint::black_box, mem, num::NonZeroU32, sync::Arc};

use axum::body::Body;
use http::{HeaderName, HeaderValue, Request};
use msf_core::BoxError;
use msf_resilience::rate_limit::{DirectLimiter, Quota, RateLimitLayer, RateLimiter};
use tower::{
    Layer, Service,
    limit::{RateLimit, rate::Rate},
};
use tower_governor::{
    GovernorError, GovernorLayer, governor::GovernorConfigBuilder, key_extractor::KeyExtractor,
};
use tower_resilience::ratelimiter::RateLimiterLayer;

use crate::{
    Bare, SECOND,
    calls::{Answers, call, missed, returned},
    runner, service,
    table::{Base, Table},
};

/// So large that nothing is refused while the table is made.
const PLENTY: u32 = 1_000_000_000;
const KEYS: usize = 10_000;
const HEADERS: usize = 1_000;
/// From one key to the next: it has no divisor in common with their numbers.
const STEP: usize = 617;
/// Calls of a round that meets every key.
const EVERY_KEY: u32 = 10_000;
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

pub(crate) fn rows(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    direct(table, bare)?;
    keyed(table)?;
    by_header(table)
}

fn direct(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    table.heading("rate limit, one for all calls");
    let limit = DirectLimiter::builder(Quota::per_second(PLENTY)).build_direct()?;
    table
        .operation("msf, the handle alone", None, move || {
            if black_box(limit.check()).is_err() {
                missed();
            }
        })
        .target(21.0, 100.0);
    let quota = governor::Quota::per_second(NonZeroU32::try_from(PLENTY)?);
    let limit = Arc::new(governor::RateLimiter::direct(quota));
    table.operation("governor", None, move || {
        if black_box(limit.check()).is_err() {
            missed();
        }
    });
    let layer = RateLimiterLayer::builder()
        .limit_for_period(PLENTY as usize)
        .refresh_period(SECOND)
        .build()?;
    service(
        table,
        bare.at_once,
        "tower-resilience, fixed window",
        layer.layer(Answers),
    );
    let layer = RateLimiterLayer::burst(PLENTY as usize, PLENTY as usize).build()?;
    service(
        table,
        bare.at_once,
        "tower-resilience, token bucket",
        layer.layer(Answers),
    );
    let limit = RateLimit::new(Answers, Rate::new(u64::from(PLENTY), SECOND));
    table.runners(
        "tower (cannot be shared)",
        Some(bare.at_once),
        runner(limit),
        None,
    );
    Ok(())
}

fn keyed(table: &mut Table) -> Result<(), BoxError> {
    table.heading("rate limit, 10 000 strings as keys");
    let names: Arc<[String]> = (0..KEYS).map(|key| format!("client-{key:05}")).collect();
    let keys = |thread| Keys {
        names: Arc::clone(&names),
        place: thread * KEYS / 2,
    };
    table
        .by_thread("(to get at the key, subtracted below)", None, |thread| {
            let mut keys = keys(thread);
            move || {
                black_box(keys.next());
            }
        })
        .at_least(EVERY_KEY);
    let base = Some(table.last());
    let limit = RateLimiter::<String>::builder(Quota::per_second(PLENTY)).build()?;
    table
        .by_thread("msf, the handle alone", base, |thread| {
            let (limit, mut keys) = (limit.clone(), keys(thread));
            move || {
                if black_box(limit.check(keys.next())).is_err() {
                    missed();
                }
            }
        })
        .at_least(EVERY_KEY)
        .target(50.0, 100.0);
    let quota = governor::Quota::per_second(NonZeroU32::try_from(PLENTY)?);
    let limit = Arc::new(governor::RateLimiter::dashmap(quota));
    table
        .by_thread("governor", base, |thread| {
            let (limit, mut keys) = (Arc::clone(&limit), keys(thread));
            move || {
                if black_box(limit.check_key(keys.next())).is_err() {
                    missed();
                }
            }
        })
        .at_least(EVERY_KEY);
    Ok(())
}

fn by_header(table: &mut Table) -> Result<(), BoxError> {
    table.heading("rate limit as a layer, by a header of 1 000 values");
    let base = None;
    http(
        table,
        "(the service inside, subtracted below)",
        base,
        Answers,
    );
    let base = Some(table.last());
    let limit = RateLimiter::<HeaderValue>::builder(Quota::per_second(PLENTY)).build()?;
    let layer = RateLimitLayer::new(limit, key);
    http(table, "msf", base, layer.layer(Answers));
    let config = GovernorConfigBuilder::default()
        .per_nanosecond(1)
        .burst_size(PLENTY)
        .key_extractor(Header)
        .finish()
        .ok_or("tower_governor's quota is zero")?;
    let layer = GovernorLayer::<_, _, Body>::new(config);
    http(table, "tower_governor", base, layer.layer(Answers));
    Ok(())
}

fn key(request: &Request<()>) -> Option<HeaderValue> {
    request.headers().get(API_KEY).cloned()
}

#[derive(Clone, Debug)]
struct Header;

impl KeyExtractor for Header {
    type Key = HeaderValue;

    fn extract<T>(&self, request: &Request<T>) -> Result<HeaderValue, GovernorError> {
        let key = request.headers().get(API_KEY).cloned();
        key.ok_or(GovernorError::UnableToExtractKey)
    }
}

/// A row for a service of HTTP. Each thread has its requests beforehand, and gets them back.
#[expect(
    clippy::needless_pass_by_value,
    reason = "as the other kinds of rows take theirs"
)]
fn http<S>(table: &mut Table, name: &'static str, base: Option<Base>, service: S)
where
    S: Service<Request<()>, Response = http::Response<Body>> + Clone + Send + 'static,
{
    let requests: Vec<_> = (0..HEADERS).map(request).collect();
    table
        .by_thread(name, base, |thread| {
            let (mut service, mut requests) = (service.clone(), requests.clone());
            let mut place = thread * HEADERS / 2;
            move || {
                place = (place + STEP) % HEADERS;
                let request = mem::take(&mut requests[place]);
                let response = call(&mut service, request);
                if let Some(request) = returned() {
                    requests[place] = request;
                }
                if black_box(response).is_none() {
                    missed();
                }
            }
        })
        .at_least(EVERY_KEY);
}

fn request(number: usize) -> Request<()> {
    let mut request = Request::new(());
    if let Ok(key) = HeaderValue::try_from(format!("client-{number:05}")) {
        request.headers_mut().insert(API_KEY, key);
    }
    request
}

/// Keys in an order that the branch predictor and the cache do not know by heart.
#[derive(Debug)]
struct Keys {
    names: Arc<[String]>,
    place: usize,
}

impl Keys {
    fn next(&mut self) -> &String {
        self.place = (self.place + STEP) % KEYS;
        &self.names[self.place]
    }
}

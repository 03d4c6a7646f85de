//! Limits that several gateways share.

use super::{parts::Parts, report::Report};
use crate::{
    config::{RedisConfig, SharedRateLimitConfig},
    route::Route,
};

#[cfg(feature = "redis")]
pub(in crate::config) use self::redis::Stores;

/// Looks at the settings alone.
pub(super) fn check(config: &RedisConfig, report: &mut Report) {
    let Some(url) = &config.url else {
        report.hint("redis.url", "must be set", "as \"env:REDIS_URL\"");
        return;
    };
    if config.instances == Some(0) {
        report.at("redis.instances", "must be 1 or more");
    }
    #[cfg(feature = "redis")]
    redis::check(config, url, report);
    #[cfg(not(feature = "redis"))]
    {
        let _is_set = url;
        report.hint(
            "redis",
            "this program was built without Redis",
            "build it with the feature `redis`",
        );
    }
}

/// The route with its shared limit.
pub(super) fn limited(
    route: Route,
    limit: &SharedRateLimitConfig,
    redis: Option<&RedisConfig>,
    id: Option<&str>,
    at: &str,
    parts: &mut Parts<'_>,
    report: &mut Report,
) -> Route {
    let Some(redis) = redis else {
        report.hint(at, "needs a store", "add [redis] with `url`");
        return route;
    };
    #[cfg(feature = "redis")]
    {
        redis::limited(route, limit, redis, id, at, parts, report)
    }
    // Said once, at `redis`.
    #[cfg(not(feature = "redis"))]
    {
        let _unused = (limit, redis, id, parts);
        route
    }
}

#[cfg(feature = "redis")]
mod redis {
    use std::{collections::HashMap, sync::Arc};

    use msf_resilience::rate_limit::{
        Quota,
        redis::{Fallback, InvalidRedisStore, RedisStore},
        shared::{OnFailure, SharedRateLimiter},
        store::LimitStore,
    };

    use super::{super::routes::quota, Parts, Report};
    use crate::{
        config::{OnRedisFailure, RateLimitKey, RedisConfig, SecretText, SharedRateLimitConfig},
        limit::Key,
        route::Route,
    };

    /// The stores of one Redis, and the quotas of the names in it.
    #[derive(Clone, Debug, Default)]
    pub(in crate::config) struct Stores {
        config: Option<RedisConfig>,
        /// Counts by itself meanwhile.
        sharing: Option<Arc<dyn LimitStore>>,
        /// Says that it cannot count.
        strict: Option<Arc<dyn LimitStore>>,
        quotas: HashMap<String, (Quota, String)>,
    }

    impl Stores {
        /// Without Redis, for a process that is alone.
        #[cfg(feature = "testing")]
        pub(in crate::config) fn in_memory(config: &RedisConfig) -> Self {
            let store: Arc<dyn LimitStore> =
                Arc::new(msf_resilience::rate_limit::store::MemoryStore::new(100_000));
            Self {
                config: Some(config.clone()),
                sharing: Some(Arc::clone(&store)),
                strict: Some(store),
                quotas: HashMap::new(),
            }
        }
    }

    pub(super) fn check(config: &RedisConfig, url: &SecretText, report: &mut Report) {
        let Err(error) = store(config, url, false).and_then(|it| it.build()) else {
            return;
        };
        let key = match &error {
            InvalidRedisStore::Url(_) => "redis.url",
            InvalidRedisStore::Prefix => "redis.prefix",
            InvalidRedisStore::Timeout(_) => "redis.timeout",
            InvalidRedisStore::ConnectTimeout(_) => "redis.connect_timeout",
            _ => "redis",
        };
        report.at(key, error);
    }

    pub(super) fn limited(
        route: Route,
        limit: &SharedRateLimitConfig,
        redis: &RedisConfig,
        id: Option<&str>,
        at: &str,
        parts: &mut Parts<'_>,
        report: &mut Report,
    ) -> Route {
        let Some(quota) = quota(limit.requests, limit.per, limit.burst, at, report) else {
            return route;
        };
        let Some(name) = limit.name.as_deref().or(id) else {
            report.hint(
                format!("{at}.name"),
                "must be set where the route has no id",
                "gateways count together by it",
            );
            return route;
        };
        let quotas = &mut parts.next.stores.quotas;
        let known = quotas.entry(name.to_owned());
        let (other, place) = known.or_insert_with(|| (quota, at.to_owned()));
        if *other != quota {
            report.hint(
                at,
                format_args!("{place} counts by the name {name:?} too, and says something else"),
                "routes that count together have one limit",
            );
            return route;
        }
        // What is wrong with Redis itself was said there.
        let Some(store) = parts.store(redis, limit.on_failure) else {
            return route;
        };
        let mut builder = SharedRateLimiter::builder_in(store, quota).name(name.to_owned());
        if let Some(metrics) = parts.metrics {
            builder = builder.metrics(metrics);
        }
        let Some(limiter) = report.check(at, builder.build()) else {
            return route;
        };
        let key = match limit.by {
            RateLimitKey::Client => Key::Client,
            RateLimitKey::Subject => Key::Subject,
        };
        let on_failure = match limit.on_failure {
            OnRedisFailure::Share | OnRedisFailure::Refuse => OnFailure::Refuse,
            OnRedisFailure::Allow => OnFailure::Allow,
        };
        route.shared_rate_limit_or(limiter, key, on_failure)
    }

    impl Parts<'_> {
        /// The store of a Redis: the same for as long as that is, so that a reload closes no connection and forgives nobody
        /// what was counted here.
        fn store(
            &mut self,
            config: &RedisConfig,
            on_failure: OnRedisFailure,
        ) -> Option<Arc<dyn LimitStore>> {
            let is_strict = on_failure != OnRedisFailure::Share;
            let before = &self.before.stores;
            let before = (before.config.as_ref() == Some(config)).then_some(before);
            let next = &mut self.next.stores;
            let (next_store, before) = if is_strict {
                (&mut next.strict, before.and_then(|it| it.strict.clone()))
            } else {
                (&mut next.sharing, before.and_then(|it| it.sharing.clone()))
            };
            if next_store.is_none() {
                *next_store = match before {
                    Some(store) => Some(store),
                    None => {
                        let mut builder = store(config, config.url.as_ref()?, is_strict).ok()?;
                        if let Some(metrics) = self.metrics {
                            builder = builder.metrics(metrics);
                        }
                        Some(Arc::new(builder.build().ok()?))
                    }
                };
            }
            let store = next_store.clone();
            next.config = Some(config.clone());
            store
        }
    }

    fn store(
        config: &RedisConfig,
        url: &SecretText,
        is_strict: bool,
    ) -> Result<msf_resilience::rate_limit::redis::RedisStoreBuilder, InvalidRedisStore> {
        let mut builder = RedisStore::builder(url.secret().expose().clone());
        builder = if is_strict {
            builder.name("redis-strict").fallback(Fallback::Nothing)
        } else {
            builder.fallback(Fallback::share_of(config.instances.unwrap_or(1)))
        };
        if let Some(prefix) = &config.prefix {
            builder = builder.prefix(prefix.clone());
        }
        if let Some(timeout) = config.timeout {
            builder = builder.timeout(timeout.get());
        }
        if let Some(timeout) = config.connect_timeout {
            builder = builder.connect_timeout(timeout.get());
        }
        Ok(builder)
    }
}

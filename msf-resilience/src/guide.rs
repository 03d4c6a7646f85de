//! Runs the code of the guide's pages on resilience as doc tests, so that none can go stale.
//!
//! It exists under `cfg(doctest)` only, in the repository only: `cargo package` takes no file from outside of the
//! crate, and nothing but `cargo test --doc` ever looks at this module.

macro_rules! pages {
    ($($page:ident = $path:literal;)+) => {
        $(
            #[doc = include_str!(concat!("../../docs/guide/resilience/", $path))]
            mod $page {}
        )+
    };
}

pages! {
    adaptive = "adaptive.md";
    bulkhead = "bulkhead.md";
    circuit_breaker = "circuit-breaker.md";
    coalesce = "coalesce.md";
    deadline = "deadline.md";
    fallback = "fallback.md";
    fault_injection = "fault-injection.md";
    hedge = "hedge.md";
    index = "README.md";
    load_shed = "load-shed.md";
    rate_limit = "rate-limit.md";
    retry = "retry.md";
    timeout = "timeout.md";
}

#[cfg(feature = "redis")]
pages! {
    rate_limit_redis = "rate-limit-redis.md";
}

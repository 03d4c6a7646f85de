//! Runs the code of the guide in `docs/guide` as doc tests, so that no page can go stale.
//!
//! It exists under `cfg(doctest)` only, in the repository only: `cargo package` takes no file from outside of the
//! crate, and nothing but `cargo test --doc` ever looks at this module.

macro_rules! pages {
    ($($page:ident = $path:literal;)+) => {
        $(#[doc = include_str!(concat!("../../docs/guide/", $path))] mod $page {})+
    };
}

pages! {
    repository = "../../README.md";
    index = "README.md";
    first_service = "first-service.md";
    configuration = "configuration.md";
    errors = "errors.md";
    observability = "observability.md";
    health = "health.md";
    shutdown = "shutdown.md";
    server_limits = "server-limits.md";
    testing = "testing.md";
}

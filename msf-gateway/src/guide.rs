//! Runs the code of the guide's pages on the gateway as doc tests, so that none can go stale.
//!
//! It exists under `cfg(doctest)` only, in the repository only: `cargo package` takes no file from outside of the
//! crate, and nothing but `cargo test --doc` ever looks at this module.

macro_rules! pages {
    ($($page:ident = $path:literal;)+) => {
        $(
            #[doc = include_str!(concat!("../../docs/guide/gateway/", $path))]
            mod $page {}
        )+
    };
}

pages! {
    listeners = "listeners.md";
    policies = "policies.md";
    routes = "routes.md";
    testing = "testing.md";
}

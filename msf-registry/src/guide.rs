//! Runs the code of the guide's pages on the registry as doc tests, so that none can go stale.
//!
//! It exists under `cfg(doctest)` only, in the repository only: `cargo package` takes no file from outside of the
//! crate, and nothing but `cargo test --doc` ever looks at this module.

macro_rules! pages {
    ($($(#[$when:meta])* $page:ident = $path:literal;)+) => {
        $(
            $(#[$when])*
            #[doc = include_str!(concat!("../../docs/guide/registry/", $path))]
            mod $page {}
        )+
    };
}

pages! {
    #[cfg(all(feature = "consul", feature = "dns", feature = "etcd", feature = "file"))]
    backends = "backends.md";
    hashing = "hashing.md";
    #[cfg(feature = "health")]
    health = "health.md";
    load_balancing = "load-balancing.md";
    outages = "outages.md";
    outliers = "outliers.md";
}

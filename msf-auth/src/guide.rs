//! Runs the code of the guide's pages on auth as doc tests, so that none can go stale.
//!
//! It exists under `cfg(doctest)` only, in the repository only: `cargo package` takes no file from outside of the
//! crate, and nothing but `cargo test --doc` ever looks at this module.

macro_rules! pages {
    ($($(#[$when:meta])* $page:ident = $path:literal;)+) => {
        $(
            $(#[$when])*
            #[doc = include_str!(concat!("../../docs/guide/auth/", $path))]
            mod $page {}
        )+
    };
}

pages! {
    conformance = "conformance.md";
    index = "README.md";
    #[cfg(feature = "password")]
    passwords = "passwords.md";
    #[cfg(feature = "axum")]
    policies = "policies.md";
    refresh_tokens = "refresh-tokens.md";
    revocation = "revocation.md";
    verify = "verify.md";
    keys = "keys.md";
    issuing = "issuing.md";
    #[cfg(all(feature = "jwks", feature = "oauth-client"))]
    key_sources = "key-sources.md";
}

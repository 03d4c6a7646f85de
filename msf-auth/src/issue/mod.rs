//! Tokens of our own: issued with a key that stays on this machine.
//!
//! ```
//! use msf_auth::{BearerSource, TokenIssuer};
//!
//! # let dir = std::env::temp_dir().join(format!("msf-auth-doc-{}", std::process::id()));
//! // Made at the first start, read at every other.
//! let issuer = TokenIssuer::open(&dir, "https://order.shop")?;
//! assert_eq!(TokenIssuer::open(&dir, "https://order.shop")?.key_id(), issuer.key_id());
//!
//! // For calls to another service: short-lived, kept and renewed.
//! let payment = issuer.service_tokens("order", "payment");
//! assert!(payment.bearer()?.to_str()?.starts_with("Bearer ey"));
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), msf_core::BoxError>(())
//! ```
//!
//! # The key file
//!
//! `signing-key.pem` in the directory, PKCS#8, readable by its owner only. It appears at once or not at all, also
//! when several processes start together: all of them use the key of the first. A file that is unreadable,
//! broken or open to others is an error and never replaced, since a new key would end every token in use.

mod builder;
mod error;
mod issuer;
mod key_file;
mod pem;
mod service_tokens;

pub use self::{
    builder::TokenBuilder,
    error::{InvalidToken, IssueError, KeyFileError},
    issuer::TokenIssuer,
    service_tokens::ServiceTokens,
};

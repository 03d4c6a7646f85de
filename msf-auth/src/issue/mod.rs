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
//!
//! # Keys that take turns
//!
//! One key for ever is for tests and for the first day. A [`KeyRing`] takes the same directory, makes its key the first
//! of several and rotates them:
//!
//! | state | published | signs | for |
//! |---|---|---|---|
//! | [Staged](KeyState::Staged) | yes | no | at least [`staging`](RotationPolicy::staging): every cache has it before it signs |
//! | [Active](KeyState::Active) | yes | yes | [`period`](RotationPolicy::period) |
//! | [Retired](KeyState::Retired) | yes | no | until the last token that it signed has ended |
//! | [Gone](KeyState::Gone) | no | no | its file is removed |
//!
//! There always is a staged key, so that a [revoked](KeyRing::revoke) one has a successor that verifiers have already.
//!
//! ```
//! use msf_auth::{KeyRing, TokenIssuer, issue::KeyState};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! # let dir = std::env::temp_dir().join(format!("msf-auth-ring-doc-{}", std::process::id()));
//! let ring = KeyRing::open(&dir)?;
//! let _rotating = ring.keep_rotating();
//! let issuer = TokenIssuer::with_ring("https://user.shop", ring.clone());
//! assert_eq!(issuer.jwks().len(), 2);
//!
//! // Somebody else has the key: out with it.
//! let stolen = issuer.key_id();
//! ring.revoke(&stolen).await?;
//! assert!(!issuer.jwks().contains(&stolen));
//! assert_eq!(ring.keys()[0].state, KeyState::Active);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok(())
//! # }
//! ```
//!
//! # On disk
//!
//! One file for each key, PKCS#8 in PEM and its owner's only, and `ring.json`, which says whose turn it is and is
//! replaced at once or not at all. Several processes may share the directory: a change reads the manifest, changes
//! it and writes it back under a lock (`ring.lock`), so that none is lost. The file system has to have locks that
//! all of them see, which some network file systems do not.
//!
//! Whatever cannot be read, written or trusted is an error that says what to do. The keys in use stay in use, and
//! nothing is replaced.
//!
//! # Clocks
//!
//! States change by the wall clock, in whole seconds. A clock that was set back makes no state last longer than it
//! would from then on; one that says a time before 2025 was not set yet and changes nothing. One that is set ahead
//! ends states early: tokens end by the same clock.
//!
//! # Metrics
//!
//! `msf_auth_ring_keys`, `msf_auth_ring_changes_total`, `msf_auth_ring_failures_total`.

mod builder;
mod error;
mod issuer;
mod key_file;
mod pem;
mod ring;
mod service_tokens;

pub(crate) use self::builder::{is_own_claim, is_scope};
pub(crate) use self::ring::{CHANGES, FAILURES, KEYS};
pub use self::{
    builder::TokenBuilder,
    error::{InvalidToken, IssueError, KeyFileError},
    issuer::TokenIssuer,
    ring::{
        InvalidRotation, KeyChange, KeyRing, KeyRingBuilder, KeyRingError, KeyState, KeyStatus,
        RotationPolicy,
    },
    service_tokens::ServiceTokens,
};

//! Refresh tokens: one successor each, and an alarm when a used one comes back.
//!
//! A login gives a short access token and a long refresh token. The refresh token is good for one exchange: it is
//! answered with its successor. If it comes back later, two have it, and one of them stole it: the whole session ends.
//!
//! ```
//! use msf_auth::refresh::{
//!     Grant, MemoryRefreshStore, Presented, RefreshError, RefreshPolicy, RefreshTokens,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! let tokens = RefreshTokens::new(MemoryRefreshStore::new(), RefreshPolicy::default())?;
//! let login = Grant::new("7").client("web").scopes(["orders:read"]);
//! let first = tokens.issue(login).await?;
//!
//! let text = first.token.expose();
//! let second = tokens.rotate(&Presented::new(text).client("web")).await?;
//! assert_eq!(second.grant.subject(), "7");
//!
//! // The answer was lost, or two tabs asked at once: the same successor again, for 20 seconds.
//! let again = tokens.rotate(&Presented::new(text).client("web")).await?;
//! assert_eq!(again.token.expose(), second.token.expose());
//!
//! // The successor is in use, so the first one has no business any more: the session is over.
//! tokens.rotate(&Presented::new(second.token.expose()).client("web")).await?;
//! let stolen = tokens.rotate(&Presented::new(text).client("web")).await;
//! assert!(matches!(stolen, Err(RefreshError::Reused { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! # What is kept
//!
//! A *family* is the line of tokens that begins with one login: one row in a [`RefreshStore`], however often it was
//! rotated. It has the SHA-256 of the token that is valid now and of the one before, never a token. A token is
//! `msfr_` and 91 characters: the id of its family, its generation, 256 random bits, and a tag by which a token of long
//! ago is told from one that somebody made up. The key of the tag lies in the row; whoever reads the store can make
//! up tokens that end a session, and none that is accepted.
//!
//! During the grace the successor is kept too, encrypted under a key that only the holder of its predecessor has.
//!
//! # Rules
//!
//! | a token that | is answered with |
//! |---|---|
//! | is valid now | its successor; of many requests at once one makes it and the others get the same |
//! | was rotated less than [`grace`](RefreshPolicy::grace) ago, by the same generation | the same successor |
//! | was rotated before that, or whose successor was rotated | [`RefreshError::Reused`]; the family is revoked |
//! | was not used for [`idle`](RefreshPolicy::idle), or whose login is [`absolute`](RefreshPolicy::absolute) ago | [`RefreshError::Expired`] |
//! | is of a revoked family | [`RefreshError::Revoked`], also within the grace |
//! | belongs to another client | [`RefreshError::OtherClient`]; nothing changes |
//! | is no token of ours | [`RefreshError::Unknown`]; nothing changes |
//!
//! Every change is one compare-and-set of one row. Times are in milliseconds. A clock that is set back makes nothing
//! last longer while the process runs; if it was set back before, a session that was used later than five minutes from
//! now is answered with [`RefreshError::Store`] until the clock is right. A clock that is ahead ends sessions early, also
//! after it was set right, until the process is restarted.
//!
//! # Cancel safety
//!
//! A call that is dropped has happened or not. A rotation that happened and whose answer was lost is repeated within
//! the grace.

mod clock;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod error;
mod family;
mod grant;
mod judge;
mod memory;
mod metrics;
mod policy;
mod revoke;
mod rotate;
mod seal;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod sweep;
#[cfg(test)]
mod tests;
mod text;
mod tokens;

#[cfg(feature = "oauth")]
pub(crate) use self::judge::Verdict;
pub(crate) use self::metrics::TOKENS;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteRefreshStore;
pub use self::{
    error::{InvalidGrant, InvalidRefreshPolicy, RefreshError},
    family::{Family, FamilyId, InvalidFamily},
    grant::{Grant, Presented},
    memory::MemoryRefreshStore,
    policy::RefreshPolicy,
    rotate::Rotated,
    store::{Owner, RefreshStore},
    tokens::{Issued, RefreshTokens},
};

//! One spelling for each path: what is routed, what the policy judges and what is forwarded.
//!
//! A gateway that matches one spelling of a path and forwards another guards nothing: `/login/../admin`
//! and `/login%2f..%2fadmin` are public to a prefix check and private to the service. So a path has one
//! canonical spelling here, made once per request, and a path that a service might read in another way
//! has none: it is refused.
//!
//! | in the path | what becomes of it |
//! |---|---|
//! | an encoded letter, digit or `-._~` | decoded (RFC 3986 §6.2.2.2) |
//! | any other encoded byte | stays encoded, with upper-case digits (§6.2.2.1) |
//! | `.` and `..` segments, encoded or not | refused |
//! | empty segments (`//`) | refused; one `/` at the end is kept |
//! | `%2f`, `%5c`, `\` | refused: a separator to some readers |
//! | `;`, `%3b` | refused: path parameters hide text from the readers that know them |
//! | `%00` to `%1f`, `%7f` | refused |
//! | `%25` before two hex digits | refused: encoded twice |
//! | bytes that are no UTF-8 once decoded | refused: overlong forms of `/` and `.` |
//! | anything that RFC 3986 does not allow in a path | refused |
//!
//! The query is not part of the path and is forwarded as it came.
//!
//! ```
//! use msf_gateway::path::{CanonicalPath, InvalidPath};
//!
//! let path = CanonicalPath::parse("/api/%6frders/caf%c3%a9")?;
//! assert_eq!(path.as_str(), "/api/orders/caf%C3%A9");
//!
//! assert_eq!(CanonicalPath::parse("/login/%2e%2e/admin"), Err(InvalidPath::DotSegment));
//! assert_eq!(CanonicalPath::parse("/login%2f..%2fadmin"), Err(InvalidPath::Separator));
//! # Ok::<(), InvalidPath>(())
//! ```

mod canonical;
mod error;
#[cfg(test)]
mod tests;

pub use self::{canonical::CanonicalPath, error::InvalidPath};

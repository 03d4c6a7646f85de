//! Claims that are something else.

use thiserror::Error;

/// The claims of a caller do not fit the type that was asked for.
///
/// The message names the place and the types, not the values. It is for the log: what a service expects of
/// its tokens is not for its callers.
#[derive(Debug, Error)]
#[error("the claims are not what was expected")]
#[non_exhaustive]
pub struct InvalidClaims {
    #[source]
    source: Category,
}

/// `serde_json` writes the unexpected value into its message; what stays here is where it was.
#[derive(Debug, Error)]
#[error("a claim is missing or of another type, at column {column}")]
struct Category {
    column: usize,
}

impl InvalidClaims {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is a function to map errors with"
    )]
    pub(super) fn new(error: serde_json::Error) -> Self {
        let source = Category {
            column: error.column(),
        };
        Self { source }
    }
}

//! What can be wrong with a transform.

/// A change of headers or paths that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTransform {
    /// A brace that opens or closes nothing.
    #[error("{0:?} has a brace without its other; a brace itself is written twice")]
    Brace(String),
    /// A header that two of `set`, `add` and `remove` name, so that the outcome would depend on their order.
    #[error("the header {0:?} is named twice")]
    HeaderTwice(String),
    /// A text that is no name of a header.
    #[error("{0:?} is no name of a header")]
    HeaderName(String),
    /// A value, for this header, with bytes that no header may have. It is not told, for it may be a secret.
    #[error("the value for {0:?} has bytes that no header may have, such as the end of a line")]
    HeaderValue(String),
    /// A header that belongs to the connection or is the gateway's own business.
    #[error("the header {0:?} is the gateway's own business")]
    ReservedHeader(String),
    /// A path that is not canonical, so that it would not arrive as it is written.
    #[error("{0:?} is no canonical path")]
    Path(String),
    /// Two of `strip_prefix`, `replace_prefix` and `rewrite`.
    #[error("the path is changed in two ways")]
    PathTwice,
    /// Only a prefix can be replaced.
    #[error("only a route of a prefix can replace it")]
    NoPrefix,
    /// A name in braces that nothing has.
    #[error("{{{0}}} is not known here")]
    Unknown(String),
}

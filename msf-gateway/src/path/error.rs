//! Why a path has no canonical spelling.

use msf_core::problem::{Code, Problem};

/// A path that two readers could take for two different paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPath {
    /// A character that RFC 3986 does not allow in a path.
    #[error("the path has a character that must be percent-encoded")]
    Character,
    /// An encoded control character.
    #[error("the path has an encoded control character")]
    Control,
    /// A `.` or `..` segment.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A percent sign that was encoded in front of what looks like another escape.
    #[error("the path is percent-encoded twice")]
    DoubleEncoding,
    /// Two slashes in a row.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// A percent sign without two hex digits.
    #[error("the path has a malformed percent-encoding")]
    Encoding,
    /// It does not begin with a slash, as that of `OPTIONS *`.
    #[error("the request target is not an absolute path")]
    NotAbsolute,
    /// Encoded bytes that are not UTF-8.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// A semicolon.
    #[error("the path has a path parameter")]
    Parameter,
    /// An encoded slash, or a backslash.
    #[error("the path has an encoded separator")]
    Separator,
}

impl From<InvalidPath> for Problem {
    fn from(error: InvalidPath) -> Self {
        Self::new(Code::BadRequest).with_detail(error.to_string())
    }
}

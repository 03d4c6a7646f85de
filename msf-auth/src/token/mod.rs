//! The compact form of a token, read without mercy (RFC 7515, RFC 7519, RFC 8725).
//!
//! Nothing here looks at keys or at the time: text goes in, checked parts come out.

pub(crate) mod base64url;
mod claims;
mod compact;
mod header;
pub(crate) mod json;
mod list;
mod numeric_date;
mod scan;
mod span;

pub(crate) use self::{
    claims::{Claims, KIND_CLAIM, KIND_SERVICE, Member},
    compact::Compact,
    header::Header,
    numeric_date::MAX_S,
    scan::Text,
    span::Span,
};

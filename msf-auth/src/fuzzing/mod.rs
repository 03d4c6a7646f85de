//! What fuzz targets call: each takes any bytes, and panics when two ways to the same answer part.
//!
//! Not panicking is not enough of an oracle for a parser that decides who gets in. So whatever is accepted here is
//! also read by somebody else (serde_json, jsonwebtoken) or written and read again, and what must be accepted is.
//! `fuzz/` at the root of the repository runs these functions without end, the tests beside a bounded number of times.

mod claims;
mod header;
mod json;
mod keys;
mod policy;
mod text;
mod token;

#[cfg(test)]
mod tests;

pub use self::{
    claims::{claims, numeric_date},
    header::header,
    keys::{key, key_set},
    policy::policy,
    text::{api_key, bearer, compact},
    token::{signed, token},
};

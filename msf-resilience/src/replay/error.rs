//! Why a body cannot be read again.

/// The rest of a body is not there any more: it was too long to keep, or it failed while another reader read it.
///
/// A [`ReplayBody`](super::ReplayBody) ends with it, boxed, where its reader was in the middle of what is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body cannot be read again: it is too long, or it failed")]
#[expect(clippy::exhaustive_structs, reason = "a fact without parts")]
pub struct Lost;

//! What is kept of a body.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http_body::Body;
use msf_core::BoxError;

use super::{
    body::ReplayBody,
    shared::{Reader, Shared},
};

/// A body to send again; made by [`ReplayBody::keep`].
pub struct Kept<B>(pub(super) Source<B>);

pub(super) enum Source<B> {
    Memory(Option<Bytes>),
    Shared(Arc<Shared<B>>),
}

impl<B> Kept<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    /// The body from its beginning, unless it was too long to keep or failed while it was read.
    #[must_use]
    pub fn again(&self) -> Option<ReplayBody<B>> {
        match &self.0 {
            Source::Memory(bytes) => Some(ReplayBody::in_memory(bytes.clone())),
            Source::Shared(shared) => Reader::again(shared).map(ReplayBody::shared),
        }
    }
}

impl<B> Clone for Kept<B> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Source::Memory(bytes) => Source::Memory(bytes.clone()),
            Source::Shared(shared) => Source::Shared(Arc::clone(shared)),
        })
    }
}

impl<B> fmt::Debug for Kept<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Memory(bytes) => {
                let len = bytes.as_ref().map_or(0, Bytes::len);
                f.debug_struct("Kept").field("bytes", &len).finish()
            }
            Source::Shared(_) => f.debug_struct("Kept").finish_non_exhaustive(),
        }
    }
}

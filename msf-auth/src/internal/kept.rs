//! Tokens that were minted a moment ago.

use std::{fmt, sync::Arc};

use http::HeaderValue;
use quick_cache::sync::Cache;

use super::digest::Digest;

/// Minted tokens by what is in them, at most as many as were allowed; those that are used stay.
pub(super) struct Kept(Cache<Digest, Arc<Entry>>);

pub(super) struct Entry {
    pub(super) header: HeaderValue,
    pub(super) issued_s: u64,
    pub(super) keep_until_s: u64,
}

impl Kept {
    pub(super) fn new(kept_max: usize) -> Self {
        Self(Cache::new(kept_max))
    }

    pub(super) fn header(&self, digest: &Digest, now_s: u64) -> Option<HeaderValue> {
        let entry = self.0.get(digest)?;
        // A clock that was set back would make the token one of the future.
        let is_good = (entry.issued_s..entry.keep_until_s).contains(&now_s);
        is_good.then(|| entry.header.clone())
    }

    pub(super) fn keep(&self, digest: Digest, entry: Entry) {
        if entry.header.len() <= TOKEN_BYTES_MAX {
            self.0.insert(digest, Arc::new(entry));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Larger ones are minted each time: what is kept is bounded in number, and so has to be each.
const TOKEN_BYTES_MAX: usize = 4 * 1_024;

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

//! What a budget promises.

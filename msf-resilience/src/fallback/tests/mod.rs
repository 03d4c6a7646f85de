//! What a fallback promises.

mod rules;

//! Tokens that were verified a moment ago.

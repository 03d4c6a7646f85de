//! Tokens that are taken back before they end.

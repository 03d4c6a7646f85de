//! Signed messages without claims (RFC 7515).

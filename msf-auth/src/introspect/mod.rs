//! Opaque tokens, asked about at their issuer (RFC 7662).

//! Tokens for our own calls, fetched from an authorization server.

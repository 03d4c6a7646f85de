//! Real name servers.

//! What the stores in SQLite share.

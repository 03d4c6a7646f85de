//! Refresh tokens: one successor each, and an alarm when a used one comes back.

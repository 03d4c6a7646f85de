//! Headers that say who calls, and that callers must not send.

//! Keys for programs that cannot fetch tokens.

//! Identity inside: short tokens that a gateway mints for one service.

//! Data that is there only for whom it is meant.

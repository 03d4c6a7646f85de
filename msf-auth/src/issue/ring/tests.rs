//! Tests of the ring that reach into it.

//! Integration tests of msf-core, in one binary so that they link once.

mod trace;

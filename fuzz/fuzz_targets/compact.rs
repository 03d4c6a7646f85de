//! The three segments of a token.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| msf_auth::fuzzing::compact(data));

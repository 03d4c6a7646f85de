//! One key as a JWK.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| msf_auth::fuzzing::key(data));

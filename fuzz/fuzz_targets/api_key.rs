//! The text of an API key.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| msf_auth::fuzzing::api_key(data));

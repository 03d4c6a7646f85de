//! The text of a policy.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| msf_auth::fuzzing::policy(data));

//! A time in claims.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| msf_auth::fuzzing::numeric_date(data));

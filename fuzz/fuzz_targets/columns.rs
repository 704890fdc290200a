//! Lines to tables, against a model that is built on the reference parser.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| diurnal_fuzz::columns::check(input));

//! The parser against the reference parser, with every instruction set and at every alignment.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| diurnal_fuzz::lineproto::check(input));

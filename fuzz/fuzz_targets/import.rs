//! Lines to files and back, against the law.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // On the fuzzer's own thread: handing each small leaf to another one would cost more than to encode it.
    init: {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
        pool.build_global().expect("the first pool of the process");
    },
    |input: &[u8]| diurnal_fuzz::import::check(input)
);

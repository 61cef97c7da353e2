#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stayput::fuzzing::initramfs_image(bytes));

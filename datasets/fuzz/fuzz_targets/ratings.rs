//! The reader of ratings gives ratings with valid numbers, or an error, on any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strads_datasets::{ReadOptions, Source, read_ratings};

fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions { threads: 1, ..ReadOptions::default() };
    if let Ok(ratings) = read_ratings(&Source::memory("fuzz", bytes), &options) {
        assert!(ratings.users.iter().all(|&user| (user as usize) < ratings.user_ids.len()));
        assert!(ratings.items.iter().all(|&item| (item as usize) < ratings.item_ids.len()));
        assert!(ratings.values.iter().all(|value| value.is_finite()));
    }
});

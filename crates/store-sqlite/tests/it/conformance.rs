//! SQLite does what every store must do.

use crate::common::TempDir;
use store::Store;

fn with_store(test: &mut dyn FnMut(&dyn Store)) {
    let dir = TempDir::new();
    test(&dir.open());
}

store::conformance_tests!(with_store);

/// Longer than the one in the suite; `STORE_MODEL_SEEDS` and `STORE_MODEL_OPERATIONS` make it longer still.
#[test]
fn random_streams_of_several_seeds_are_answered_as_memory_answers_them() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    for seed in 0..number("STORE_MODEL_SEEDS", 4) {
        let dir = TempDir::new();
        let operations = number("STORE_MODEL_OPERATIONS", 2_000).try_into().expect("a count of operations");
        store::conformance::block_on(store::conformance::model::agrees_with_memory(&dir.open(), seed, operations));
    }
}

//! Every kept input goes through its target, and soon.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Generous: a debug build on a machine that does other things too.
const TIME_MAX: Duration = Duration::from_secs(10);

#[test]
#[expect(clippy::print_stderr, reason = "where a seed panics, or overflows the stack, the last line names it")]
fn every_seed_goes_through_its_target() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (name, target) in fuzz::TARGETS {
        let files = fs::read_dir(seeds.join(name)).unwrap_or_else(|error| panic!("seeds of {name}: {error}"));
        let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        files.sort();
        for file in files {
            let bytes = fs::read(&file).expect("a file can be read");
            let began = Instant::now();
            eprintln!("{}", file.display());
            target(&bytes);
            assert!(began.elapsed() < TIME_MAX, "{} took {:?}", file.display(), began.elapsed());
        }
    }
}

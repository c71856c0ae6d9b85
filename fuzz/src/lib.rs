//! What comes from outside, as functions that take any bytes: each reads them as its part of the program would, and
//! panics where that part does not keep what it promises.
//!
//! cargo-fuzz calls them with bytes that it invents (`make fuzz`, which says how); the ordinary tests call them with the
//! bytes in `seeds/`: first examples, later also what once broke something.
//!
//! **It does not know** what a right answer is. That is for the tests of each crate.
//!
//! **Invariant:** a target's time and memory come from what it calls, never from the target itself.
//!
//! In reading order: the targets, from the lowest crate up; [`TARGETS`] lists them.

mod world;
mod expressions;
mod machines;
mod documents;
mod calendars;
mod requests;

pub use calendars::calendar;
pub use documents::document;
pub use expressions::{intrinsic, jsonata, path};
pub use machines::{definition, engine};
pub use requests::http;

use base::Json;

/// A target's name, which is that of its program and of its directory of seeds.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("json", json),
    ("path", path),
    ("intrinsic", intrinsic),
    ("jsonata", jsonata),
    ("definition", definition),
    ("engine", engine),
    ("document", document),
    ("calendar", calendar),
    ("http", http),
];

/// JSON: what was read can be written, and read again as the same.
pub fn json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Json::parse(text) {
        Ok(json) => {
            let written = json.to_string();
            assert_eq!(json.text_len(), written.len());
            assert!(json.fits(written.len()) && !json.is_too_deep());
            assert_eq!(Json::parse(&written).as_ref(), Ok(&json), "{written}");
        }
        Err(error) => {
            assert!(!error.message.is_empty() && error.location(text).contains("line"));
        }
    }
}

/// The text before the first empty line, and what comes after it.
fn parts(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (bytes, b""),
    }
}

//! From text to [`Machine`].

use crate::diagnostic::Diagnostic;
use crate::tree::{Machine, MachineKind};

/// A machine, if there is one, and everything that was found.
#[derive(Debug)]
pub struct Parsed {
    /// Present exactly when no diagnostic is an error.
    pub machine: Option<Machine>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a definition. `kind` matters: an Express machine may not wait for a token.
pub fn parse(text: &str, kind: MachineKind) -> Parsed {
    let _ = (text, kind);
    unimplemented!()
}

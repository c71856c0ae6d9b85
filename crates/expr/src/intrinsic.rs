//! Intrinsic functions: `States.Format('{}', $.name)`.

use base::Json;

use crate::{Failure, Scope, SyntaxError};

/// A compiled call.
#[derive(Debug, Clone)]
pub struct Intrinsic {
    text: String,
}

impl Intrinsic {
    pub fn parse(text: &str) -> Result<Intrinsic, SyntaxError> {
        let _ = text;
        unimplemented!()
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        let _ = scope;
        unimplemented!()
    }
}

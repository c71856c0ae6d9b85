//! JSONPath as AWS reads it.

use base::Json;

use crate::{Failure, Scope, SyntaxError};

/// A compiled path. Starts at `$` (input), `$$` (context object) or `$name` (variable).
#[derive(Debug, Clone)]
pub struct Path {
    text: String,
}

impl Path {
    pub fn parse(text: &str) -> Result<Path, SyntaxError> {
        let _ = text;
        unimplemented!()
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it names exactly one place: names and single indexes only.
    pub fn is_definite(&self) -> bool {
        unimplemented!()
    }

    /// A definite path gives the value or a `Missing` failure; any other gives an array, maybe empty.
    /// The failure's message is Jayway's: `No results for path: $['X']`.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        let _ = scope;
        unimplemented!()
    }
}

/// A path that names one place and can therefore be written to: `$.a.b[0]`.
#[derive(Debug, Clone)]
pub struct ReferencePath {
    path: Path,
}

impl ReferencePath {
    pub fn parse(text: &str) -> Result<ReferencePath, SyntaxError> {
        let _ = text;
        unimplemented!()
    }

    pub fn text(&self) -> &str {
        self.path.text()
    }

    pub fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        self.path.eval(scope)
    }

    /// `into` with `value` at this place; missing objects on the way are made. (`ResultPath`)
    pub fn set(&self, into: &Json, value: Json) -> Result<Json, Failure> {
        let _ = (into, value);
        unimplemented!()
    }
}

//! Payload templates: JSON in which a key ending in `.$` has a path or a call as its value.

use base::Json;

use crate::{Failure, Scope};

/// A compiled template.
#[derive(Debug, Clone)]
pub struct Template {
    source: Json,
}

/// A member whose value is neither a path nor a call. `field` is the key with its `.$`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadField {
    pub field: String,
    /// The keys from the template's top to the object that holds `field`.
    pub at: Vec<String>,
}

impl Template {
    pub fn parse(source: &Json) -> Result<Template, Vec<BadField>> {
        let _ = source;
        unimplemented!()
    }

    pub fn source(&self) -> &Json {
        &self.source
    }

    /// A path that finds nothing fails with
    /// `The JSONPath '$.x' specified for the field 'key.$' could not be found in the input '<json>'`.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        let _ = scope;
        unimplemented!()
    }
}

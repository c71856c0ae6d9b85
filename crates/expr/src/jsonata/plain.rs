//! The language without the States Language around it: a document as `$`, and bindings. This is what the official
//! suite measures.

use base::{Json, Object, Timestamp};

use super::budget::{Budget, Limits};
use super::error::{Error, Outcome};
use super::eval::{Run, World};
use super::functions::{Native, Of};
use super::syntax::Member;
use super::value::{NotJson, Value, to_json};

/// What an expression is evaluated over.
#[derive(Debug)]
pub struct Plain<'d> {
    /// `$` and `$$`, where there is a document.
    pub document: Option<&'d Json>,
    pub bindings: &'d Object,
    pub now: Timestamp,
    /// Nodes and functions inside one another while the expression is evaluated.
    pub depth_max: usize,
}

impl Plain<'_> {
    /// The value of `expression`; nothing where it gives nothing, or a function.
    pub fn eval(&self, expression: &str) -> Result<Option<Json>, Error> {
        self.outcome(expression).map_err(|error| *error)
    }

    fn outcome(&self, expression: &str) -> Outcome<Option<Json>> {
        let tree = super::compile(expression)?;
        let limits = Limits {
            steps_max: 20_000_000,
            bytes_max: 1 << 30,
            depth_max: self.depth_max,
            range_max: 10_000_000,
            text_bytes_max: 1 << 27,
        };
        let run = Run::new(self, Budget::new(limits));
        let value = run.whole(&tree)?;
        match to_json(&run.budget, &value) {
            Ok(json) => Ok(json),
            Err(NotJson::Function) => Ok(None),
            Err(NotJson::TooLarge) => Err(Error::memory()),
        }
    }
}

impl World for Plain<'_> {
    fn root(&self) -> Value {
        self.document.map_or(Value::Undefined, Value::json)
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.bindings.get(name).map(Value::json)
    }

    fn member(&self, _: Member) -> Option<Json> {
        None
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn chance(&self) -> u64 {
        0x9e37_79b9_7f4a_7c15
    }

    fn knows(&self, native: &Native) -> bool {
        native.of != Of::Aws
    }
}

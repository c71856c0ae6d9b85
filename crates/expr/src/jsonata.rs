//! JSONata as the States Language has it: what stands between `{%` and `%}`, and the templates made of it.
//!
//! The language is that of jsonata-js 2.0.6 (MIT, IBM Corp.), whose rules this follows one by one; its suite is a test
//! here. It is our own because an expression comes from a client: whatever it does ends within a budget of steps,
//! bytes and levels, and values of the scope are read where they lie instead of being copied in.
//!
//! **Invariant:** an evaluation sees nothing but its [`Scope`]: the present, chance and variables come from there.
//!
//! **Invariant:** what an evaluation allocates is counted, and no expression gets past the count.
//!
//! In reading order: `token`, `parse` (words to a raw tree), `shape` (to the tree of `syntax`), `references`,
//! `value`, `budget`, `eval`, `signature`, `functions`, `regex`, `text`, `error`, `template`, [`plain`].

use std::fmt;
use std::sync::Arc;

use base::{Json, Timestamp};

use crate::{Scope, SyntaxError};

mod token;
mod parse;
mod shape;
mod syntax;
mod references;
mod value;
mod budget;
mod eval;
mod signature;
mod functions;
mod regex;
mod text;
mod error;
mod template;
pub mod plain;

pub use error::Error;
pub use references::References;
pub use syntax::Member;
pub use template::{BadExpression, Kind, Template};

use budget::{Budget, Limits};
use error::Outcome;
use eval::{Run, World};
use functions::{Native, Of};
use syntax::Node;
use value::{NotJson, Value, to_json};

/// One expression, compiled.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    tree: Arc<Node>,
    references: Arc<References>,
}

/// Why there is no value: the text of a `States.QueryEvaluationError`'s cause, without the words in front that name
/// the state, and the field that it belongs to, as `Output/list[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub text: String,
    pub location: Option<String>,
}

/// The text between `{%` and `%}`, if that is what the whole text is.
pub fn expression_in(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

impl Expression {
    /// `text` is what stands between `{%` and `%}`.
    pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
        let tree = compile(text).map_err(|error| SyntaxError { message: error.text(), at: error.at.unwrap_or(0) })?;
        let (tree, references) = references::find(tree);
        Ok(Expression { text: text.into(), tree: Arc::new(tree), references: Arc::new(references) })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn references(&self) -> &References {
        &self.references
    }

    /// The value for the field named `field`, as in [`Template::eval`].
    pub fn eval(&self, field: &str, scope: &dyn Scope) -> Result<Json, Fault> {
        let world = Aws(scope);
        let limits = Limits { steps_max: Limits::AWS.steps_max.min(scope.steps_left()), ..Limits::AWS };
        let run = Run::new(&world, Budget::new(limits));
        let value = run.whole(&self.tree);
        scope.spend(run.budget.steps());
        let value = value.map_err(|error| self.threw(field, &error))?;
        match to_json(&run.budget, &value) {
            Ok(Some(json)) => Ok(json),
            Ok(None) => Err(self.fault(field, "returned nothing (undefined).")),
            Err(NotJson::Function) => Err(self.fault(field, "returned an unsupported result type.")),
            Err(NotJson::TooLarge) => Err(self.threw(field, &Error::memory())),
        }
    }

    fn threw(&self, field: &str, error: &Error) -> Fault {
        self.fault(field, &format!("threw an error during evaluation. {}", error.text()))
    }

    fn fault(&self, field: &str, what: &str) -> Fault {
        let text = format!("The JSONata expression '{}' specified for the field '{field}' {what}", self.text);
        Fault { text, location: Some(field.to_owned()) }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.text)
    }
}

fn compile(text: &str) -> Outcome<Node> {
    shape::shape(parse::parse(text)?)
}

/// An expression of a state machine: there is no document, only variables and `$states`.
struct Aws<'s>(&'s dyn Scope);

impl World for Aws<'_> {
    fn root(&self) -> Value {
        Value::Undefined
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.0.variable(name).map(Value::json)
    }

    fn member(&self, member: Member) -> Option<Json> {
        match member {
            Member::Input => Some(self.0.input().clone()),
            Member::Result => self.0.result().cloned(),
            Member::ErrorOutput => self.0.error_output().cloned(),
            Member::Context => Some(self.0.context().clone()),
        }
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn chance(&self) -> u64 {
        self.0.chance()
    }

    fn knows(&self, native: &Native) -> bool {
        native.of != Of::Plain
    }
}

#[cfg(test)]
mod tests;

//! Intrinsic functions: `States.Format('{}', $.name)`.
//!
//! In reading order: `parse`, `functions` (the table; a new function is added there).

use std::fmt;
use std::sync::Arc;

use base::Json;

use crate::{Failure, FailureKind, Path, Scope, SyntaxError};

mod parse;
mod functions;

use functions::Function;
pub(crate) use functions::digest;

/// A compiled call.
#[derive(Clone)]
pub struct Intrinsic {
    text: Arc<str>,
    call: Arc<Call>,
}

/// One function with its arguments.
struct Call {
    function: &'static Function,
    arguments: Vec<Argument>,
}

enum Argument {
    Value(Json),
    /// A quoted text with braces: what `States.Format` fills in. `parts` stand around the `{}`.
    Template {
        value: Json,
        parts: Vec<String>,
    },
    Path(Path),
    Call(Call),
}

impl Intrinsic {
    pub fn parse(text: &str) -> Result<Intrinsic, SyntaxError> {
        Ok(Intrinsic { text: text.into(), call: Arc::new(parse::call(text)?) })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The paths among its arguments, those of inner calls too.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        self.call.paths(&mut paths);
        paths
    }

    pub fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        self.call.eval(scope).map_err(|failure| Failure {
            message: format!("The function '{}' had the following error: {}", self.text, failure.message),
            ..failure
        })
    }
}

impl fmt::Debug for Intrinsic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Intrinsic({})", self.text)
    }
}

impl Call {
    fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            values.push(argument.eval(scope)?);
        }
        let parts = match self.arguments.first() {
            Some(Argument::Template { parts, .. }) => Some(parts.as_slice()),
            Some(Argument::Value(_) | Argument::Path(_) | Argument::Call(_)) | None => None,
        };
        (self.function.run)(&functions::Given { values: &values, parts, scope })
            .map_err(|message| Failure { kind: FailureKind::Intrinsic, message })
    }

    fn paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        for argument in &self.arguments {
            match argument {
                Argument::Value(_) | Argument::Template { .. } => {}
                Argument::Path(path) => paths.push(path),
                Argument::Call(call) => call.paths(paths),
            }
        }
    }
}

impl Argument {
    fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        match self {
            Argument::Value(value) | Argument::Template { value, .. } => Ok(value.clone()),
            Argument::Path(path) => path.eval(scope).map_err(|failure| not_found(path, failure, scope)),
            Argument::Call(call) => call.eval(scope),
        }
    }
}

fn not_found(path: &Path, failure: Failure, scope: &dyn Scope) -> Failure {
    match failure.kind {
        FailureKind::Missing => {
            let (path, input) = (path.text(), scope.input());
            let message =
                format!("The JsonPath argument for the field '{path}' could not be found in the input '{input}'");
            Failure { kind: FailureKind::Missing, message }
        }
        FailureKind::Intrinsic | FailureKind::Other => failure,
    }
}

#[cfg(test)]
mod tests;

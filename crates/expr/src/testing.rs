//! A world for tests, written as JSON text.

use std::cell::Cell;
use std::fmt::Write;

use base::Json;

use crate::{Failure, Scope, SyntaxError};

/// `chance` counts up, so that a test sees which was asked for.
pub(crate) struct World {
    input: Json,
    context: Json,
    variables: Json,
    chances: Cell<u64>,
}

impl World {
    pub(crate) fn new(input: &str) -> World {
        World {
            input: json(input),
            context: json(r#"{"Execution":{"Name":"night-1","Input":{"n":[1,2]}},"State":{"Name":"S"}}"#),
            variables: json(r#"{"limit":2,"order":{"id":7,"lines":[{"sku":"a"},{"sku":"b"}]},"名前":"é"}"#),
            chances: Cell::new(0),
        }
    }
}

impl Scope for World {
    fn input(&self) -> &Json {
        &self.input
    }

    fn context(&self) -> &Json {
        &self.context
    }

    fn variable(&self, name: &str) -> Option<&Json> {
        self.variables.get(name)
    }

    fn chance(&self) -> u64 {
        self.chances.set(self.chances.get() + 1);
        self.chances.get()
    }

    fn now(&self) -> base::Timestamp {
        base::Timestamp(1_551_225_271_984)
    }
}

pub(crate) fn json(text: &str) -> Json {
    Json::parse(text).expect("the test's JSON is valid")
}

/// What became of each line of `lines`, one below the other.
pub(crate) fn outcomes(lines: &str, outcome: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(text, "{line}\n  {}", outcome(line)).expect("a String takes everything");
    }
    text
}

pub(crate) fn shown<T>(parsed: Result<T, SyntaxError>, eval: impl FnOnce(T) -> Result<Json, Failure>) -> String {
    match parsed.map(eval) {
        Ok(Ok(value)) => value.to_string(),
        Ok(Err(failure)) => format!("{:?}: {}", failure.kind, failure.message),
        Err(error) => format!("syntax error at {}: {}", error.at, error.message),
    }
}

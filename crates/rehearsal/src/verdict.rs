//! What was expected and is not so.

use std::sync::Arc;

use base::Json;

use crate::run::{Ending, Performance};
use crate::suite::{Case, Expect};

/// One expectation that was not met.
#[derive(Debug, Clone, PartialEq)]
pub enum Mismatch {
    Status {
        expected: Arc<str>,
        was: &'static str,
    },
    Output {
        expected: Json,
        was: Option<Json>,
    },
    Error {
        expected: Arc<str>,
        was: Option<Arc<str>>,
    },
    Cause {
        expected: Arc<str>,
        was: Option<Arc<str>>,
    },
    Path {
        expected: Vec<Arc<str>>,
        was: Vec<Arc<str>>,
    },
    Calls {
        state: Arc<str>,
        expected: u64,
        was: u64,
    },
    /// None: it was never called.
    Parameters {
        state: Arc<str>,
        expected: Json,
        was: Option<Json>,
    },
    Seconds {
        expected: f64,
        was: f64,
    },
    /// A state called its task and the case does not say what it answers.
    NoAnswer {
        state: Arc<str>,
        call: u64,
    },
    Endless,
}

/// Holds a performance against what its case expects. Empty: it is as it should be.
pub fn judge(case: &Case, performance: &Performance) -> Vec<Mismatch> {
    let expect = &case.expect;
    let was = match &performance.ending {
        Ending::NoAnswer { state, call } => return vec![Mismatch::NoAnswer { state: state.clone(), call: *call }],
        Ending::Endless => return vec![Mismatch::Endless],
        ended @ (Ending::Succeeded(_) | Ending::Failed(_) | Ending::TimedOut(_)) => ended.status().expect("it ended"),
    };
    let mut mismatches = vec![];
    let expected = status(expect);
    if &*expected != was {
        mismatches.push(Mismatch::Status { expected, was });
    }
    let (output, failure) = match &performance.ending {
        Ending::Succeeded(output) => (Some(output.clone()), None),
        Ending::Failed(failure) | Ending::TimedOut(failure) => (None, Some(failure)),
        Ending::NoAnswer { .. } | Ending::Endless => (None, None),
    };
    if let Some(expected) = expect.output.clone().filter(|expected| output.as_ref() != Some(expected)) {
        mismatches.push(Mismatch::Output { expected, was: output });
    }
    let error = failure.and_then(|failure| failure.error.clone());
    if let Some(expected) = expect.error.clone().filter(|expected| error.as_ref() != Some(expected)) {
        mismatches.push(Mismatch::Error { expected, was: error });
    }
    let cause = failure.and_then(|failure| failure.cause.clone());
    if let Some(expected) = expect.cause.clone().filter(|expected| cause.as_ref() != Some(expected)) {
        mismatches.push(Mismatch::Cause { expected, was: cause });
    }
    if let Some(expected) = expect.path.clone().filter(|expected| performance.path != *expected) {
        mismatches.push(Mismatch::Path { expected, was: performance.path.clone() });
    }
    mismatches.extend(calls(expect, performance));
    mismatches.extend(parameters(expect, performance));
    let was = performance.took_ms as f64 / 1000.0;
    if let Some(expected) = expect.seconds.filter(|expected| (expected - was).abs() > 0.0005) {
        mismatches.push(Mismatch::Seconds { expected, was });
    }
    mismatches
}

/// A case that expects an error expects a failure; one that expects nothing expects success.
fn status(expect: &Expect) -> Arc<str> {
    match &expect.status {
        Some(status) => status.clone(),
        None if expect.error.is_some() || expect.cause.is_some() => "FAILED".into(),
        None => "SUCCEEDED".into(),
    }
}

fn calls(expect: &Expect, performance: &Performance) -> Vec<Mismatch> {
    let count = |state: &str| performance.calls.iter().filter(|call| &*call.state == state).count() as u64;
    let counted = expect.calls.iter().map(|(state, expected)| (state, *expected, count(state)));
    counted
        .filter(|(_, expected, was)| expected != was)
        .map(|(state, expected, was)| Mismatch::Calls { state: state.clone(), expected, was })
        .collect()
}

fn parameters(expect: &Expect, performance: &Performance) -> Vec<Mismatch> {
    let first =
        |state: &str| performance.calls.iter().find(|call| &*call.state == state).map(|call| call.parameters.clone());
    let given = expect.parameters.iter().map(|(state, expected)| (state, expected, first(state)));
    given
        .filter(|(_, expected, was)| was.as_ref() != Some(*expected))
        .map(|(state, expected, was)| Mismatch::Parameters { state: state.clone(), expected: expected.clone(), was })
        .collect()
}

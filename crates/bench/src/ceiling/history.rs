//! The events that Step Functions writes for a chain of Pass states, each with its whole input and output.

use std::io::Write;

use serde_json::{Value, json};

use super::now;

/// Events of one execution, as lines of JSON, in the order in which they happen. Each method adds one and returns
/// its time.
#[derive(Default)]
pub(crate) struct History {
    lines: Vec<u8>,
    id: u64,
}

impl History {
    pub(crate) fn started(&mut self, input: &str, role: &str) -> f64 {
        let details = json!({ "input": input, "inputDetails": { "truncated": false }, "roleArn": role });
        self.push("ExecutionStarted", "executionStartedEventDetails", details)
    }

    pub(crate) fn entered(&mut self, state: &str, input: &str) -> f64 {
        let details = json!({ "name": state, "input": input, "inputDetails": { "truncated": false } });
        self.push("PassStateEntered", "stateEnteredEventDetails", details)
    }

    pub(crate) fn exited(&mut self, state: &str, output: &str) -> f64 {
        let details = json!({ "name": state, "output": output, "outputDetails": { "truncated": false } });
        self.push("PassStateExited", "stateExitedEventDetails", details)
    }

    pub(crate) fn succeeded(&mut self, output: &str) -> f64 {
        let details = json!({ "output": output, "outputDetails": { "truncated": false } });
        self.push("ExecutionSucceeded", "executionSucceededEventDetails", details)
    }

    /// What was written since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lines)
    }

    fn push(&mut self, kind: &str, member: &str, details: Value) -> f64 {
        let at = now();
        let mut event = json!({ "timestamp": at, "type": kind, "id": self.id + 1, "previousEventId": self.id });
        event[member] = details;
        self.id += 1;
        serde_json::to_writer(&mut self.lines, &event).expect("a value can be written to memory");
        self.lines.write_all(b"\n").expect("memory takes it");
        at
    }
}

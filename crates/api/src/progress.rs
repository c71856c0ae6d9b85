//! A history folded into one row per visit of a state: all that a list, a timeline or a graph needs.
//!
//! **Invariant:** the rows depend on the events alone, and an event that is not known changes nothing.

use std::collections::HashMap;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::execution::{Event, Status};

/// How one visit of a state stands, in the words of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateStatus {
    Running,
    /// For a moment to come: a Wait state, or the next attempt.
    Waiting,
    Succeeded,
    /// It went on, but by a Catch.
    Warning,
    Failed,
    /// Given up because something else ended.
    Stopped,
}

/// One visit of one state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateProgress {
    /// Unique by frame and order of entry: `Back up both/1/Back up DB`.
    pub path: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub frame: u32,
    /// How many Parallels and Maps it lies in.
    pub depth: u32,
    /// The row of the innermost of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<usize>,
    pub status: StateStatus,
    /// Attempts so far; 0 for a state that attempts nothing.
    pub attempt: u32,
    #[serde(with = "crate::moment")]
    pub entered: Timestamp,
    #[serde(with = "crate::moment::option", default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Timestamp>,
    /// Until when it waits.
    #[serde(with = "crate::moment::option", default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// An execution as its events tell it.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// In the order in which they were entered.
    pub states: Vec<StateProgress>,
    pub started: Option<Timestamp>,
    /// How and when it ended; none while it runs.
    pub ended: Option<(Status, Timestamp)>,
    pub error: Option<String>,
    pub cause: Option<String>,
    /// The state that each frame is in.
    open: HashMap<u32, usize>,
    frames: HashMap<u32, Scope>,
}

/// Where a frame lies.
#[derive(Debug, Clone, Default)]
struct Scope {
    depth: u32,
    parent: Option<usize>,
    /// With a slash at its end, unless it is the machine's own.
    prefix: String,
}

impl Progress {
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Progress {
        let mut progress = Progress::default();
        for event in events {
            progress.apply(event);
        }
        progress
    }

    /// The state that a frame is in.
    pub fn current(&self, frame: u32) -> Option<&StateProgress> {
        self.open.get(&frame).map(|&index| &self.states[index])
    }

    /// Whether a state was left by a Catch.
    pub fn warned(&self) -> bool {
        self.states.iter().any(|state| state.status == StateStatus::Warning)
    }

    pub fn apply(&mut self, event: &Event) {
        match event.kind.as_str() {
            "ExecutionStarted" => self.started = Some(event.at),
            "ExecutionSucceeded" => self.end(Status::Succeeded, event),
            "ExecutionFailed" => self.end(Status::Failed, event),
            "ExecutionAborted" => self.end(Status::Aborted, event),
            "ExecutionTimedOut" => self.end(Status::TimedOut, event),
            "TaskScheduled" | "LambdaFunctionScheduled" | "ActivityScheduled" => self.attempted(event),
            "TaskFailed"
            | "LambdaFunctionFailed"
            | "ActivityFailed"
            | "TaskTimedOut"
            | "LambdaFunctionTimedOut"
            | "ActivityTimedOut" => {
                self.failed(event);
            }
            "TaskSucceeded" | "LambdaFunctionSucceeded" | "ActivitySucceeded" => self.mended(event),
            "WaitStarted" | "RetryScheduled" => self.waits(event),
            "ParallelStateStarted" => self.branched(event),
            "MapStateStarted" => self.attempted(event),
            "MapIterationStarted" => self.iterated(event),
            "ParallelStateFailed" | "MapStateFailed" => self.failed(event),
            kind if kind.ends_with("StateEntered") => self.entered(event),
            kind if kind.ends_with("StateExited") => self.exited(event),
            kind if kind.ends_with("StateAborted") => self.aborted(event),
            _ => {}
        }
    }

    fn entered(&mut self, event: &Event) {
        let Some(name) = event.state.clone() else { return };
        let scope = self.frames.entry(event.frame).or_default();
        let kind =
            event.detail.state_type.clone().unwrap_or_else(|| event.kind.trim_end_matches("StateEntered").to_owned());
        let state = StateProgress {
            path: format!("{}{name}", scope.prefix),
            name,
            frame: event.frame,
            depth: scope.depth,
            parent: scope.parent,
            // Nothing comes after a Fail state that would say so.
            status: if kind == "Fail" { StateStatus::Failed } else { StateStatus::Running },
            kind,
            attempt: 0,
            entered: event.at,
            left: None,
            due: None,
            resource: None,
            error: None,
            cause: None,
        };
        self.open.insert(event.frame, self.states.len());
        self.states.push(state);
    }

    fn exited(&mut self, event: &Event) {
        if let Some(state) = self.close(event.frame, event.at) {
            state.status =
                if state.status == StateStatus::Failed { StateStatus::Warning } else { StateStatus::Succeeded };
        }
    }

    fn aborted(&mut self, event: &Event) {
        // AWS says it of the state that failed, too.
        if let Some(state) = self.close(event.frame, event.at)
            && state.status != StateStatus::Failed
        {
            state.status = StateStatus::Stopped;
        }
    }

    fn attempted(&mut self, event: &Event) {
        let resource = event.detail.resource.clone();
        if let Some(state) = self.at(event.frame) {
            state.attempt += 1;
            state.resource = resource.or(state.resource.take());
            state.status = StateStatus::Running;
            state.due = None;
        }
    }

    fn failed(&mut self, event: &Event) {
        if let Some(state) = self.at(event.frame) {
            state.status = StateStatus::Failed;
            state.error = event.detail.error.clone().or(state.error.take());
            state.cause = event.detail.cause.clone().or(state.cause.take());
        }
    }

    fn mended(&mut self, event: &Event) {
        if let Some(state) = self.at(event.frame) {
            (state.status, state.error, state.cause) = (StateStatus::Running, None, None);
        }
    }

    fn waits(&mut self, event: &Event) {
        if let Some(state) = self.at(event.frame) {
            state.status = StateStatus::Waiting;
            state.due = event.detail.due;
        }
    }

    fn branched(&mut self, event: &Event) {
        self.attempted(event);
        let Some(frames) = event.detail.frames else { return };
        for branch in 0..frames.count {
            self.begin(event.frame, frames.first.saturating_add(branch), u64::from(branch));
        }
    }

    fn iterated(&mut self, event: &Event) {
        if let Some(frames) = event.detail.frames {
            self.begin(event.frame, frames.first, event.detail.index.unwrap_or(0));
        }
    }

    /// `child` is the part number `index` of the state that `parent` is in.
    fn begin(&mut self, parent: u32, child: u32, index: u64) {
        let depth = self.frames.get(&parent).map_or(0, |scope| scope.depth);
        let path = self.current(parent).map_or("", |state| &state.path);
        let scope =
            Scope { depth: depth + 1, parent: self.open.get(&parent).copied(), prefix: format!("{path}/{index}/") };
        self.frames.insert(child, scope);
    }

    fn end(&mut self, status: Status, event: &Event) {
        self.ended = Some((status, event.at));
        self.error.clone_from(&event.detail.error);
        self.cause.clone_from(&event.detail.cause);
        let open: Vec<u32> = self.open.keys().copied().collect();
        for frame in open {
            let Some(state) = self.close(frame, event.at) else { continue };
            // What failed the machine is the state that the machine itself is in.
            let is_culprit = status == Status::Failed && frame == 0;
            if is_culprit || state.status == StateStatus::Failed {
                state.status = StateStatus::Failed;
                state.error = state.error.take().or_else(|| event.detail.error.clone());
                state.cause = state.cause.take().or_else(|| event.detail.cause.clone());
            } else {
                state.status = StateStatus::Stopped;
            }
        }
    }

    fn at(&mut self, frame: u32) -> Option<&mut StateProgress> {
        self.open.get(&frame).map(|&index| &mut self.states[index])
    }

    fn close(&mut self, frame: u32, at: Timestamp) -> Option<&mut StateProgress> {
        let state = &mut self.states[self.open.remove(&frame)?];
        (state.left, state.due) = (Some(at), None);
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::{Detail, Frames};

    /// `FRAME TYPE [STATE]`, with `first+count` for frames and `!ERROR`, one event each second.
    fn events(script: &str) -> Vec<Event> {
        let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.enumerate().map(|(second, line)| event(second, line)).collect()
    }

    fn event(second: usize, line: &str) -> Event {
        let mut words = line.split(' ');
        let frame = words.next().and_then(|word| word.parse().ok()).expect("a frame");
        let kind = words.next().expect("a type").to_owned();
        let (mut state, mut detail) = (None, Detail::default());
        for word in words {
            if let Some((first, count)) = word.split_once('+') {
                detail.frames =
                    Some(Frames { first: first.parse().expect("a frame"), count: count.parse().expect("a count") });
            } else if let Some(error) = word.strip_prefix('!') {
                detail.error = Some(error.to_owned());
            } else {
                state = Some(word.to_owned());
            }
        }
        Event { id: second as u64 + 1, at: Timestamp(second as i64 * 1000), kind, frame, state, detail }
    }

    fn rows(script: &str) -> Vec<String> {
        let progress = Progress::of(&events(script));
        progress
            .states
            .iter()
            .map(|state| {
                let seconds = state.left.map_or(-1, |left| (left.0 - state.entered.0) / 1000);
                format!(
                    "{} {:?} x{} {seconds}s {}",
                    state.path,
                    state.status,
                    state.attempt,
                    state.error.as_deref().unwrap_or("-")
                )
            })
            .collect()
    }

    #[test]
    fn branches_lie_in_their_parallel_and_a_failure_stops_the_others() {
        let script = "
            0 ExecutionStarted
            0 ParallelStateEntered both
            0 ParallelStateStarted 1+2
            1 TaskStateEntered web
            1 TaskScheduled
            2 TaskStateEntered db
            2 TaskScheduled
            1 TaskFailed !Exit
            1 TaskStateAborted web
            2 TaskStateAborted db
            0 ParallelStateFailed
            0 ExecutionFailed !Exit";
        assert_eq!(
            rows(script),
            ["both Failed x1 10s Exit", "both/0/web Failed x1 5s Exit", "both/1/db Stopped x1 4s -"]
        );
    }

    #[test]
    fn a_caught_failure_is_a_warning_and_a_retried_one_is_not() {
        let script = "
            0 TaskStateEntered a
            0 TaskScheduled
            0 TaskFailed !Once
            0 RetryScheduled
            0 TaskScheduled
            0 TaskSucceeded
            0 TaskStateExited a
            0 TaskStateEntered b
            0 TaskScheduled
            0 TaskFailed !Twice
            0 TaskStateExited b
            0 FailStateEntered end
            0 ExecutionFailed !Over";
        assert_eq!(rows(script), ["a Succeeded x2 6s -", "b Warning x1 3s Twice", "end Failed x0 1s Over"]);
    }

    #[test]
    fn an_operators_stop_is_nobodys_failure() {
        let script = "
            0 WaitStateEntered w
            0 WaitStarted
            0 ExecutionAborted";
        assert_eq!(rows(script), ["w Stopped x0 2s -"]);
    }

    #[test]
    fn an_unknown_event_changes_nothing() {
        assert_eq!(rows("0 PassStateEntered p\n0 StarBorn\n7 TaskFailed"), ["p Running x0 -1s -"]);
    }
}

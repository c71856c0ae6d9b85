//! From the events of an execution to the spans of its trace.
//!
//! Pure: events in, spans out. The execution is the root; a state is a span from when it is entered until it is left;
//! what runs in a Parallel or a Map belongs to that state's span. A task that fails or times out is an event of
//! its state's span, for a state may try again.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Id, Timestamp};
use engine::{Event, Fact, Failure, FrameId, Kind};

use crate::header::Header;

#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub trace: u128,
    pub id: u64,
    pub parent: Option<u64>,
    pub name: String,
    pub begin: Timestamp,
    pub end: Timestamp,
    pub attributes: Vec<(&'static str, String)>,
    pub notes: Vec<Note>,
    /// Why it did not end well, if it did not.
    pub failure: Option<String>,
}

/// Something that happened within a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    pub at: Timestamp,
    pub name: &'static str,
    pub attributes: Vec<(&'static str, String)>,
}

/// The spans of an execution that has ended; of one that was redriven, those since the last time. None where whoever
/// started it did not want it traced.
pub fn spans(events: &[Event], header: Option<&str>) -> Vec<Span> {
    let header = Header::parse(header.unwrap_or(""));
    if header.unsampled {
        return vec![];
    }
    let mut weave = Weave::default();
    for event in events {
        weave.follow(event, header);
    }
    weave.done
}

/// What is being woven.
#[derive(Default)]
struct Weave {
    execution_arn: Arc<str>,
    root: Option<Span>,
    /// The state that each frame is in.
    open: BTreeMap<FrameId, Span>,
    /// The span that what runs in a frame belongs to.
    owners: BTreeMap<FrameId, u64>,
    done: Vec<Span>,
}

impl Weave {
    fn follow(&mut self, event: &Event, header: Header) {
        let (at, frame) = (event.at, event.frame);
        match &event.fact {
            Fact::ExecutionStarted { identity, .. } => {
                self.execution_arn = identity.execution_arn.clone();
                let mut attributes = vec![
                    ("aws.step_functions.state_machine.arn", identity.machine_arn.to_string()),
                    ("aws.step_functions.execution.arn", identity.execution_arn.to_string()),
                    ("aws.step_functions.execution.name", identity.name.to_string()),
                ];
                let version = identity.version_arn.as_deref();
                attributes.extend(version.map(|arn| ("aws.step_functions.state_machine.version_arn", arn.to_owned())));
                let trace = header.trace.unwrap_or_else(|| trace_of(&identity.execution_arn, at));
                let root =
                    Span { parent: header.parent, attributes, ..self.span(trace, event, &identity.machine_name) };
                self.root = Some(root);
            }
            Fact::ExecutionRedriven { count, .. } => self.begin_again(event, *count),
            Fact::StateEntered { kind, name, .. } => self.enter(event, *kind, name),
            Fact::StateExited { .. } => self.leave(frame, at, None),
            Fact::StateAborted { .. } => self.leave(frame, at, Some("aborted".to_owned())),
            Fact::FrameEnded { failed, .. } => {
                let why = if *failed { "failed" } else { "aborted" };
                self.leave(frame, at, Some(why.to_owned()));
            }
            Fact::ParallelStarted { first, blocks, .. } => {
                let count = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
                (first.0..first.0.saturating_add(count)).for_each(|child| self.own(frame, FrameId(child)));
            }
            Fact::MapIterationStarted { child, .. } => self.own(frame, *child),
            Fact::TaskScheduled { resource, .. } => {
                self.note(event, "task.scheduled", vec![("aws.step_functions.task.resource", resource.to_string())]);
            }
            Fact::TaskFailed { failure, .. }
            | Fact::TaskTimedOut { failure, .. }
            | Fact::EvaluationFailed { failure, .. } => self.note(event, "exception", exception(failure)),
            Fact::ExecutionSucceeded { .. } => self.end(at, "SUCCEEDED", None),
            Fact::ExecutionFailed { failure } => self.end(at, "FAILED", Some(failure)),
            Fact::ExecutionAborted { failure } => self.end(at, "ABORTED", Some(failure)),
            Fact::ExecutionTimedOut { failure } => self.end(at, "TIMED_OUT", Some(failure)),
            // The rest is told by what is around it.
            _ => (),
        }
    }

    fn span(&self, trace: u128, event: &Event, name: &str) -> Span {
        Span {
            trace,
            id: span_id(&self.execution_arn, event.id),
            parent: None,
            name: name.to_owned(),
            begin: event.at,
            end: event.at,
            attributes: vec![],
            notes: vec![],
            failure: None,
        }
    }

    fn enter(&mut self, event: &Event, kind: Kind, name: &str) {
        let Some(root) = &self.root else { return };
        let parent = self.owners.get(&event.frame).copied().unwrap_or(root.id);
        let attributes = vec![
            ("aws.step_functions.execution.arn", self.execution_arn.to_string()),
            ("aws.step_functions.state.name", name.to_owned()),
            ("aws.step_functions.state.type", kind.name().to_owned()),
        ];
        let span = Span { parent: Some(parent), attributes, ..self.span(root.trace, event, name) };
        // A state whose failure was caught is left without a word of its own in some histories.
        if let Some(left) = self.open.insert(event.frame, span) {
            self.done.push(Span { end: event.at, ..left });
        }
    }

    fn leave(&mut self, frame: FrameId, at: Timestamp, failure: Option<String>) {
        if let Some(span) = self.open.remove(&frame) {
            self.done.push(Span { end: at, failure, ..span });
        }
    }

    fn own(&mut self, frame: FrameId, child: FrameId) {
        if let Some(span) = self.open.get(&frame) {
            self.owners.insert(child, span.id);
        }
    }

    fn note(&mut self, event: &Event, name: &'static str, attributes: Vec<(&'static str, String)>) {
        if let Some(span) = self.open.get_mut(&event.frame) {
            span.notes.push(Note { at: event.at, name, attributes });
        }
    }

    /// The execution is over, and every state that it was in.
    fn end(&mut self, at: Timestamp, status: &str, failure: Option<&Failure>) {
        let why = failure.map(|failure| match (&failure.error, &failure.cause) {
            (Some(error), Some(cause)) => format!("{error}: {cause}"),
            (Some(error), None) => error.to_string(),
            (None, cause) => cause.as_deref().unwrap_or(status).to_owned(),
        });
        let mut open: Vec<Span> = std::mem::take(&mut self.open).into_values().collect();
        open.sort_by_key(|span| (span.begin, span.id));
        self.done.extend(open.into_iter().map(|span| Span { end: at, failure: why.clone(), ..span }));
        let Some(mut root) = self.root.clone() else { return };
        root.attributes.push(("aws.step_functions.execution.status", status.to_owned()));
        let kind = failure.and_then(|failure| failure.error.as_deref());
        root.attributes.extend(kind.map(|kind| ("error.type", kind.to_owned())));
        self.done.push(Span { end: at, failure: why, ..root });
    }

    /// What ended before was told when it ended; from here on it is another root in the same trace.
    fn begin_again(&mut self, event: &Event, count: u64) {
        let Some(root) = self.root.take() else { return };
        self.done.clear();
        self.open.clear();
        self.owners.clear();
        let mut attributes = root.attributes;
        attributes.retain(|(name, _)| *name != "aws.step_functions.execution.redrive_count");
        attributes.push(("aws.step_functions.execution.redrive_count", count.to_string()));
        let again = self.span(root.trace, event, &root.name);
        self.root = Some(Span { parent: root.parent, attributes, ..again });
    }
}

fn exception(failure: &Failure) -> Vec<(&'static str, String)> {
    let parts = [("exception.type", &failure.error), ("exception.message", &failure.cause)];
    parts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?.to_string()))).collect()
}

/// As X-Ray wants a trace's id: it begins with the time, in seconds.
fn trace_of(execution_arn: &str, started: Timestamp) -> u128 {
    let seconds = u128::from(started.0.div_euclid(1000).unsigned_abs() & 0xffff_ffff);
    seconds << 96 | Id::of("trace", execution_arn).0 >> 32
}

/// Never 0, which is no id.
fn span_id(execution_arn: &str, event: u64) -> u64 {
    let id = Id::of("span", &format!("{execution_arn}/{event}")).0;
    u64::try_from(id >> 64).unwrap_or_default().max(1)
}

#[cfg(test)]
mod tests {
    use base::Json;
    use engine::{Identity, TaskId};
    use expect_test::{Expect, expect};

    use super::*;

    fn started() -> Fact {
        let identity = Identity {
            execution_arn: "arn:e".into(),
            name: "e".into(),
            machine_arn: "arn:m".into(),
            machine_name: "net".into(),
            ..Identity::default()
        };
        Fact::ExecutionStarted { identity, input: Json::Null, text: None, block: 0, timeout: None }
    }

    fn enter(kind: Kind, name: &str) -> Fact {
        Fact::StateEntered { kind, name: name.into(), input: Json::Null }
    }

    fn exit(kind: Kind, name: &str) -> Fact {
        Fact::StateExited { kind, name: name.into(), output: Json::Null, assigned: None }
    }

    /// Events a second apart, each in its frame.
    fn events(facts: Vec<(u32, Fact)>) -> Vec<Event> {
        let event = |(id, (frame, fact)): (u64, (u32, Fact))| Event {
            at: Timestamp(id as i64 * 1000),
            frame: FrameId(frame),
            id,
            previous: id - 1,
            fact,
        };
        (1..).zip(facts).map(event).collect()
    }

    /// Each span with its parent's name, its times and what went wrong.
    fn check(facts: Vec<(u32, Fact)>, expect: Expect) {
        let found = spans(&events(facts), None);
        let name = |id: u64| found.iter().find(|span| span.id == id).map_or("?", |span| &span.name);
        let line = |span: &Span| {
            let parent = span.parent.map_or("-", name);
            let notes: Vec<&str> = span.notes.iter().map(|note| note.name).collect();
            let (begin, end) = (span.begin.0 / 1000, span.end.0 / 1000);
            let failure = span.failure.as_deref().unwrap_or("ok");
            format!("{} in {parent}: {begin}-{end} {failure} {notes:?}\n", span.name)
        };
        expect.assert_eq(&found.iter().map(line).collect::<String>());
        let mut ids: Vec<u64> = found.iter().map(|span| span.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), found.len(), "each has an id of its own");
        assert!(found.windows(2).all(|pair| pair[0].trace == pair[1].trace), "all are of one trace");
    }

    #[test]
    fn a_state_is_a_span_and_what_failed_in_it_a_note() {
        let (task, resource): (_, Arc<str>) = (TaskId(1), "arn:aws:states:::ssm:sendCommand".into());
        let failure = Failure::new("E", "c");
        check(
            vec![
                (0, started()),
                (0, enter(Kind::Pass, "A")),
                (0, exit(Kind::Pass, "A")),
                (0, enter(Kind::Task, "B")),
                (0, Fact::TaskFailed { task, resource, failure: failure.clone() }),
                (0, Fact::ExecutionFailed { failure }),
            ],
            expect![[r#"
                A in net: 2-3 ok []
                B in net: 4-6 E: c ["exception"]
                net in -: 1-6 E: c []
            "#]],
        );
    }

    #[test]
    fn what_runs_in_a_parallel_belongs_to_it() {
        check(
            vec![
                (0, started()),
                (0, enter(Kind::Parallel, "P")),
                (0, Fact::ParallelStarted { input: Json::Null, first: FrameId(1), blocks: vec![1, 2] }),
                (1, enter(Kind::Pass, "A")),
                (2, enter(Kind::Wait, "B")),
                (1, exit(Kind::Pass, "A")),
                (2, Fact::StateAborted { kind: Kind::Wait, name: "B".into() }),
                (0, exit(Kind::Parallel, "P")),
                (0, Fact::ExecutionSucceeded { output: Json::Null }),
            ],
            expect![[r#"
                A in P: 4-6 ok []
                B in P: 5-7 aborted []
                P in net: 2-8 ok []
                net in -: 1-9 ok []
            "#]],
        );
    }

    #[test]
    fn a_redrive_is_another_root_in_the_same_trace() {
        let ended = Fact::ExecutionFailed { failure: Failure::named("E") };
        let first = vec![(0, started()), (0, enter(Kind::Pass, "A")), (0, ended)];
        let before = spans(&events(first.clone()), None);
        let mut facts = first;
        facts.extend([
            (0, Fact::ExecutionRedriven { count: 1, token: None, timeout: None }),
            (0, enter(Kind::Pass, "A")),
            (0, exit(Kind::Pass, "A")),
            (0, Fact::ExecutionSucceeded { output: Json::Null }),
        ]);
        let after = spans(&events(facts.clone()), None);
        assert_eq!(before[0].trace, after[0].trace);
        assert!(before.iter().all(|span| after.iter().all(|other| other.id != span.id)));
        check(
            facts,
            expect![[r#"
                A in net: 5-6 ok []
                net in -: 4-7 ok []
            "#]],
        );
    }

    #[test]
    fn a_header_names_the_trace_and_the_parent() {
        let facts = vec![(0, started()), (0, Fact::ExecutionSucceeded { output: Json::Null })];
        let events = events(facts);
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let root = spans(&events, Some(header)).remove(0);
        assert_eq!((root.trace >> 96, root.parent), (0x5759_e988, Some(0x5399_5c3f_42cd_8ad8)));
        assert_eq!(spans(&events, Some("Sampled=0")), []);
        let own = spans(&events, None).remove(0);
        assert_eq!((own.trace >> 96, own.parent), (1, None));
    }
}

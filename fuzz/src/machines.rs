//! Definitions, and what executions of them come to.

use std::sync::Arc;

use asl::{Machine, MachineKind};
use base::{Json, Timestamp};
use engine::{Command, Env, Event, Execution, Fact, Failure, Identity, Limits, Start, TaskId, TimerId, pack, step};

use crate::parts;

/// A definition's text: a machine or reasons, each at a place in the text.
pub fn definition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for kind in [MachineKind::Standard, MachineKind::Express] {
        let parsed = asl::parse(text, kind);
        let refused = parsed.diagnostics.iter().any(|found| found.severity == asl::Severity::Error);
        assert_eq!(parsed.machine.is_none(), refused);
        if refused {
            assert!(!asl::refusal(&parsed.diagnostics).is_empty());
        }
        assert_eq!(asl::locate(text, &parsed.diagnostics).len(), parsed.diagnostics.len());
    }
    let _ = asl::parse_state(text, None);
}

/// Commands that one script may give.
const COMMANDS_MAX: usize = 64;

/// An end for histories that comes soon enough to be met.
const LIMITS: fn() -> Limits = || Limits { history_events_max: 300, step_states_max: 40, ..Limits::default() };

/// A definition, an empty line, and commands: one a line, a second apart. After every command the laws hold.
pub fn engine(bytes: &[u8]) {
    let (definition, script) = parts(bytes);
    let (Ok(definition), Ok(script)) = (std::str::from_utf8(definition), std::str::from_utf8(script)) else { return };
    let Some(machine) = asl::parse(definition, MachineKind::Standard).machine else { return };
    let mut story = Story::default();
    for (at, line) in script.lines().take(COMMANDS_MAX).enumerate() {
        if let Some(command) = command(line, &story.execution) {
            story.play(&machine, command, at as i64 * 1_000);
        }
    }
    story.check();
}

#[derive(Default)]
struct Story {
    execution: Execution,
    history: Vec<Event>,
}

impl Story {
    /// The command, and then the alarms of its pauses.
    fn play(&mut self, machine: &Machine, command: Command, now: i64) {
        let mut next = Some(command);
        while let Some(command) = next.take() {
            let env =
                Env { now: Timestamp(now), entropy: now as u64, limits: LIMITS(), activities: &engine::EveryActivity };
            let Ok(step) = step(machine, &mut self.execution, command, env) else { return };
            next = step.events.iter().find_map(|event| match &event.fact {
                Fact::StepPaused { alarm, .. } => Some(Command::Fire { timer: alarm.timer }),
                _ => None,
            });
            assert!(!self.execution.has_ended() || self.execution.outstanding().is_empty(), "the finished owe nothing");
            self.history.extend(step.events);
        }
    }

    fn check(&self) {
        let kept = pack::decode(&pack::encode(&self.history)).expect("what was packed");
        assert_eq!(Execution::replay(&kept), self.execution, "replay differs from live");
        let snapshot = pack::decode_snapshot(&pack::encode_snapshot(&self.execution)).expect("a snapshot");
        assert_eq!(snapshot, self.execution);
        let ids = self.history.iter().filter(|event| event.is_aws()).map(|event| event.id);
        assert!(ids.zip(1..).all(|(id, place)| id == place), "ids are dense");
    }
}

/// `start {…}`, `ok 3 {…}`, `fail 3 Error why`, `fire 2`, …; nothing where a line is none.
fn command(line: &str, execution: &Execution) -> Option<Command> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (number, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let task = || number.parse().ok().map(TaskId);
    let json = |text: &str| Json::parse(text).ok();
    let failure = || {
        let (error, cause) = text.split_once(' ').unwrap_or((text, ""));
        Failure::new(error, cause)
    };
    let token = |task| execution.task_of_worker(task).map_or_else(|| Arc::from("none"), |(token, _)| token);
    Some(match verb {
        "start" => {
            let identity = Identity { name: "run".into(), ..Identity::default() };
            Command::Start(Start { identity, input: json(rest)?, text: None, block: Machine::ROOT })
        }
        "ok" => Command::Complete { task: task()?, outcome: Ok(json(text)?) },
        "fail" => Command::Complete { task: task()?, outcome: Err(failure()) },
        "submit" => Command::Submit { task: task()?, output: json(text)? },
        "beat" => Command::Heartbeat { task: task()?, token: token(task()?) },
        "answer" => Command::Answer { task: task()?, token: token(task()?), outcome: Ok(json(text)?) },
        "deny" => Command::Answer { task: task()?, token: token(task()?), outcome: Err(failure()) },
        "take" => Command::Take { task: task()?, worker: Some(text.into()) },
        "fire" => Command::Fire { timer: TimerId(number.parse().ok()?) },
        "redrive" => Command::Redrive { token: None, nth: None },
        "stop" => Command::Stop { failure: Failure::new("Operator", "enough") },
        _ => return None,
    })
}

//! The rehearsal: the engine, with mocks for the world and a clock that jumps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asl::{Machine, Pattern, Resource};
use base::{Json, Timestamp};
use engine::{
    Command, Effect, Env, Event, Execution, Fact, Failure, FrameId, Identity, MapRunOutcome, Start, TaskId, TimerId,
};

use crate::suite::Case;

/// What became of a rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct Performance {
    pub ending: Ending,
    /// The states of the machine itself, in the order in which they were entered.
    pub path: Vec<Arc<str>>,
    /// Every task that was called, in order.
    pub calls: Vec<Call>,
    /// From the start to the end, on the virtual clock.
    pub took_ms: i64,
    /// The whole history.
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub state: Arc<str>,
    pub resource: Arc<str>,
    pub parameters: Json,
    pub at: Timestamp,
}

/// How it ended, or why it could not go on.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    Succeeded(Json),
    Failed(Failure),
    TimedOut(Failure),
    /// A state called its task and nothing says what it answers: the number of the call is from 0.
    NoAnswer {
        state: Arc<str>,
        call: u64,
    },
    /// It took more steps than any test should.
    Endless,
}

impl Ending {
    /// By AWS's names; none where it did not end.
    pub fn status(&self) -> Option<&'static str> {
        match self {
            Ending::Succeeded(_) => Some("SUCCEEDED"),
            Ending::Failed(_) => Some("FAILED"),
            Ending::TimedOut(_) => Some("TIMED_OUT"),
            Ending::NoAnswer { .. } | Ending::Endless => None,
        }
    }
}

/// Commands that one rehearsal gives.
const STEPS_MAX: u32 = 200_000;

/// The seed of everything random.
const SEED: u64 = 0x5eed;

/// Runs `machine` as `case` says. `name` is the state machine's.
pub fn run(machine: &Machine, name: &str, case: &Case) -> Performance {
    let mut stage = Stage {
        machine,
        case,
        execution: Execution::default(),
        now: case.starts_at,
        agenda: BTreeMap::new(),
        sequence: 0,
        places: BTreeMap::new(),
        counts: BTreeMap::new(),
        withdrawn: BTreeSet::new(),
        map_runs: BTreeSet::new(),
        unanswered: None,
        performance: Performance { ending: Ending::Endless, path: vec![], calls: vec![], took_ms: 0, events: vec![] },
    };
    let start =
        Start { identity: identity(name, &case.name), input: case.input.clone(), text: None, block: Machine::ROOT };
    stage.perform(Command::Start(start));
    stage.go_on();
    stage.performance
}

fn identity(machine: &str, execution: &str) -> Identity {
    Identity {
        execution_arn: format!("arn:aws:states:us-east-1:123456789012:execution:{machine}:{execution}").into(),
        name: execution.into(),
        machine_arn: format!("arn:aws:states:us-east-1:123456789012:stateMachine:{machine}").into(),
        machine_name: machine.into(),
        role_arn: "arn:aws:iam::123456789012:role/rehearsal".into(),
        version_arn: None,
        alias_arn: None,
        definition: "rehearsal".into(),
        map_run_arn: None,
        express: false,
    }
}

/// What happens at its time.
enum Due {
    Timer(TimerId),
    Answer { task: TaskId, outcome: Result<Json, Failure> },
}

struct Stage<'a> {
    machine: &'a Machine,
    case: &'a Case,
    execution: Execution,
    now: Timestamp,
    /// In order of time, and for one instant in the order in which it was asked for.
    agenda: BTreeMap<(Timestamp, u64), Due>,
    sequence: u64,
    /// The state that each part of the execution is in.
    places: BTreeMap<FrameId, Arc<str>>,
    counts: BTreeMap<Arc<str>, u64>,
    withdrawn: BTreeSet<TimerId>,
    map_runs: BTreeSet<TaskId>,
    unanswered: Option<Ending>,
    performance: Performance,
}

impl Stage<'_> {
    fn go_on(&mut self) {
        for _ in 0..STEPS_MAX {
            if let Some(ending) = self.unanswered.take().or_else(|| self.ending()) {
                self.performance.ending = ending;
                break;
            }
            let Some(((at, _), due)) = self.agenda.pop_first() else { break };
            self.now = self.now.max(at);
            match due {
                Due::Timer(timer) if self.withdrawn.contains(&timer) => (),
                Due::Timer(timer) => self.perform(Command::Fire { timer }),
                Due::Answer { task, outcome } if self.map_runs.contains(&task) => {
                    let outcome = match outcome {
                        Ok(output) => MapRunOutcome::Succeeded { output },
                        Err(failure) => MapRunOutcome::Failed { failure },
                    };
                    self.perform(Command::MapRunEnded { task, outcome });
                }
                Due::Answer { task, outcome } => self.perform(Command::Complete { task, outcome }),
            }
        }
        self.performance.took_ms = self.now.0 - self.case.starts_at.0;
    }

    fn ending(&self) -> Option<Ending> {
        match self.execution.status() {
            engine::Status::New | engine::Status::Running => None,
            engine::Status::Ended { outcome, .. } => Some(match outcome {
                engine::Outcome::Succeeded { output } => Ending::Succeeded(output.clone()),
                engine::Outcome::Failed { failure } => Ending::Failed(failure.clone()),
                engine::Outcome::Aborted { failure } => Ending::Failed(failure.clone()),
                engine::Outcome::TimedOut { failure } => Ending::TimedOut(failure.clone()),
            }),
        }
    }

    fn perform(&mut self, command: Command) {
        let env = Env {
            now: self.now,
            entropy: SEED ^ self.execution.seq(),
            limits: engine::Limits::default(),
            activities: &engine::EveryActivity,
        };
        // What comes too late is refused: a task that timed out, an alarm of a state that was left.
        let Ok(step) = engine::step(self.machine, &mut self.execution, command, env) else { return };
        step.events.iter().for_each(|event| self.note(event));
        self.performance.events.extend(step.events);
        step.effects.into_iter().for_each(|effect| self.effect(effect));
    }

    fn note(&mut self, event: &Event) {
        if let Fact::StateEntered { name, .. } = &event.fact {
            self.places.insert(event.frame, name.clone());
            if event.frame == FrameId::ROOT {
                self.performance.path.push(name.clone());
            }
        }
        if let Fact::TaskScheduled { task, resource, parameters, .. } = &event.fact {
            let state = self.places.get(&event.frame).expect("a task belongs to a state that was entered").clone();
            self.call(state, *task, resource.clone(), parameters.clone());
        }
        // A Map in distributed mode is answered as a whole: what it has done is done by executions of their own.
        if let Fact::MapRunStarted { task, plan, .. } = &event.fact {
            let items = match &plan.source {
                engine::map_run::MapSource::Items(items) => items,
                engine::map_run::MapSource::Reader { arguments, .. } => arguments,
            };
            self.map_runs.insert(*task);
            self.call(plan.state.clone(), *task, "arn:aws:states:::map".into(), items.clone());
        }
    }

    fn call(&mut self, state: Arc<str>, task: TaskId, resource: Arc<str>, parameters: Json) {
        let count = self.counts.entry(state.clone()).or_default();
        let call = *count;
        *count += 1;
        match self.case.mocks.get(&state).and_then(|mock| mock.answer(call)) {
            Some(outcome) => {
                let at = Timestamp(self.now.0.saturating_add(outcome.after_ms));
                self.later(at, Due::Answer { task, outcome: outcome.result.clone() });
            }
            None => self.unanswered = self.unanswered.take().or(Some(Ending::NoAnswer { state: state.clone(), call })),
        }
        self.performance.calls.push(Call { state, resource, parameters, at: self.now });
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::SetTimer(alarm) => self.later(alarm.due, Due::Timer(alarm.timer)),
            Effect::ClearTimer(alarm) => drop(self.withdrawn.insert(alarm.timer)),
            Effect::RunTask { task, resource, submitted: false, .. } if waits_after_submission(&resource) => {
                self.perform(Command::Submit { task, output: Json::empty_object() });
            }
            Effect::RunTask { task, resource, submitted: false, .. } if waits_for_worker(&resource) => {
                self.perform(Command::Take { task, worker: None });
            }
            Effect::RunTask { .. }
            | Effect::AbandonTask { .. }
            | Effect::StartMapRun { .. }
            | Effect::RedriveMapRun { .. }
            | Effect::StopMapRun { .. }
            | Effect::Ended => (),
        }
    }

    fn later(&mut self, at: Timestamp, due: Due) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), due);
    }
}

fn waits_for_worker(resource: &str) -> bool {
    matches!(Resource::parse(resource), Some(Resource::Activity { .. }))
}

/// Whether AWS's history has a `TaskSubmitted` for it.
fn waits_after_submission(resource: &str) -> bool {
    match Resource::parse(resource) {
        Some(Resource::Service { pattern, .. }) => match pattern {
            Pattern::Sync | Pattern::Sync2 | Pattern::WaitForTaskToken => true,
            Pattern::RequestResponse => false,
        },
        Some(Resource::Lambda { .. } | Resource::Activity { .. }) | None => false,
    }
}

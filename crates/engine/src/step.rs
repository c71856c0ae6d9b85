//! Deciding: what a command means for an execution right now.
//!
//! [`step`] gives the command to one of the entries below it; each records facts and then lets the frames run until
//! everything waits for the world. A frame runs on by itself: [`Run::advance`] is its loop, [`Go`] what comes
//! next in it.
//!
//! In reading order: this file (commands, and the loop), [`states`] (from entry to exit), [`children`] (branches and
//! iterations), [`failure`] (retry, catch, give up), [`record`] (what all that is made of).

mod states;
mod children;
mod failure;
mod record;

pub(crate) use failure::{ErrorNames, delay_seconds, handlers};
pub(crate) use record::within_limit;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use asl::{Body, Machine, Name, Then};
use base::Json;

use crate::data::{self, Fault};
use crate::event::{Fact, Failure};
use crate::execution::{Attempt, Doing, Execution, Status};
use crate::id::{FrameId, TaskId, TimerId};
use crate::scope::Chance;
use crate::{Command, Effect, Env, Refusal, Start, Step};
use record::data_name;

/// Decides what `command` means for `execution`, and applies it.
///
/// Refusal leaves no trace. After success the execution has the events applied: whoever cannot make them durable
/// drops it and reads it again.
pub fn step(machine: &Machine, execution: &mut Execution, command: Command, env: Env) -> Result<Step, Refusal> {
    match (&execution.status, &command) {
        (Status::New, Command::Start(_)) => (),
        (_, Command::Start(_)) => return Err(Refusal::AlreadyStarted),
        (Status::New | Status::Ended { .. }, _) => return Err(Refusal::NotRunning),
        (Status::Running, _) => (),
    }
    let chance = Chance::new(env.entropy);
    let mut run = Run {
        machine,
        execution,
        env,
        chance: &chance,
        step: Step::default(),
        agenda: VecDeque::new(),
        begun: vec![],
        overflown: None,
    };
    match command {
        Command::Start(start) => run.start(start),
        Command::Complete { task, outcome } => run.complete(task, outcome)?,
        Command::Submit { task, output } => run.submit(task, output)?,
        Command::Heartbeat { task } => run.heartbeat(task)?,
        Command::Fire { timer } => run.fire(timer)?,
        Command::Stop { failure } => run.end(0, Fact::ExecutionAborted { failure }),
    }
    run.settle();
    Ok(run.step)
}

/// One step in the making.
struct Run<'a> {
    machine: &'a Machine,
    execution: &'a mut Execution,
    env: Env,
    chance: &'a Chance,
    step: Step,
    /// Frames that can go on, in the order in which they were made.
    agenda: VecDeque<(FrameId, Go)>,
    /// Tasks scheduled in this step; they are started once everything else has come to rest.
    begun: Vec<(FrameId, TaskId, Arc<str>)>,
    /// The frame that wrote the last event that a history may have.
    overflown: Option<FrameId>,
}

/// What comes next in a frame.
enum Go {
    Enter {
        name: Name,
        input: Json,
    },
    /// The state that was entered does its work.
    Work,
    /// The state gives `output` and leads on.
    Exit {
        output: Json,
        then: Then,
    },
    /// A task, all branches or all iterations gave `result`.
    Result {
        result: Json,
    },
    /// A task is to be scheduled, branches or iterations started: the first time or again.
    Begin,
    /// The state failed. `also` is a second name for the same error.
    Fail {
        failure: Failure,
        also: Option<&'static str>,
    },
    /// A field of the state, which is in JSONata, has no value that it may have.
    EvaluationFailed {
        failure: Failure,
        location: Option<Arc<str>>,
    },
    /// A branch or iteration failed with nobody in it to catch: its parent decides.
    ChildFailed {
        child: FrameId,
        failure: Failure,
        also: Option<&'static str>,
    },
    /// The block came to its end.
    End {
        output: Json,
    },
}

/// How a piece of work can end otherwise than well.
enum Stop {
    Fault(Fault),
    Failure(Failure),
}

impl From<String> for Stop {
    fn from(text: String) -> Stop {
        Stop::Fault(Fault::Runtime(text))
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

type Next = Option<(FrameId, Go)>;

pub(crate) const QUERY_ERROR: &str = "States.QueryEvaluationError";

// The entries: one for each command.
impl Run<'_> {
    fn start(&mut self, start: Start) {
        let timeout =
            self.machine.timeout.as_ref().and_then(data::machine_seconds).map(|seconds| self.alarm_in(seconds));
        let input = start.input.clone();
        self.record(
            FrameId::ROOT,
            0,
            Fact::ExecutionStarted {
                identity: start.identity,
                input: start.input,
                text: start.text,
                block: start.block.0,
                timeout,
            },
        );
        self.step.effects.extend(timeout.map(Effect::SetTimer));
        let name = self.machine.block(start.block).start_at.clone();
        self.advance(FrameId::ROOT, Go::Enter { name, input });
    }

    fn complete(&mut self, task: TaskId, outcome: Result<Json, Failure>) -> Result<(), Refusal> {
        let (frame, attempt) = self.attempt(task)?;
        let resource = attempt.resource.clone();
        self.clear_alarms(&attempt);
        let outcome = outcome.and_then(|output| self.within_limit(output, &data_name(&resource)));
        match outcome {
            Ok(output) => {
                self.record_here(frame, Fact::TaskSucceeded { task, resource, output: output.clone() });
                self.advance(frame, Go::Result { result: output });
            }
            Err(failure) => {
                let failure = failure.cut();
                self.record_here(frame, Fact::TaskFailed { task, resource, failure: failure.clone() });
                self.advance(frame, Go::Fail { failure, also: None });
            }
        }
        Ok(())
    }

    fn submit(&mut self, task: TaskId, output: Json) -> Result<(), Refusal> {
        let (frame, attempt) = self.attempt(task)?;
        if attempt.submitted {
            return Err(Refusal::UnknownTask(task));
        }
        self.record_here(frame, Fact::TaskSubmitted { task, resource: attempt.resource, output });
        Ok(())
    }

    fn heartbeat(&mut self, task: TaskId) -> Result<(), Refusal> {
        let (frame, attempt) = self.attempt(task)?;
        if let (Some(before), Some(seconds)) = (attempt.heartbeat, attempt.heartbeat_seconds) {
            let next = self.alarm_in(seconds);
            self.record_ours(frame, Fact::TaskHeartbeat { task, next });
            self.step.effects.extend([Effect::ClearTimer(before), Effect::SetTimer(next)]);
        }
        Ok(())
    }

    fn fire(&mut self, timer: TimerId) -> Result<(), Refusal> {
        let frame = *self.execution.timers.get(&timer).ok_or(Refusal::UnknownTimer(timer))?;
        if self.execution.timeout.is_some_and(|alarm| alarm.timer == timer) {
            self.end(0, Fact::ExecutionTimedOut { failure: Failure::named("States.Timeout") });
            return Ok(());
        }
        match &self.execution.visit(frame).doing {
            Doing::Waiting { .. } => self.wait_over(frame),
            Doing::Retrying { .. } => self.advance(frame, Go::Begin),
            Doing::Task(attempt) => {
                let attempt = attempt.clone();
                self.timed_out(frame, &attempt, timer);
            }
            Doing::Deciding | Doing::Branches(_) | Doing::Iterations(_) => return Err(Refusal::UnknownTimer(timer)),
        }
        Ok(())
    }

    fn wait_over(&mut self, frame: FrameId) {
        let state = self.state(frame);
        let Body::Wait(wait) = &state.body else { unreachable!("only a Wait state waits") };
        let go = self.decided(frame, |run| run.wait_output(frame, state, wait));
        self.advance(frame, go);
    }

    /// A task's or its heartbeat's time is over. A missed heartbeat shows as `States.Timeout` and answers to
    /// `States.HeartbeatTimeout` as well.
    fn timed_out(&mut self, frame: FrameId, attempt: &Attempt, timer: TimerId) {
        let failure = Failure::named("States.Timeout");
        let missed = attempt.heartbeat.is_some_and(|alarm| alarm.timer == timer);
        let others = [attempt.timeout, attempt.heartbeat].into_iter().flatten().filter(|alarm| alarm.timer != timer);
        self.step.effects.extend(others.map(Effect::ClearTimer));
        self.step.effects.push(Effect::AbandonTask { task: attempt.task, resource: attempt.resource.clone() });
        let resource = attempt.resource.clone();
        self.record_here(frame, Fact::TaskTimedOut { task: attempt.task, resource, failure: failure.clone() });
        self.advance(frame, Go::Fail { failure, also: missed.then_some("States.HeartbeatTimeout") });
    }

    fn attempt(&self, task: TaskId) -> Result<(FrameId, Attempt), Refusal> {
        let frame = *self.execution.tasks.get(&task).ok_or(Refusal::UnknownTask(task))?;
        match &self.execution.visit(frame).doing {
            Doing::Task(attempt) => Ok((frame, attempt.clone())),
            _ => Err(Refusal::UnknownTask(task)),
        }
    }
}

// The loop.
impl Run<'_> {
    /// Lets `frame` run until it waits or is over; then whoever became able to.
    fn advance(&mut self, frame: FrameId, go: Go) {
        self.agenda.push_front((frame, go));
        while let Some((frame, go)) = self.agenda.pop_front() {
            let mut next = Some((frame, go));
            while let Some((frame, go)) = next {
                if self.execution.has_ended() || self.overflown.is_some() {
                    return;
                }
                // A sibling's failure may have ended the frame before its turn came.
                let runs = self.execution.frames.contains_key(&frame);
                next = if runs { self.go(frame, go) } else { None };
            }
        }
    }

    fn go(&mut self, frame: FrameId, go: Go) -> Next {
        match go {
            Go::Enter { name, input } => self.enter(frame, name, input),
            Go::Work => self.work(frame),
            Go::Begin => self.begin(frame),
            Go::Result { result } => self.result(frame, result),
            Go::Exit { output, then } => self.exit(frame, output, then),
            Go::Fail { failure, also } => self.fail(frame, failure, also),
            Go::EvaluationFailed { failure, location } => self.evaluation_failed(frame, failure, location),
            Go::ChildFailed { child, failure, also } => self.child_failed(frame, child, failure, also),
            Go::End { output } => self.end_block(frame, output),
        }
    }

    /// The last facts of a step: tasks that were scheduled are started; a history that is full ends.
    fn settle(&mut self) {
        for (frame, task, resource) in std::mem::take(&mut self.begun) {
            if self.execution.tasks.contains_key(&task) && self.overflown.is_none() {
                self.record_here(frame, Fact::TaskStarted { task, resource, worker: None });
            }
        }
        if let Some(frame) = self.overflown.take()
            && !self.execution.has_ended()
        {
            let cause = format!(
                "The execution reached the maximum number of history events ({}).",
                self.env.limits.history_events_max
            );
            let last = self.execution.frames.get(&frame).map_or(0, |frame| frame.last);
            self.end(last, Fact::ExecutionFailed { failure: Failure::new("States.Runtime", cause) });
        }
        self.drop_what_was_withdrawn();
    }

    /// A task that was scheduled and abandoned in one step was never asked for.
    fn drop_what_was_withdrawn(&mut self) {
        let withdraws = |effect: &Effect| matches!(effect, Effect::AbandonTask { .. } | Effect::ClearTimer(_));
        if !self.step.effects.iter().any(withdraws) {
            return;
        }
        let effects = std::mem::take(&mut self.step.effects);
        let asked_for: BTreeSet<Ask> = effects.iter().filter(|effect| !withdraws(effect)).filter_map(ask).collect();
        let withdrawn: BTreeSet<Ask> = effects.iter().filter(|effect| withdraws(effect)).filter_map(ask).collect();
        let both =
            |effect: &Effect| ask(effect).is_some_and(|ask| asked_for.contains(&ask) && withdrawn.contains(&ask));
        self.step.effects = effects.into_iter().filter(|effect| !both(effect)).collect();
    }
}

/// What an effect asks for or withdraws.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    Task(TaskId),
    Timer(TimerId),
}

fn ask(effect: &Effect) -> Option<Ask> {
    match effect {
        Effect::RunTask { task, .. } | Effect::AbandonTask { task, .. } => Some(Ask::Task(*task)),
        Effect::SetTimer(alarm) | Effect::ClearTimer(alarm) => Some(Ask::Timer(alarm.timer)),
        Effect::Ended => None,
    }
}

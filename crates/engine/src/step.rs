//! Deciding: what a command means for an execution right now.
//!
//! [`step`] gives the command to one of the entries below it; each records facts and then lets the frames run until
//! everything waits for the world. A frame runs on by itself: [`Run::advance`] is its loop, [`Go`] what comes
//! next in it.
//!
//! In reading order: this file (commands, and the loop), [`states`] (from entry to exit), [`children`] (branches and
//! iterations), [`map_run`] (Map in distributed mode), [`failure`] (retry, catch, give up), [`record`] (what all that is made of).

mod states;
mod children;
mod map_run;
mod failure;
mod record;

pub(crate) use failure::{ErrorNames, delay_seconds};
pub(crate) use record::within_limit;

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use asl::{Body, Machine, Name, Then};
use base::{Json, limits};

use crate::data::{self, Fault};
use crate::event::{Alarm, Event, Fact, Failure};
use crate::execution::{Attempt, Doing, Execution, Status};
use crate::id::{FrameId, TaskId, TimerId};
use crate::scope::{Chance, View};
use crate::token::is_activity;
use crate::variables::Assigned;
use crate::{Command, Effect, Env, Refusal, Start, Step};
use record::data_name;

/// Decides what `command` means for `execution`, and applies it.
///
/// Refusal leaves no trace. After success the execution has the events applied: whoever cannot make them durable
/// drops it and reads it again.
pub fn step(machine: &Machine, execution: &mut Execution, command: Command, env: Env<'_>) -> Result<Step, Refusal> {
    match (&execution.status, &command) {
        (Status::New, Command::Start(_)) => (),
        (_, Command::Start(_)) => return Err(Refusal::AlreadyStarted),
        (_, Command::Redrive { token: Some(token), .. }) if execution.redrives.remembers(token, env.now) => {
            return Ok(Step::default());
        }
        (Status::Ended { .. }, Command::Redrive { nth, .. })
            if execution.is_redrivable() && nth.is_none_or(|nth| nth == execution.redrives.count + 1) => {}
        (_, Command::Redrive { .. }) => return Err(Refusal::NotRedrivable),
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
        spent: Spent::default(),
    };
    match command {
        Command::Start(start) => run.start(start),
        Command::Complete { task, outcome } => run.complete(task, outcome)?,
        Command::Submit { task, output } => run.submit(task, output)?,
        Command::JobEnded { task, outcome } => run.job_ended(task, outcome)?,
        Command::Answer { task, token, outcome } => run.answer(task, &token, outcome)?,
        Command::Heartbeat { task, token } => run.heartbeat(task, &token)?,
        Command::Take { task, worker } => run.take(task, worker)?,
        Command::Fire { timer } => run.fire(timer)?,
        Command::Redrive { token, .. } => run.redrive(token),
        Command::MapRunEnded { task, outcome } => run.map_run_ended(task, outcome)?,
        Command::Stop { failure } => run.end(0, Fact::ExecutionAborted { failure }),
    }
    run.settle();
    Ok(run.step)
}

/// One step in the making.
struct Run<'a> {
    machine: &'a Machine,
    execution: &'a mut Execution,
    env: Env<'a>,
    chance: &'a Chance,
    step: Step,
    /// Frames that can go on, in the order in which they were made, with the state that each enters and its input.
    agenda: VecDeque<(FrameId, Name, Json)>,
    /// Tasks scheduled in this step; they are started once everything else has come to rest.
    begun: Vec<(FrameId, TaskId, Arc<str>)>,
    /// The frame that wrote the last event that a history may have.
    overflown: Option<FrameId>,
    spent: Spent,
}

/// What this step has done already.
#[derive(Default)]
struct Spent {
    states: u64,
    /// Steps of JSONata expressions.
    work: Cell<u64>,
    /// What its payloads take, except the first events'.
    bytes: usize,
    /// The addresses of the payloads that are counted. Its events keep them alive.
    counted: BTreeSet<usize>,
}

/// What comes next in a frame.
enum Go {
    Enter {
        name: Name,
        input: Json,
    },
    /// The state that was entered does its work.
    Work,
    /// The state gives `output` and variables, and leads on.
    Exit {
        output: Json,
        assigned: Assigned,
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
        let block = start.block;
        let input = start.input.clone();
        let started = Fact::ExecutionStarted {
            identity: start.identity,
            input: start.input,
            text: start.text,
            block: block.0,
            timeout: None,
        };
        let (started, failure) = self.timed(started);
        self.record(FrameId::ROOT, 0, started);
        self.step.effects.extend(self.execution.timeout.map(Effect::SetTimer));
        if let Some(failure) = failure {
            return self.end(0, Fact::ExecutionFailed { failure });
        }
        let name = self.machine.block(block).start_at.clone();
        self.advance(FrameId::ROOT, Go::Enter { name, input });
    }

    /// The beginning with the machine's own timeout, or with why it has none: an expression sees the context object,
    /// and with it what has begun.
    fn timed(&self, mut started: Fact) -> (Fact, Option<Failure>) {
        // The machine's own time is not that of the children that a Map of it starts.
        let is_child = matches!(&started, Fact::ExecutionStarted { block, .. } if *block != Machine::ROOT.0);
        let Some(machine) = self.machine.timeout.as_ref().filter(|_| !is_child) else {
            if let Fact::ExecutionStarted { identity, timeout, .. } = &mut started {
                *timeout = identity.express.then(|| self.alarm_in(limits::EXPRESS_SECONDS_MAX));
            }
            return (started, None);
        };
        let mut begun = Execution::default();
        begun.apply(&Event { at: self.env.now, frame: FrameId::ROOT, id: 1, previous: 0, fact: started.clone() });
        let view = View::new(&begun, FrameId::ROOT, Json::Null, self.chance, self.env.now);
        match (data::machine_seconds(machine, &view), &mut started) {
            (Ok(seconds), Fact::ExecutionStarted { identity, timeout, .. }) => {
                let most = if identity.express { limits::EXPRESS_SECONDS_MAX } else { u64::MAX };
                *timeout = Some(self.alarm_in(seconds.min(most)));
                (started, None)
            }
            (Ok(_), _) => (started, None),
            (Err(Fault::Runtime(text)), _) => (started, Some(Failure::new("States.Runtime", text))),
            (Err(Fault::Query { text, .. }), _) => (started, Some(Failure::new(QUERY_ERROR, text))),
        }
    }

    /// The machine's own timeout, counted from now.
    fn timeout_anew(&self) -> Option<Alarm> {
        let started = Fact::ExecutionStarted {
            identity: self.execution.identity.clone(),
            input: self.execution.input.clone(),
            text: None,
            block: self.execution.stopped.as_ref().and_then(|stopped| stopped.block()).unwrap_or(0),
            timeout: None,
        };
        match self.timed(started) {
            (Fact::ExecutionStarted { timeout, .. }, _) => timeout,
            (_, _) => None,
        }
    }

    fn complete(&mut self, task: TaskId, outcome: Result<Json, Failure>) -> Result<(), Refusal> {
        let (frame, attempt) = self.attempt(task)?;
        self.conclude(frame, &attempt, outcome);
        Ok(())
    }

    fn conclude(&mut self, frame: FrameId, attempt: &Attempt, outcome: Result<Json, Failure>) {
        let (task, resource) = (attempt.task, attempt.resource.clone());
        self.clear_alarms(attempt);
        self.record_owed_start(frame, attempt);
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
    }

    fn submit(&mut self, task: TaskId, output: Json) -> Result<(), Refusal> {
        let (frame, attempt) = self.attempt(task)?;
        if attempt.submitted {
            return Err(Refusal::UnknownTask(task));
        }
        self.record_owed_start(frame, &attempt);
        self.record_here(frame, Fact::TaskSubmitted { task, resource: attempt.resource.clone(), output });
        if let (Some(answer), None) = (attempt.answer.clone(), self.overflown) {
            self.conclude(frame, &attempt, answer);
        }
        Ok(())
    }

    /// An outcome from outside. One that overtakes the answer of the call that was given the token waits for it: AWS
    /// shows `TaskSubmitted` first. If the call then fails after all, the task has failed.
    fn answer(&mut self, task: TaskId, token: &str, outcome: Result<Json, Failure>) -> Result<(), Refusal> {
        let (frame, attempt) = self.attempt_of(task, token)?;
        self.answered(frame, &attempt, outcome);
        Ok(())
    }

    fn job_ended(&mut self, task: TaskId, outcome: Result<Json, Failure>) -> Result<(), Refusal> {
        let (frame, attempt) = self.attempt(task)?;
        if attempt.answer.is_some() {
            return Err(Refusal::UnknownTask(task));
        }
        self.answered(frame, &attempt, outcome);
        Ok(())
    }

    fn answered(&mut self, frame: FrameId, attempt: &Attempt, outcome: Result<Json, Failure>) {
        if attempt.submitted || is_activity(&attempt.resource) {
            self.conclude(frame, attempt, outcome);
        } else {
            self.record_ours(frame, Fact::TaskAnswered { task: attempt.task, outcome });
        }
    }

    /// A worker takes an activity's task: now its times begin ("the count begins when GetActivityTask receives a token",
    /// Developer Guide, "Task state fields").
    fn take(&mut self, task: TaskId, worker: Option<Arc<str>>) -> Result<(), Refusal> {
        let (frame, attempt) = self.attempt(task)?;
        if attempt.started || !is_activity(&attempt.resource) {
            return Err(Refusal::UnknownTask(task));
        }
        let (timeout, heartbeat) = self.alarms_in(attempt.timeout_seconds, attempt.heartbeat_seconds);
        self.record_here(frame, Fact::TaskStarted { task, resource: attempt.resource, worker, timeout, heartbeat });
        if self.overflown.is_none() {
            self.step.effects.extend([timeout, heartbeat].into_iter().flatten().map(Effect::SetTimer));
        }
        Ok(())
    }

    fn heartbeat(&mut self, task: TaskId, token: &str) -> Result<(), Refusal> {
        let (frame, attempt) = self.attempt_of(task, token)?;
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
        if self.execution.paused.as_ref().is_some_and(|paused| paused.alarm.timer == timer) {
            self.resume();
            return Ok(());
        }
        match &self.execution.visit(frame).doing {
            Doing::Waiting { .. } => self.wait_over(frame),
            Doing::Retrying { .. } => self.advance(frame, Go::Begin),
            Doing::Task(attempt) => {
                let attempt = attempt.clone();
                self.timed_out(frame, &attempt, timer);
            }
            Doing::Deciding
            | Doing::Branches(_)
            | Doing::Iterations(_)
            | Doing::MapRun(_)
            | Doing::MapRunFailed { .. } => {
                return Err(Refusal::UnknownTimer(timer));
            }
        }
        Ok(())
    }

    /// Goes on from where everything stood when it ended; each state that had begun is done again. An Express execution
    /// is one whole: all of it is.
    fn redrive(&mut self, token: Option<Arc<str>>) {
        let timeout = self.timeout_anew();
        let count = self.execution.redrives.count + 1;
        let last = self.execution.last_id;
        let stopped = self.execution.stopped.as_ref().filter(|_| !self.execution.identity.express);
        let entering = stopped.map(|stopped| stopped.entering.clone()).unwrap_or_default();
        self.record(FrameId::ROOT, last, Fact::ExecutionRedriven { count, token, timeout });
        self.step.effects.extend(timeout.map(Effect::SetTimer));
        if self.execution.identity.express {
            let block = asl::BlockId(self.execution.frame(FrameId::ROOT).block);
            let (name, input) = (self.machine.block(block).start_at.clone(), self.execution.input.clone());
            return self.advance(FrameId::ROOT, Go::Enter { name, input });
        }
        self.agenda = entering.into();
        for frame in self.execution.idle() {
            // A sibling that failed again at once may have ended it.
            let visit = self.execution.frames.get(&frame).and_then(|frame| frame.visit.as_ref());
            match visit.map(|visit| &visit.doing) {
                Some(Doing::MapRunFailed { run: Some(run) }) => {
                    let run = run.clone();
                    self.redrive_map_run(frame, &run);
                }
                Some(_) => self.advance(frame, Go::Work),
                None => (),
            }
        }
        if let Some((frame, name, input)) = self.agenda.pop_front() {
            self.advance(frame, Go::Enter { name, input });
        }
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
        self.step.effects.push(attempt.abandon());
        self.record_owed_start(frame, attempt);
        let resource = attempt.resource.clone();
        self.record_here(frame, Fact::TaskTimedOut { task: attempt.task, resource, failure: failure.clone() });
        self.advance(frame, Go::Fail { failure, also: missed.then_some("States.HeartbeatTimeout") });
    }

    /// The step that scheduled the task may have paused before it said that it started.
    fn record_owed_start(&mut self, frame: FrameId, attempt: &Attempt) {
        let task = attempt.task;
        if self.execution.paused.as_ref().is_some_and(|paused| paused.starting.contains(&task)) {
            let resource = attempt.resource.clone();
            let started = Fact::TaskStarted { task, resource, worker: None, timeout: None, heartbeat: None };
            self.record_here(frame, started);
        }
    }

    /// The attempt that is still open to whoever has `token`.
    fn attempt_of(&self, task: TaskId, token: &str) -> Result<(FrameId, Attempt), Refusal> {
        let (frame, attempt) = self.attempt(task)?;
        let handed_out = attempt.started || !is_activity(&attempt.resource);
        match attempt.token.as_deref() {
            Some(known) if known == token && handed_out && attempt.answer.is_none() => Ok((frame, attempt)),
            Some(known) if known == token => Err(Refusal::UnknownTask(task)),
            _ => Err(Refusal::WrongToken(task)),
        }
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
        let mut next = Some((frame, go));
        while let Some((frame, go)) = next {
            if self.execution.has_ended() || self.overflown.is_some() {
                return;
            }
            // A sibling's failure may have ended the frame before its turn came.
            let runs = self.execution.frames.contains_key(&frame);
            next = match go {
                Go::Enter { name, input } if runs && self.is_long() => {
                    return self.agenda.push_front((frame, name, input));
                }
                go if runs => self.go(frame, go),
                _ => None,
            };
            next =
                next.or_else(|| self.agenda.pop_front().map(|(frame, name, input)| (frame, Go::Enter { name, input })));
        }
    }

    /// Whether the rest is for the next step. Each enters one state at least.
    fn is_long(&self) -> bool {
        let limits = &self.env.limits;
        let Spent { states, work, bytes, .. } = &self.spent;
        *states >= limits.step_states_max.max(1)
            || *states > 0 && (*bytes >= limits.step_bytes_max || work.get() >= limits.step_work_max)
    }

    /// Goes on with what the last step left to do.
    fn resume(&mut self) {
        let Some(paused) = self.execution.paused.clone() else { return };
        self.record_ours(FrameId::ROOT, Fact::StepResumed);
        self.begun = paused.starting.iter().filter_map(|task| self.execution.resource(*task)).collect();
        self.agenda = paused.entering.into();
        if let Some((frame, name, input)) = self.agenda.pop_front() {
            self.advance(frame, Go::Enter { name, input });
        }
    }

    /// What is left to do is kept: the next step begins at once.
    fn pause(&mut self) {
        let entering: Vec<_> = self.agenda.drain(..).collect();
        let starting = self.begun.drain(..).map(|(_, task, _)| task).collect();
        let alarm = match &self.execution.paused {
            Some(paused) => paused.alarm,
            None => self.alarm_at(self.env.now),
        };
        self.record_ours(FrameId::ROOT, Fact::StepPaused { alarm, entering, starting });
        self.step.effects.push(Effect::SetTimer(alarm));
    }

    fn go(&mut self, frame: FrameId, go: Go) -> Next {
        match go {
            Go::Enter { name, input } => self.enter(frame, name, input),
            Go::Work => self.work(frame),
            Go::Begin => self.begin(frame),
            Go::Result { result } => self.result(frame, result),
            Go::Exit { output, assigned, then } => self.exit(frame, output, assigned, then),
            Go::Fail { failure, also } => self.fail(frame, failure, also),
            Go::EvaluationFailed { failure, location } => self.evaluation_failed(frame, failure, location),
            Go::ChildFailed { child, failure, also } => self.child_failed(frame, child, failure, also),
            Go::End { output } => self.end_block(frame, output),
        }
    }

    /// The last facts of a step: tasks that were scheduled are started; a history that is full ends.
    fn settle(&mut self) {
        let goes_on = !self.execution.has_ended() && self.overflown.is_none();
        if goes_on && !self.agenda.is_empty() {
            self.pause();
        }
        for (frame, task, resource) in std::mem::take(&mut self.begun) {
            if self.execution.tasks.contains_key(&task) && self.overflown.is_none() {
                self.record_here(
                    frame,
                    Fact::TaskStarted { task, resource, worker: None, timeout: None, heartbeat: None },
                );
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
        let withdraws = |effect: &Effect| {
            matches!(effect, Effect::AbandonTask { .. } | Effect::StopMapRun { .. } | Effect::ClearTimer(_))
        };
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
        Effect::RunTask { task, .. }
        | Effect::AbandonTask { task, .. }
        | Effect::StartMapRun { task, .. }
        | Effect::RedriveMapRun { task, .. }
        | Effect::StopMapRun { task, .. } => Some(Ask::Task(*task)),
        Effect::SetTimer(alarm) | Effect::ClearTimer(alarm) => Some(Ask::Timer(alarm.timer)),
        Effect::Ended => None,
    }
}

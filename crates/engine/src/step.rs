//! Deciding: what a command means for an execution right now.
//!
//! [`step`] gives the command to one of the entries below it; each records facts and then lets the frames run until
//! everything waits for the world. A frame runs on by itself: [`Run::advance`] is its loop, [`Go`] what comes
//! next in it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use asl::{
    BlockId, Body, Catcher, Flow, Jitter, Machine, Map, Name, Parallel, Payload, Retrier, State, Task, Then, Wait,
};
use base::{Json, Timestamp};

use crate::choice;
use crate::data::{self, Fault};
use crate::event::{Alarm, Event, Fact, Failure, Kind};
use crate::execution::{Attempt, Doing, Execution, Iterations, Place, Status};
use crate::id::{FrameId, TaskId, TimerId};
use crate::scope::{Chance, View};
use crate::{Command, Effect, Env, Refusal, Start, Step};

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
        let timeout = self.machine.timeout_seconds.map(|seconds| self.alarm_in(seconds));
        let input = start.input.clone();
        self.record(
            FrameId::ROOT,
            0,
            Fact::ExecutionStarted { identity: start.identity, input: start.input, text: start.text, timeout },
        );
        self.step.effects.extend(timeout.map(Effect::SetTimer));
        let name = self.machine.block(Machine::ROOT).start_at.clone();
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

// States, from entry to exit.
impl Run<'_> {
    fn enter(&mut self, frame: FrameId, name: Name, input: Json) -> Next {
        let block = BlockId(self.execution.frame(frame).block);
        let kind = self.machine.state(block, &name).kind().into();
        self.record_here(frame, Fact::StateEntered { kind, name, input });
        Some((frame, Go::Work))
    }

    fn work(&mut self, frame: FrameId) -> Next {
        let state = self.state(frame);
        let go = match &state.body {
            Body::Task(_) | Body::Parallel(_) | Body::Map(_) => Go::Begin,
            Body::Pass(pass) => self.decided(frame, |run| {
                let raw = run.raw(frame);
                let input = run.input(frame, state)?;
                let result = match &pass.result {
                    Some(result) => result.clone(),
                    None => data::fill(pass.parameters.as_ref(), &run.view(frame, &input))?,
                };
                let placed = data::place(&pass.result_path, &raw, result)?;
                let output = run.output(frame, state, placed)?;
                Ok(Go::Exit { output, then: pass.then.clone() })
            }),
            Body::Succeed => self.decided(frame, |run| {
                let input = run.input(frame, state)?;
                let output = run.output(frame, state, input)?;
                Ok(Go::Exit { output, then: Then::End })
            }),
            Body::Choice(rules) => self.decided(frame, |run| {
                let input = run.input(frame, state)?;
                let chosen = choice::choose(rules, &run.view(frame, &input))?.ok_or(
                    "Failed to transition out of the state. The state does not point to a next state.".to_owned(),
                )?;
                let next = chosen.next().clone();
                let output = match chosen.rule_output() {
                    Some(output) => run.computed(frame, state, output.map_or(input, data::evaluate))?,
                    None => run.output(frame, state, input)?,
                };
                Ok(Go::Exit { output, then: Then::Next(next) })
            }),
            Body::Fail(fail) => self.decided(frame, |run| {
                let raw = run.raw(frame);
                let view = run.view(frame, &raw);
                let text = |text: &Option<asl::FailText>, field| {
                    text.as_ref().map(|text| data::fail_text(text, field, &view)).transpose()
                };
                let failure =
                    Failure { error: text(&fail.error, "ErrorPath")?, cause: text(&fail.cause, "CausePath")? };
                Ok(Go::Fail { failure: failure.cut(), also: None })
            }),
            Body::Wait(wait) => {
                let due = self.decide(frame, |run| {
                    let input = run.input(frame, state)?;
                    Ok(data::wait_until(&wait.until, run.env.now, &run.view(frame, &input))?)
                });
                match due {
                    Ok(due) if due <= self.env.now => self.decided(frame, |run| run.wait_output(frame, state, wait)),
                    Ok(due) => {
                        let alarm = self.alarm_at(due);
                        self.record_ours(frame, Fact::WaitStarted { alarm });
                        self.step.effects.push(Effect::SetTimer(alarm));
                        return None;
                    }
                    Err(go) => go,
                }
            }
        };
        Some((frame, go))
    }

    fn wait_output(&self, frame: FrameId, state: &State, wait: &Wait) -> Result<Go, Stop> {
        let input = self.input(frame, state)?;
        let output = self.output(frame, state, input)?;
        Ok(Go::Exit { output, then: wait.then.clone() })
    }

    /// Schedules a task, starts branches or iterations: on entry, and again at each retry.
    fn begin(&mut self, frame: FrameId) -> Next {
        let state = self.state(frame);
        match &state.body {
            Body::Task(task) => self.schedule(frame, state, task),
            Body::Parallel(parallel) => self.start_branches(frame, state, parallel),
            Body::Map(map) => self.start_iterations(frame, state, map),
            Body::Pass(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed | Body::Fail(_) => {
                unreachable!("{} does its work at once", state.name)
            }
        }
    }

    fn schedule(&mut self, frame: FrameId, state: &State, task: &Task) -> Next {
        let decided = self.decide(frame, |run| {
            let input = run.input(frame, state)?;
            let view = run.view(frame, &input);
            let timeout = task.timeout.as_ref().map(|it| data::seconds(it, "TimeoutSecondsPath", &view)).transpose()?;
            let heartbeat =
                task.heartbeat.as_ref().map(|it| data::seconds(it, "HeartbeatSecondsPath", &view)).transpose()?;
            let parameters = run.payload(state, task.parameters.as_ref(), &view)?;
            let credentials = task.credentials.as_ref().map(|it| run.payload(state, Some(it), &view)).transpose()?;
            Ok((parameters, credentials, timeout, heartbeat))
        });
        let (parameters, credentials, timeout_seconds, heartbeat_seconds) = match decided {
            Ok(decided) => decided,
            Err(go) => return Some((frame, go)),
        };
        let id = TaskId(self.execution.next_task);
        let resource = task.resource.arn().clone();
        let timeout = timeout_seconds.map(|seconds| self.alarm_in(seconds));
        let heartbeat = heartbeat_seconds.map(|seconds| {
            let after = u64::from(timeout.is_some());
            Alarm { timer: TimerId(self.execution.next_timer + after), ..self.alarm_in(seconds) }
        });
        self.record_here(
            frame,
            Fact::TaskScheduled {
                task: id,
                resource: resource.clone(),
                parameters,
                timeout_seconds,
                heartbeat_seconds,
                credentials,
                timeout,
                heartbeat,
            },
        );
        // In a history that is full the task was not scheduled.
        let Doing::Task(attempt) = &self.execution.visit(frame).doing else { return None };
        self.step.effects.push(attempt.effect());
        self.step.effects.extend([timeout, heartbeat].into_iter().flatten().map(Effect::SetTimer));
        self.begun.push((frame, id, resource));
        None
    }

    fn start_branches(&mut self, frame: FrameId, state: &State, parallel: &Parallel) -> Next {
        let input = self.decide(frame, |run| {
            let input = run.input(frame, state)?;
            run.payload(state, parallel.parameters.as_ref(), &run.view(frame, &input))
        });
        let input = match input {
            Ok(input) => input,
            Err(go) => return Some((frame, go)),
        };
        let first = FrameId(self.execution.next_frame);
        let blocks = parallel.branches.iter().map(|block| block.0).collect();
        self.record_here(frame, Fact::ParallelStarted { input: input.clone(), first, blocks });
        for (child, block) in (first.0..).map(FrameId).zip(&parallel.branches) {
            let name = self.machine.block(*block).start_at.clone();
            self.agenda.push_back((child, Go::Enter { name, input: input.clone() }));
        }
        None
    }

    fn start_iterations(&mut self, frame: FrameId, state: &State, map: &Map) -> Next {
        let decided = self.decide(frame, |run| {
            let input = run.input(frame, state)?;
            let view = run.view(frame, &input);
            let concurrency = data::concurrency(&map.concurrency, &view)?;
            Ok((data::items(&map.items, &view)?, concurrency))
        });
        let (items, wanted) = match decided {
            Ok(decided) => decided,
            Err(go) => return Some((frame, go)),
        };
        let most = self.env.limits.map_concurrency_max.max(1);
        let concurrency = if wanted == 0 { most } else { wanted.min(most) };
        let length = items.as_array().map_or(0, <[Json]>::len) as u64;
        self.record_here(frame, Fact::MapStarted { items, length, concurrency, block: map.processor.0 });
        if self.overflown.is_some() {
            return None;
        }
        for _ in 0..concurrency.min(length) {
            if let Some(go) = self.start_iteration(frame, self.execution.frame(frame).last) {
                return Some((frame, go));
            }
        }
        if length == 0 { self.map_over(frame) } else { None }
    }

    /// Starts the next iteration. `previous`: the event that made room for it.
    fn start_iteration(&mut self, frame: FrameId, previous: u64) -> Option<Go> {
        let state = self.state(frame);
        let Body::Map(map) = &state.body else { unreachable!("only a Map iterates") };
        let Doing::Iterations(Iterations { items, next: index, .. }) = &self.execution.visit(frame).doing else {
            unreachable!("iterations were started")
        };
        let index = *index;
        let item = items
            .as_array()
            .and_then(|items| items.get(usize::try_from(index).ok()?))
            .cloned()
            .expect("there is a next item");
        let input = self.decide(frame, |run| match &map.item_selector {
            None => Ok(item),
            Some(selector) => {
                let input = run.input(frame, state)?;
                run.payload(state, Some(selector), &run.view(frame, &input).with_item(index, item))
            }
        });
        let input = match input {
            Ok(input) => input,
            Err(go) => return Some(go),
        };
        let child = FrameId(self.execution.next_frame);
        let name = state.name.clone();
        self.record(frame, previous, Fact::MapIterationStarted { name, index, input: input.clone(), child });
        let name = self.machine.block(map.processor).start_at.clone();
        self.agenda.push_back((child, Go::Enter { name, input }));
        None
    }

    /// `ResultSelector`, `ResultPath`, `OutputPath`; or `Output`.
    fn result(&mut self, frame: FrameId, result: Json) -> Next {
        let state = self.state(frame);
        let (selector, path, then) = match &state.body {
            Body::Task(task) => (&task.result_selector, &task.result_path, &task.then),
            Body::Parallel(parallel) => (&parallel.result_selector, &parallel.result_path, &parallel.then),
            Body::Map(map) => (&map.result_selector, &map.result_path, &map.then),
            Body::Pass(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed | Body::Fail(_) => {
                unreachable!("{} has no result", state.name)
            }
        };
        let go = self.decided(frame, |run| {
            let selected = data::fill(selector.as_ref(), &run.view(frame, &result))?;
            let placed = data::place(path, &run.raw(frame), selected)?;
            let output = run.output(frame, state, placed)?;
            Ok(Go::Exit { output, then: then.clone() })
        });
        Some((frame, go))
    }

    fn exit(&mut self, frame: FrameId, output: Json, then: Then) -> Next {
        let visit = self.execution.visit(frame);
        let (kind, name) = (visit.kind, visit.name.clone());
        self.record_here(frame, Fact::StateExited { kind, name, output: output.clone() });
        Some(match then {
            Then::Next(name) => (frame, Go::Enter { name, input: output }),
            Then::End => (frame, Go::End { output }),
        })
    }

    /// A block came to its end: the execution succeeded, or a branch or an iteration has its result.
    fn end_block(&mut self, frame: FrameId, output: Json) -> Next {
        let last = self.execution.frame(frame).last;
        match self.execution.frame(frame).place {
            Place::Machine => {
                self.end(last, Fact::ExecutionSucceeded { output });
                None
            }
            Place::Branch { of, .. } => {
                self.record_ours(frame, Fact::FrameEnded { output: Some(output), failed: false });
                self.branch_over(of)
            }
            Place::Iteration { of, index } => {
                self.record_ours(frame, Fact::FrameEnded { output: Some(output), failed: false });
                self.iteration_over(of, index, last)
            }
        }
    }

    fn branch_over(&mut self, frame: FrameId) -> Next {
        let Doing::Branches(branches) = &mut self.execution.doing_mut(frame)? else { return None };
        if branches.open > 0 {
            return None;
        }
        let result = Json::array(branches.outputs.iter().flatten().cloned());
        self.record_here(frame, Fact::ParallelSucceeded);
        Some((frame, self.sized(frame, result)))
    }

    fn iteration_over(&mut self, frame: FrameId, index: u64, last: u64) -> Next {
        let name = self.execution.visit(frame).name.clone();
        self.record(frame, last, Fact::MapIterationSucceeded { name, index });
        let Doing::Iterations(iterations) = &self.execution.visit(frame).doing else { return None };
        if iterations.next < iterations.outputs.len() as u64 {
            return self.start_iteration(frame, last).map(|go| (frame, go));
        }
        if iterations.open.is_empty() { self.map_over(frame) } else { None }
    }

    fn map_over(&mut self, frame: FrameId) -> Next {
        let Doing::Iterations(iterations) = &self.execution.visit(frame).doing else { return None };
        let result = Json::array(iterations.outputs.iter().flatten().cloned());
        self.record_here(frame, Fact::MapSucceeded);
        Some((frame, self.sized(frame, result)))
    }

    /// A result that is not too large goes on; one that is fails its state.
    fn sized(&self, frame: FrameId, result: Json) -> Go {
        match self.within_limit(result, &self.execution.visit(frame).name) {
            Ok(result) => Go::Result { result },
            Err(failure) => Go::Fail { failure, also: None },
        }
    }
}

// Failure: retry, else catch, else the parent.
impl Run<'_> {
    /// Told apart from the failure that follows. As the event before it AWS names the one before the state was
    /// entered, except in a Wait.
    fn evaluation_failed(&mut self, frame: FrameId, failure: Failure, location: Option<Arc<str>>) -> Next {
        let last = self.execution.frame(frame).last;
        let visit = self.execution.visit(frame);
        let previous = if last == visit.entered && visit.kind != Kind::Wait { visit.entered_from } else { last };
        let state = visit.name.clone();
        self.record(frame, previous, Fact::EvaluationFailed { state, failure: failure.clone(), location });
        Some((frame, Go::Fail { failure, also: None }))
    }

    fn fail(&mut self, frame: FrameId, failure: Failure, also: Option<&'static str>) -> Next {
        let state = self.state(frame);
        let (retriers, catchers) = handlers(&state.body);
        let names = ErrorNames { error: failure.error.as_deref(), also };
        self.abort_children(frame, None);
        let retrier = (0..).zip(retriers).find(|(_, retrier)| names.are_in_retry(&retrier.error_equals));
        if let Some((index, retrier)) = retrier
            && let Some(delay_ms) = self.retry_delay(frame, index, retrier)
        {
            let alarm = self.alarm_at(Timestamp(self.env.now.0.saturating_add(delay_ms)));
            self.record_ours(frame, Fact::RetryScheduled { retrier: index, alarm });
            self.step.effects.push(Effect::SetTimer(alarm));
            return None;
        }
        self.record_children_failed(frame, state, &failure);
        let catcher = catchers.iter().find(|catcher| names.are_in_catch(&catcher.error_equals));
        match catcher {
            Some(catcher) => match self.catch(frame, &failure, catcher) {
                // A failure to catch is not caught: it could go on for ever.
                Go::Fail { failure, also } => self.give_up(frame, failure, also),
                go => Some((frame, go)),
            },
            None => self.give_up(frame, failure, also),
        }
    }

    /// `MapStateFailed`, `ParallelStateFailed`: a state with children that is not tried again.
    fn record_children_failed(&mut self, frame: FrameId, state: &State, failure: &Failure) {
        let unevaluated = failure.error.as_deref() == Some(QUERY_ERROR);
        match (&state.body, &self.execution.visit(frame).doing) {
            (Body::Parallel(_), Doing::Branches(_)) => self.record_here(frame, Fact::ParallelFailed),
            (Body::Map(_), Doing::Iterations(_)) => self.record_here(frame, Fact::MapFailed),
            // AWS ends a Map so whose items could not be told, though it never began.
            (Body::Map(_), _) if unevaluated => self.record_here(frame, Fact::MapFailed),
            _ => (),
        }
    }

    /// How long to wait before the next attempt, in milliseconds; none when the retrier is used up.
    fn retry_delay(&self, frame: FrameId, index: u32, retrier: &Retrier) -> Option<i64> {
        let used = self.execution.visit(frame).retries.get(&index).copied().unwrap_or(0);
        let delay = delay_seconds(retrier, used)?;
        let jittered = match retrier.jitter {
            Jitter::None => delay,
            Jitter::Full => delay * self.chance.fraction(),
        };
        Some((jittered * 1000.0).ceil() as i64)
    }

    fn catch(&mut self, frame: FrameId, failure: &Failure, catcher: &Catcher) -> Go {
        self.decided(frame, |run| {
            let output = data::caught(&catcher.output, &run.raw(frame), failure)?;
            let output = run.within_limit(output, &run.execution.visit(frame).name).map_err(Stop::Failure)?;
            Ok(Go::Exit { output, then: Then::Next(catcher.next.clone()) })
        })
    }

    /// Nobody here catches: the execution fails, or the parent decides.
    fn give_up(&mut self, frame: FrameId, failure: Failure, also: Option<&'static str>) -> Next {
        match self.execution.frame(frame).place {
            Place::Machine => {
                let last = self.execution.frame(frame).last;
                self.end(last, Fact::ExecutionFailed { failure });
                None
            }
            Place::Branch { of, .. } | Place::Iteration { of, .. } => {
                Some((of, Go::ChildFailed { child: frame, failure, also }))
            }
        }
    }

    /// One child's failure ends all the others; what follows names the child's last event.
    fn child_failed(&mut self, frame: FrameId, child: FrameId, failure: Failure, also: Option<&'static str>) -> Next {
        self.abort_children(frame, Some(child));
        Some((frame, Go::Fail { failure, also }))
    }

    /// Ends every child of `frame` that still runs; `failed` is the one whose failure did it.
    fn abort_children(&mut self, frame: FrameId, failed: Option<FrameId>) {
        let children = self.children(frame);
        let previous = self.execution.frame(failed.unwrap_or(frame)).last;
        let name = self.execution.visit(frame).name.clone();
        let order = failed.into_iter().chain(children.into_iter().filter(|child| Some(*child) != failed));
        for child in order {
            if let Place::Iteration { index, .. } = self.execution.frame(child).place {
                let name = name.clone();
                let fact = match Some(child) == failed {
                    true => Fact::MapIterationFailed { name, index },
                    false => Fact::MapIterationAborted { name, index },
                };
                self.record(frame, previous, fact);
            }
            self.abort(child, previous, Some(child) == failed);
        }
    }

    /// Ends a frame and everything below it. `failed`: it is the one whose failure its parent answers to.
    fn abort(&mut self, frame: FrameId, previous: u64, failed: bool) {
        for child in self.children(frame) {
            self.abort(child, previous, false);
        }
        if let Some(visit) = &self.execution.frame(frame).visit {
            let (kind, name) = (visit.kind, visit.name.clone());
            let withdrawn = withdraw(&visit.doing);
            self.step.effects.extend(withdrawn);
            if has_aborted_event(kind) {
                self.record(frame, previous, Fact::StateAborted { kind, name });
            }
        }
        self.record_ours(frame, Fact::FrameEnded { output: None, failed });
    }

    fn children(&self, frame: FrameId) -> Vec<FrameId> {
        let Some(visit) = &self.execution.frame(frame).visit else { return vec![] };
        match &visit.doing {
            Doing::Branches(branches) => (branches.first.0..)
                .map(FrameId)
                .take(branches.outputs.len())
                .filter(|child| self.execution.frames.contains_key(child))
                .collect(),
            Doing::Iterations(iterations) => iterations.open.values().copied().collect(),
            Doing::Deciding | Doing::Task(_) | Doing::Waiting { .. } | Doing::Retrying { .. } => vec![],
        }
    }
}

/// AWS has `TaskStateAborted`, `WaitStateAborted`, `ParallelStateAborted` and `MapStateAborted`; the other states are
/// never found waiting.
fn has_aborted_event(kind: Kind) -> bool {
    match kind {
        Kind::Task | Kind::Wait | Kind::Parallel | Kind::Map => true,
        Kind::Pass | Kind::Choice | Kind::Succeed | Kind::Fail => false,
    }
}

/// What is no longer asked for when a state stops doing what it did.
fn withdraw(doing: &Doing) -> Vec<Effect> {
    match doing {
        Doing::Task(attempt) => {
            let alarms = [attempt.timeout, attempt.heartbeat].into_iter().flatten().map(Effect::ClearTimer);
            let abandon = Effect::AbandonTask { task: attempt.task, resource: attempt.resource.clone() };
            std::iter::once(abandon).chain(alarms).collect()
        }
        Doing::Waiting { alarm } | Doing::Retrying { alarm } => vec![Effect::ClearTimer(*alarm)],
        Doing::Deciding | Doing::Branches(_) | Doing::Iterations(_) => vec![],
    }
}

pub(crate) fn handlers(body: &Body) -> (&[Retrier], &[Catcher]) {
    match body {
        Body::Task(task) => (&task.retry, &task.catch),
        Body::Parallel(parallel) => (&parallel.retry, &parallel.catch),
        Body::Map(map) => (&map.retry, &map.catch),
        Body::Pass(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed | Body::Fail(_) => (&[], &[]),
    }
}

/// How long a retrier that was used so often waits, before jitter; none when it is used up.
pub(crate) fn delay_seconds(retrier: &Retrier, used: u32) -> Option<f64> {
    if u64::from(used) >= retrier.max_attempts {
        return None;
    }
    let most = retrier.max_delay_seconds.unwrap_or(base::limits::TIMEOUT_SECONDS_MAX) as f64;
    Some((retrier.interval_seconds as f64 * retrier.backoff_rate.powf(f64::from(used))).min(most))
}

/// The names that one error answers to.
pub(crate) struct ErrorNames<'a> {
    pub(crate) error: Option<&'a str>,
    pub(crate) also: Option<&'static str>,
}

impl ErrorNames<'_> {
    pub(crate) fn are_in_catch(&self, error_equals: &[Arc<str>]) -> bool {
        error_equals.iter().any(|wanted| self.is(wanted))
    }

    /// A retry of what may have run already has to be asked for by name: `States.ALL` does not include
    /// `Agent.Indeterminate`.
    pub(crate) fn are_in_retry(&self, error_equals: &[Arc<str>]) -> bool {
        let indeterminate = self.error == Some("Agent.Indeterminate");
        error_equals.iter().any(|wanted| match &**wanted {
            "States.ALL" | "States.TaskFailed" if indeterminate => false,
            _ => self.is(wanted),
        })
    }

    /// `States.Runtime` is never handled; `States.DataLimitExceeded` only by its own name
    /// (Developer Guide, "Handling errors").
    fn is(&self, wanted: &str) -> bool {
        let runtime = self.error == Some("States.Runtime");
        let data_limit = self.error == Some("States.DataLimitExceeded");
        match wanted {
            _ if runtime => false,
            "States.ALL" => !data_limit,
            "States.TaskFailed" => !data_limit && self.error != Some("States.Timeout"),
            _ => self.error == Some(wanted) || self.also == Some(wanted),
        }
    }
}

// What the above is made of.
impl<'a> Run<'a> {
    fn state(&self, frame: FrameId) -> &'a State {
        let block = BlockId(self.execution.frame(frame).block);
        self.machine.state(block, &self.execution.visit(frame).name)
    }

    fn raw(&self, frame: FrameId) -> Json {
        self.execution.visit(frame).input.clone()
    }

    fn view<'v>(&'v self, frame: FrameId, input: &'v Json) -> View<'v> {
        View::new(self.execution, frame, input, self.chance)
    }

    /// The effective input: `InputPath` of the raw one.
    fn input(&self, frame: FrameId, state: &State) -> Result<Json, Stop> {
        let raw = self.raw(frame);
        match &state.flow {
            Flow::JsonPath { input, .. } => Ok(data::select(input, &self.view(frame, &raw))?),
            Flow::Jsonata { .. } => Ok(raw),
        }
    }

    /// `OutputPath` or `Output`, within the limit on payloads. `placed` is what the state gives without.
    fn output(&self, frame: FrameId, state: &State, placed: Json) -> Result<Json, Stop> {
        let output = match &state.flow {
            Flow::JsonPath { output, .. } => data::select(output, &self.view(frame, &placed))?,
            Flow::Jsonata { output } => output.as_ref().map_or(placed, data::evaluate),
        };
        self.computed(frame, state, output)
    }

    /// An output, within the limit on payloads.
    fn computed(&self, frame: FrameId, state: &State, output: Json) -> Result<Json, Stop> {
        if output.same(&self.execution.visit(frame).input) {
            return Ok(output);
        }
        self.within_limit(output, &state.name).map_err(Stop::Failure)
    }

    /// What a template makes, within the limit on payloads: a small definition can make much of a large input.
    fn payload(&self, state: &State, template: Option<&Payload>, view: &View<'_>) -> Result<Json, Stop> {
        let made = data::payload(template, view)?;
        match template {
            Some(_) => self.within_limit(made, &state.name).map_err(Stop::Failure),
            None => Ok(made),
        }
    }

    fn within_limit(&self, output: Json, of: &str) -> Result<Json, Failure> {
        within_limit(output, of, self.env.limits.payload_bytes_max)
    }

    /// The work's value, or how the state fails.
    fn decide<T>(&self, frame: FrameId, work: impl FnOnce(&Self) -> Result<T, Stop>) -> Result<T, Go> {
        work(self).map_err(|stop| match stop {
            Stop::Failure(failure) => Go::Fail { failure, also: None },
            Stop::Fault(Fault::Runtime(text)) => {
                Go::Fail { failure: self.failure(frame, "States.Runtime", &text), also: None }
            }
            Stop::Fault(Fault::Query { text, location }) => Go::EvaluationFailed {
                failure: self.failure(frame, QUERY_ERROR, &text),
                location: location.map(Arc::from),
            },
        })
    }

    /// A failure of ours, which names the state.
    fn failure(&self, frame: FrameId, error: &str, text: &str) -> Failure {
        let visit = self.execution.visit(frame);
        let (name, entered) = (&visit.name, visit.entered);
        Failure::new(
            error,
            format!(
                "An error occurred while executing the state '{name}' (entered at the event id #{entered}). {text}"
            ),
        )
    }

    fn decided(&self, frame: FrameId, work: impl FnOnce(&Self) -> Result<Go, Stop>) -> Go {
        self.decide(frame, work).unwrap_or_else(|go| go)
    }

    fn alarm_in(&self, seconds: u64) -> Alarm {
        self.alarm_at(self.env.now.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
    }

    fn alarm_at(&self, due: Timestamp) -> Alarm {
        Alarm { timer: TimerId(self.execution.next_timer), due }
    }

    fn clear_alarms(&mut self, attempt: &Attempt) {
        self.step.effects.extend([attempt.timeout, attempt.heartbeat].into_iter().flatten().map(Effect::ClearTimer));
    }

    /// The execution ends; everything that is still asked for is withdrawn.
    fn end(&mut self, previous: u64, fact: Fact) {
        let withdrawn: Vec<Effect> = self.execution.outstanding().into_iter().map(withdrawal).collect();
        self.step.effects.extend(withdrawn);
        self.record(FrameId::ROOT, previous, fact);
        self.step.effects.push(Effect::Ended);
    }

    /// A fact that follows the frame's last.
    fn record_here(&mut self, frame: FrameId, fact: Fact) {
        self.record(frame, self.execution.frame(frame).last, fact);
    }

    /// A fact that AWS's history does not have.
    fn record_ours(&mut self, frame: FrameId, fact: Fact) {
        self.push(Event { at: self.env.now, frame, id: 0, previous: 0, fact });
    }

    fn record(&mut self, frame: FrameId, previous: u64, fact: Fact) {
        let id = self.execution.last_id + 1;
        if self.overflown.is_some() && !fact.ends_execution() {
            return;
        }
        // A history has at least a beginning and an end.
        let begins = matches!(fact, Fact::ExecutionStarted { .. });
        if id >= self.env.limits.history_events_max && !fact.ends_execution() && !begins {
            self.overflown = Some(frame);
            return;
        }
        self.push(Event { at: self.env.now, frame, id, previous, fact });
    }

    fn push(&mut self, event: Event) {
        self.execution.apply(&event);
        self.step.events.push(event);
    }
}

pub(crate) fn within_limit(output: Json, of: &str, bytes_max: usize) -> Result<Json, Failure> {
    // What nests too deeply could be written and never be read again. Size first: it ends the walk early.
    if output.fits(bytes_max) && !output.is_too_deep() {
        return Ok(output);
    }
    let cause = format!(
        "The state/task '{of}' returned a result with a size exceeding the maximum number of bytes service limit."
    );
    Err(Failure::new("States.DataLimitExceeded", cause))
}

fn withdrawal(effect: Effect) -> Effect {
    match effect {
        Effect::RunTask { task, resource, .. } => Effect::AbandonTask { task, resource },
        Effect::SetTimer(alarm) => Effect::ClearTimer(alarm),
        other @ (Effect::AbandonTask { .. } | Effect::ClearTimer(_) | Effect::Ended) => other,
    }
}

/// How `States.DataLimitExceeded` names a task: a Lambda function by its ARN, a service by its name.
fn data_name(resource: &str) -> String {
    match asl::Resource::parse(resource) {
        Some(asl::Resource::Service { service, .. }) => service.to_string(),
        _ => resource.to_owned(),
    }
}

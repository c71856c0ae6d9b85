//! States, from entry to exit.

use asl::{BlockId, Body, MapMode, Name, Resource, State, Task, Then, Wait};
use base::Json;

use super::{Go, Next, Run, Stop};
use crate::Effect;
use crate::choice;
use crate::data::{self};
use crate::event::{Fact, Failure};
use crate::execution::{Doing, Place};
use crate::id::{FrameId, TaskId};
use crate::token::{Token, has_token};
use crate::variables::Assigned;

impl Run<'_> {
    pub(super) fn enter(&mut self, frame: FrameId, name: Name, input: Json) -> Next {
        let block = BlockId(self.execution.frame(frame).block);
        let kind = self.machine.state(block, &name).kind().into();
        self.spent.states += 1;
        self.record_here(frame, Fact::StateEntered { kind, name, input });
        Some((frame, Go::Work))
    }

    pub(super) fn work(&mut self, frame: FrameId) -> Next {
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
                let view = run.view(frame, &result);
                let assigned = run.assign(frame, state.assign.as_ref(), "Assign", &view)?;
                let placed = data::place(&pass.result_path, &raw, result)?;
                let output = run.output(frame, state, placed, &view)?;
                Ok(Go::Exit { output, assigned, then: pass.then.clone() })
            }),
            Body::Succeed => self.decided(frame, |run| {
                let input = run.input(frame, state)?;
                let view = run.view(frame, &input);
                let output = run.output(frame, state, input, &view)?;
                Ok(Go::Exit { output, assigned: None, then: Then::End })
            }),
            Body::Choice(rules) => self.decided(frame, |run| {
                let input = run.input(frame, state)?;
                let view = run.view(frame, &input);
                let chosen = choice::choose(rules, &view)?.ok_or(
                    "Failed to transition out of the state. The state does not point to a next state.".to_owned(),
                )?;
                let assigned = run.assign(frame, chosen.assign(state), &chosen.place("Assign"), &view)?;
                let output = match chosen.rule_output() {
                    Some(Some(output)) => {
                        run.computed(frame, state, data::evaluate(output, &chosen.place("Output"), &view)?)?
                    }
                    Some(None) => input,
                    None => run.output(frame, state, input, &view)?,
                };
                Ok(Go::Exit { output, assigned, then: Then::Next(chosen.next().clone()) })
            }),
            Body::Fail(fail) => self.decided(frame, |run| {
                let raw = run.raw(frame);
                let view = run.view(frame, &raw);
                let text = |text: &Option<asl::FailText>, field| {
                    text.as_ref().map(|text| data::fail_text(text, field, &view)).transpose()
                };
                let failure = Failure { error: text(&fail.error, "Error")?, cause: text(&fail.cause, "Cause")? };
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

    pub(super) fn wait_output(&self, frame: FrameId, state: &State, wait: &Wait) -> Result<Go, Stop> {
        let input = self.input(frame, state)?;
        let view = self.view(frame, &input);
        let assigned = self.assign(frame, state.assign.as_ref(), "Assign", &view)?;
        let output = self.output(frame, state, input, &view)?;
        Ok(Go::Exit { output, assigned, then: wait.then.clone() })
    }

    /// Schedules a task, starts branches or iterations: on entry, and again at each retry.
    pub(super) fn begin(&mut self, frame: FrameId) -> Next {
        let state = self.state(frame);
        match &state.body {
            Body::Task(task) => self.schedule(frame, state, task),
            Body::Parallel(parallel) => self.start_branches(frame, state, parallel),
            Body::Map(map) => match &map.mode {
                MapMode::Inline => self.start_iterations(frame, state, map),
                MapMode::Distributed(distributed) => self.start_map_run(frame, state, map, distributed),
            },
            Body::Pass(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed | Body::Fail(_) => {
                unreachable!("{} does its work at once", state.name)
            }
        }
    }

    pub(super) fn schedule(&mut self, frame: FrameId, state: &State, task: &Task) -> Next {
        let id = TaskId(self.execution.next_task);
        let token =
            has_token(&task.resource).then(|| Token::make(&self.execution.identity.execution_arn, id, self.chance));
        let decided = self.decide(frame, |run| {
            if let Resource::Activity { arn } = &task.resource
                && !run.env.activities.exist(arn)
            {
                return Err(format!("The activity {arn} does not exist.").into());
            }
            let input = run.input(frame, state)?;
            let view = run.view(frame, &input).with_token(token.clone());
            let timeout = task.timeout.as_ref().map(|it| data::seconds(it, "TimeoutSeconds", &view)).transpose()?;
            let heartbeat =
                task.heartbeat.as_ref().map(|it| data::seconds(it, "HeartbeatSeconds", &view)).transpose()?;
            let parameters = run.payload(state, task.parameters.as_ref(), "Arguments", &view)?;
            let credentials = task.credentials.as_ref();
            let credentials = credentials.map(|it| run.payload(state, Some(it), "Credentials", &view)).transpose()?;
            Ok((parameters, credentials, timeout, heartbeat))
        });
        let (parameters, credentials, timeout_seconds, heartbeat_seconds) = match decided {
            Ok(decided) => decided,
            Err(go) => return Some((frame, go)),
        };
        let resource = task.resource.arn().clone();
        let waits_for_worker = matches!(task.resource, Resource::Activity { .. });
        let (timeout, heartbeat) = match waits_for_worker {
            true => (None, None),
            false => self.alarms_in(timeout_seconds, heartbeat_seconds),
        };
        self.record_here(
            frame,
            Fact::TaskScheduled {
                task: id,
                resource: resource.clone(),
                parameters,
                timeout_seconds,
                heartbeat_seconds,
                credentials,
                token,
                timeout,
                heartbeat,
            },
        );
        // In a history that is full the task was not scheduled.
        let Doing::Task(attempt) = &self.execution.visit(frame).doing else { return None };
        self.step.effects.push(attempt.effect());
        self.step.effects.extend([timeout, heartbeat].into_iter().flatten().map(Effect::SetTimer));
        if !waits_for_worker {
            self.begun.push((frame, id, resource));
        }
        None
    }

    /// `ResultSelector`, `ResultPath`, `OutputPath`; or `Output`.
    pub(super) fn result(&mut self, frame: FrameId, result: Json) -> Next {
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
            let view = run.result_view(frame, state, &result);
            let assigned = run.assign(frame, state.assign.as_ref(), "Assign", &view)?;
            let selected = data::fill(selector.as_ref(), &run.view(frame, &result))?;
            let placed = data::place(path, &run.raw(frame), selected)?;
            let output = run.output(frame, state, placed, &view)?;
            Ok(Go::Exit { output, assigned, then: then.clone() })
        });
        Some((frame, go))
    }

    pub(super) fn exit(&mut self, frame: FrameId, output: Json, assigned: Assigned, then: Then) -> Next {
        let visit = self.execution.visit(frame);
        let (kind, name) = (visit.kind, visit.name.clone());
        self.record_here(frame, Fact::StateExited { kind, name, output: output.clone(), assigned });
        Some(match then {
            Then::Next(name) => (frame, Go::Enter { name, input: output }),
            Then::End => (frame, Go::End { output }),
        })
    }

    /// A block came to its end: the execution succeeded, or a branch or an iteration has its result.
    pub(super) fn end_block(&mut self, frame: FrameId, output: Json) -> Next {
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
}

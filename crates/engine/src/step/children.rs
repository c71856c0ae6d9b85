//! Branches and iterations: begun, over, given up.

use asl::{Body, Map, Parallel, State};
use base::Json;

use super::{Go, Next, Run};
use crate::Effect;
use crate::data::{self};
use crate::event::{Fact, Kind};
use crate::execution::{Doing, Iterations, Place, whole};
use crate::id::FrameId;
use crate::quantity;

impl Run<'_> {
    pub(super) fn start_branches(&mut self, frame: FrameId, state: &State, parallel: &Parallel) -> Next {
        let input = self.decide(frame, |run| {
            let input = run.input(frame, state)?;
            run.payload(state, parallel.parameters.as_ref(), "Arguments", &run.view(frame, &input))
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
            self.agenda.push_back((child, name, input.clone()));
        }
        None
    }

    pub(super) fn start_iterations(&mut self, frame: FrameId, state: &State, map: &Map) -> Next {
        let decided = self.decide(frame, |run| {
            let input = run.input(frame, state)?;
            let view = run.view(frame, &input);
            let concurrency = quantity::concurrency(&map.concurrency, &view)?;
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
    pub(super) fn start_iteration(&mut self, frame: FrameId, previous: u64) -> Option<Go> {
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
                let view = run.view(frame, &input).with_item(index, item);
                run.payload(state, Some(selector), "ItemSelector", &view)
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
        self.agenda.push_back((child, name, input));
        None
    }

    pub(super) fn branch_over(&mut self, frame: FrameId) -> Next {
        let Doing::Branches(branches) = &mut self.execution.doing_mut(frame)? else { return None };
        if branches.open > 0 {
            return None;
        }
        let result = whole(&branches.outputs);
        self.record_here(frame, Fact::ParallelSucceeded);
        Some((frame, self.sized(frame, result)))
    }

    pub(super) fn iteration_over(&mut self, frame: FrameId, index: u64, last: u64) -> Next {
        let name = self.execution.visit(frame).name.clone();
        self.record(frame, last, Fact::MapIterationSucceeded { name, index });
        let Doing::Iterations(iterations) = &self.execution.visit(frame).doing else { return None };
        if iterations.next < iterations.outputs.len() as u64 {
            return self.start_iteration(frame, last).map(|go| (frame, go));
        }
        if iterations.open.is_empty() { self.map_over(frame) } else { None }
    }

    pub(super) fn map_over(&mut self, frame: FrameId) -> Next {
        let Doing::Iterations(iterations) = &self.execution.visit(frame).doing else { return None };
        let result = whole(&iterations.outputs);
        self.record_here(frame, Fact::MapSucceeded);
        Some((frame, self.sized(frame, result)))
    }

    /// A result that is not too large goes on; one that is fails its state.
    pub(super) fn sized(&self, frame: FrameId, result: Json) -> Go {
        match self.within_limit(result, &self.execution.visit(frame).name) {
            Ok(result) => Go::Result { result },
            Err(failure) => Go::Fail { failure, also: None },
        }
    }

    /// Ends every child of `frame` that still runs; `failed` is the one whose failure did it.
    pub(super) fn abort_children(&mut self, frame: FrameId, failed: Option<FrameId>) {
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
    pub(super) fn abort(&mut self, frame: FrameId, previous: u64, failed: bool) {
        for child in self.children(frame) {
            self.abort(child, previous, false);
        }
        if let Some(visit) = &self.execution.frame(frame).visit {
            let (kind, name) = (visit.kind, visit.name.clone());
            let withdrawn = withdraw(&visit.doing);
            self.step.effects.extend(withdrawn);
            if matches!(&visit.doing, Doing::MapRun(_)) {
                self.record(frame, previous, Fact::MapRunAborted);
            }
            if has_aborted_event(kind) {
                self.record(frame, previous, Fact::StateAborted { kind, name });
            }
        }
        self.record_ours(frame, Fact::FrameEnded { output: None, failed });
    }

    pub(super) fn children(&self, frame: FrameId) -> Vec<FrameId> {
        let Some(visit) = &self.execution.frame(frame).visit else { return vec![] };
        match &visit.doing {
            Doing::Branches(branches) => (branches.first.0..)
                .map(FrameId)
                .take(branches.outputs.len())
                .filter(|child| self.execution.frames.contains_key(child))
                .collect(),
            Doing::Iterations(iterations) => iterations.open.values().copied().collect(),
            Doing::Deciding
            | Doing::Task(_)
            | Doing::Waiting { .. }
            | Doing::Retrying { .. }
            | Doing::MapRun(_)
            | Doing::MapRunFailed { .. } => vec![],
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
            std::iter::once(attempt.abandon()).chain(alarms).collect()
        }
        Doing::Waiting { alarm } | Doing::Retrying { alarm } => vec![Effect::ClearTimer(*alarm)],
        Doing::MapRun(run) => vec![Effect::StopMapRun { task: run.task, arn: run.arn.clone() }],
        Doing::Deciding | Doing::Branches(_) | Doing::Iterations(_) | Doing::MapRunFailed { .. } => vec![],
    }
}

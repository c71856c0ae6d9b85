//! Map in distributed mode: what it asks of its run, and what it makes of the run's end.
//!
//! The items are not here: the run reads them, starts a child execution for each, and says how it ended.

use asl::{Distributed, MachineKind, Map, Quantity, ReadFrom, State};
use base::{Id, Json};

use super::{Go, Next, Run, Stop};
use crate::Refusal;
use crate::data::{self};
use crate::event::Fact;
use crate::execution::{Doing, MapRun};
use crate::id::{FrameId, TaskId};
use crate::map_run::{self, Batching, MapPlan, MapRunOutcome, MapSource, Selecting, Writing};
use crate::quantity;
use crate::scope::View;

impl Run<'_> {
    pub(super) fn start_map_run(
        &mut self,
        frame: FrameId,
        state: &State,
        map: &Map,
        distributed: &Distributed,
    ) -> Next {
        let begun = self.decide(frame, |run| {
            let input = run.input(frame, state)?;
            let view = run.view(frame, &input);
            let concurrency = quantity::concurrency(&map.concurrency, &view)?;
            // With a reader ItemsPath says nothing; recorded on AWS.
            let items = match &distributed.reader {
                None => Some(data::items_or_members(&map.items, &view)?),
                Some(_) => None,
            };
            Ok((items, concurrency))
        });
        let (items, concurrency) = match begun {
            Ok(begun) => begun,
            Err(go) => return Some((frame, go)),
        };
        let length = items.as_ref().map_or(0, |items| map_run::members(items).count()) as u64;
        self.record_here(frame, Fact::MapDistributed { length });
        let plan = self.decide(frame, |run| run.plan(frame, state, map, distributed, items, concurrency));
        let plan = match plan {
            Ok(plan) => Box::new(plan),
            Err(go) => return Some((frame, go)),
        };
        let task = TaskId(self.execution.next_task);
        // Its name follows from whose it is.
        let id = Id::of("map run", &format!("{}/{}", self.execution.identity.execution_arn, task.0));
        let (machine, label) = (&self.execution.identity.machine_arn, distributed.label.as_deref());
        let arn = map_run::arn(machine, label, plan.block, &state.name, self.env.now, id);
        self.record_here(frame, Fact::MapRunStarted { arn, task, plan });
        // In a history that is full it was not started.
        let Doing::MapRun(run) = &self.execution.visit(frame).doing else { return None };
        self.step.effects.push(run.effect());
        None
    }

    /// The run goes on with what did not succeed.
    pub(super) fn redrive_map_run(&mut self, frame: FrameId, run: &MapRun) {
        let task = TaskId(self.execution.next_task);
        self.record_here(frame, Fact::MapRunRedriven { arn: run.arn.clone(), count: run.redrives + 1, task });
        // In a history that is full it was not redriven.
        let Doing::MapRun(run) = &self.execution.visit(frame).doing else { return };
        self.step.effects.push(run.effect());
    }

    fn plan(
        &self,
        frame: FrameId,
        state: &State,
        map: &Map,
        distributed: &Distributed,
        items: Option<Json>,
        concurrency: u64,
    ) -> Result<MapPlan, Stop> {
        let input = self.input(frame, state)?;
        let view = self.view(frame, &input);
        let tolerated_count = quantity::tolerated_count(&map.tolerated, &view)?;
        let tolerated_percentage = quantity::tolerated_percentage(&map.tolerated, &view)?;
        let source = match (&distributed.reader, items) {
            (Some(reader), _) => MapSource::Reader {
                listing: reader.from == ReadFrom::Listing,
                arguments: self.payload(state, reader.arguments.as_ref(), "ItemReader/Arguments", &view)?,
                config: reader.config.clone(),
                items_max: quantity::whole(reader.items_max.as_ref(), "MaxItems", &view)?,
            },
            (None, items) => MapSource::Items(items.unwrap_or_else(|| Json::array([]))),
        };
        let selecting = map.item_selector.as_ref().map(|_| {
            let context = expr::Scope::context(&view).clone();
            let named = self.machine.variable_references().get(&state.name).into_iter().flatten();
            let variables = named.filter_map(|name| {
                let value = expr::Scope::variable(&view, name)?;
                Some((name.clone(), value.clone()))
            });
            Selecting { input: input.clone(), context, variables: variables.collect() }
        });
        let batching = match &distributed.batcher {
            None => None,
            Some(batcher) => Some(Batching {
                items_max: positive(batcher.items_max.as_ref(), "MaxItemsPerBatch", &view)?,
                bytes_max: positive(batcher.bytes_max.as_ref(), "MaxInputBytesPerBatch", &view)?,
                input: batcher
                    .input
                    .as_ref()
                    .map(|it| self.payload(state, Some(it), "ItemBatcher/BatchInput", &view))
                    .transpose()?,
            }),
        };
        let writing = match &distributed.writer {
            None => None,
            Some(writer) => Some(Writing {
                arguments: writer
                    .arguments
                    .as_ref()
                    .map(|it| self.payload(state, Some(it), "ResultWriter/Arguments", &view))
                    .transpose()?,
                config: writer.config.clone(),
            }),
        };
        Ok(MapPlan {
            block: self.execution.frame(frame).block,
            state: state.name.clone(),
            entered: self.execution.visit(frame).entered,
            processor: map.processor.0,
            express: distributed.children == MachineKind::Express,
            source,
            selecting,
            batching,
            writing,
            concurrency,
            tolerated_count,
            tolerated_percentage,
        })
    }

    pub(super) fn map_run_ended(&mut self, task: TaskId, outcome: MapRunOutcome) -> Result<(), Refusal> {
        let frame = *self.execution.tasks.get(&task).ok_or(Refusal::UnknownTask(task))?;
        let Doing::MapRun(_) = &self.execution.visit(frame).doing else { return Err(Refusal::UnknownTask(task)) };
        match outcome {
            MapRunOutcome::Succeeded { output } => {
                self.record_here(frame, Fact::MapRunSucceeded { task });
                self.record_here(frame, Fact::MapSucceeded);
                let go = self.sized(frame, output);
                self.advance(frame, go);
            }
            MapRunOutcome::TooLarge => {
                self.record_here(frame, Fact::MapRunSucceeded { task });
                self.record_here(frame, Fact::MapSucceeded);
                let name = self.execution.visit(frame).name.clone();
                self.advance(frame, Go::Fail { failure: super::record::too_large(&name), also: None });
            }
            MapRunOutcome::Failed { failure } => {
                let failure = failure.cut();
                self.record_here(frame, Fact::MapRunFailed { task, failure: failure.clone() });
                self.advance(frame, Go::Fail { failure, also: None });
            }
        }
        Ok(())
    }
}

/// The limits of a batch. AWS's words for one that is not positive are not known.
fn positive(quantity: Option<&Quantity>, field: &str, view: &View<'_>) -> Result<Option<u64>, Stop> {
    match quantity::whole(quantity, field, view)? {
        None => Ok(None),
        Some(number) => match u64::try_from(number) {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(format!("field {field} must be positive").into()),
        },
    }
}

//! What the effects of a Map run do: read, start and stop children, hear of them, tell the state.
//!
//! **Invariant:** nothing here decides. What comes back from the world is the run's next command.

use std::time::Duration;

use base::Id;
use engine::{Awaits, Failure, MapRunOutcome};
use futures_util::future::join_all;
use maprun::{Begin, Command, Effect, Fate, Input, Told};

use super::steps::{Shared, Sorted, child_arn, child_identity, told};
use crate::dispatch::World;
use crate::shard::{Ask, Refused, Reply, Start};
use crate::value::ExecutionHead;
use crate::{Runtime, keys};

/// How long until it is asked again what could not be answered.
pub(super) const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Children that are looked up at a time.
pub(super) const LOOKED_UP: usize = 100;

impl World {
    /// Has a run begin; a run that its execution gave up meanwhile is stopped.
    pub(crate) fn begin_map_run(&self, begin: Box<Begin>) {
        let world = self.clone();
        tokio::spawn(async move {
            let id = keys::map_run(&begin.arn);
            let (parent, task) = (keys::execution(&begin.parent.execution_arn), begin.task);
            if world.decided(id, Ask::MapRun(Command::Begin(begin))).await {
                world.stop_if_unawaited(id, parent, task).await;
            }
        });
    }

    pub(crate) fn perform_map_run(&self, id: Id, begin: &Shared, effects: Vec<Effect>) {
        let Sorted { starts, redrives, stops, asks, others } = Sorted::of(effects);
        if !starts.is_empty() {
            let begin = begin.clone();
            drop(self.spawn(async move |runtime, _| {
                runtime.inner.world.start_children(&runtime, id, &begin, starts).await;
            }));
        }
        if !redrives.is_empty() {
            let begin = begin.clone();
            drop(self.spawn(async move |runtime, _| runtime.redrive_children(id, &begin, redrives).await));
        }
        for index in stops {
            let child = child_arn(begin, &maprun::child::name(&begin.arn, index));
            let stop = engine::Command::Stop { failure: Failure::default() };
            self.tell(keys::execution(&child), Ask::Execution(stop));
        }
        if !asks.is_empty() {
            let begin = begin.clone();
            drop(self.spawn(async move |runtime, _| runtime.look_up_children(id, &begin, asks).await));
        }
        others.into_iter().for_each(|effect| self.perform_for_all(id, begin, effect));
    }

    fn perform_for_all(&self, id: Id, begin: &Shared, effect: Effect) {
        let begin = begin.clone();
        match effect {
            Effect::Start { .. } | Effect::Redrive { .. } | Effect::Stop { .. } | Effect::Ask { .. } => {}
            Effect::Survey { from, until } => {
                drop(self.spawn(async move |runtime, _| runtime.survey(id, &begin, from, until).await));
            }
            Effect::Read { from } => {
                drop(self.spawn(async move |runtime, _| runtime.read_items(id, &begin, from).await));
            }
            Effect::Gather { children } => {
                self.waiting.drop(id);
                drop(self.spawn(async move |runtime, _| runtime.gather(id, &begin, children).await));
            }
            Effect::AskParent => {
                let world = self.clone();
                let parent = keys::execution(&begin.parent.execution_arn);
                tokio::spawn(async move { world.stop_if_unawaited(id, parent, begin.task).await });
            }
            Effect::Notify { outcome } => {
                self.waiting.drop(id);
                let world = self.clone();
                tokio::spawn(async move { world.notify_state(id, &begin, outcome).await });
            }
        }
    }

    /// Tells the state that waits for a run of its end, and then the run that it has been told. Told twice, the
    /// execution refuses the second.
    async fn notify_state(&self, id: Id, begin: &Begin, outcome: MapRunOutcome) {
        let ended = engine::Command::MapRunEnded { task: begin.task, outcome };
        if self.decided(keys::execution(&begin.parent.execution_arn), Ask::Execution(ended)).await {
            self.tell(id, Ask::MapRun(Command::Notified { task: begin.task }));
        }
    }

    pub(super) async fn stop_if_unawaited(&self, id: Id, parent: Id, task: engine::TaskId) {
        match self.ask(parent, Ask::Awaits(task)).await {
            Ok(Reply::Awaits(Awaits::Nothing)) | Err(Refused::Missing) => {
                self.tell(id, Ask::MapRun(Command::Stop { task }));
            }
            _ => (),
        }
    }

    /// Asks until there is an answer, be it a refusal; false when there is nobody any more to ask.
    pub(super) async fn decided(&self, id: Id, ask: Ask) -> bool {
        loop {
            match self.ask(id, ask.clone()).await {
                Err(Refused::Full | Refused::Unknown | Refused::Internal(_)) if self.is_alive() => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                Err(Refused::Full | Refused::Unknown | Refused::Internal(_)) => return false,
                _ => return true,
            }
        }
    }

    /// Starts children all at once: each shard keeps its own of them in one commit.
    async fn start_children(&self, runtime: &Runtime, id: Id, begin: &Shared, starts: Vec<(u32, Input)>) {
        let machine = loop {
            match self.definitions.get(runtime.store(), &begin.parent.definition).await {
                Ok(machine) => break machine,
                Err(error) => {
                    tracing::error!(arn = %begin.arn, %error, "cannot read a Map run's definition");
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        };
        let begun = join_all(starts.into_iter().map(|(index, input)| {
            let start = Start {
                start: engine::Start {
                    identity: child_identity(begin, index),
                    input: input.input,
                    text: None,
                    block: asl::BlockId(begin.plan.processor),
                },
                machine: machine.clone(),
                trace: None,
                logging: None,
                starter: None,
                fresh: false,
                items: begin.plan.batching.is_some().then_some(input.items),
            };
            async move { (index, self.start_child(index, start).await) }
        }))
        .await;
        let (known, unknown): (Vec<_>, Vec<_>) = begun.into_iter().partition(|(_, told)| told.is_some());
        let children: Vec<Told> = known.into_iter().filter_map(|(_, told)| told).collect();
        if !children.is_empty() {
            self.tell(id, Ask::MapRun(Command::Told { children }));
        }
        let unknown: Vec<u32> = unknown.into_iter().map(|(index, _)| index).collect();
        if !unknown.is_empty() {
            let begin = begin.clone();
            drop(self.spawn(async move |runtime, _| runtime.look_up_children(id, &begin, unknown).await));
        }
    }

    /// How a child stands that is there now; nothing when it was there before and has ended.
    async fn start_child(&self, index: u32, start: Start) -> Option<Told> {
        let id = keys::execution(&start.start.identity.execution_arn);
        loop {
            match self.ask(id, Ask::Start(Box::new(start.clone()))).await {
                Ok(Reply::Execution(head)) => return Some(told(index, &head)),
                Err(Refused::Full | Refused::Unknown | Refused::Internal(_)) if self.is_alive() => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                Ok(_) | Err(_) => return None,
            }
        }
    }
}

impl Runtime {
    /// Says what became of children, as far as it is on disk: one that still runs will tell by itself.
    async fn look_up_children(&self, id: Id, begin: &Begin, indices: Vec<u32>) {
        for indices in indices.chunks(LOOKED_UP) {
            let look = |index: &u32| {
                let index = *index;
                async move { self.told_of(begin, index).await }
            };
            let children: Vec<Told> = join_all(indices.iter().map(look)).await;
            self.inner.world.tell(id, Ask::MapRun(Command::Told { children }));
        }
    }

    async fn told_of(&self, begin: &Begin, index: u32) -> Told {
        match self.child_head_at_last(begin, index).await {
            Some(head) => told(index, &head),
            None => Told { index, life: 0, fate: Fate::Missing },
        }
    }

    /// A child's head, if there is such a child; asks until that can be read.
    pub(super) async fn child_head_at_last(&self, begin: &Begin, index: u32) -> Option<ExecutionHead> {
        loop {
            match self.child_head(begin, index).await {
                Ok(found) => return found.map(|(_, head)| head),
                Err(error) => {
                    tracing::error!(arn = %begin.arn, index, %error, "cannot read a Map run's child");
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    /// A child's identity and head, if there is such a child.
    pub(super) async fn child_head(
        &self,
        begin: &Begin,
        index: u32,
    ) -> Result<Option<(Id, ExecutionHead)>, crate::Refusal> {
        let id = keys::execution(&child_arn(begin, &maprun::child::name(&begin.arn, index)));
        let Some(head) = self.store().head(id).await? else { return Ok(None) };
        let head = serde_json::from_slice(&head.header).map_err(crate::Refusal::internal)?;
        Ok(Some((id, head)))
    }
}

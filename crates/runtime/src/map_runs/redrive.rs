//! A Map run goes on: it is told to, who did not succeed is looked up, and they are redriven.
//!
//! **Invariant:** a child is redriven once for each time that its run is, however often that is asked for.

use base::Id;
use futures_util::future::join_all;
use maprun::{Begin, Command, Fate, Found, Surveyed, Told};

use super::perform::{AGAIN_AFTER, LOOKED_UP};
use super::steps::{Shared, child_arn, told};
use crate::dispatch::World;
use crate::redrive::Redrivable;
use crate::shard::{Ask, Refused, Reply};
use crate::value::{ExecutionHead, HeadStatus, caller_of};
use crate::{Refusal, Runtime, keys};

/// Children that are looked at before the run hears of them.
const SURVEYED: u32 = 1_000;

impl World {
    /// Has a run go on, once it has ended; one that was never begun begins. A run that its execution gave up meanwhile
    /// is stopped.
    pub(crate) fn redrive_map_run(&self, begin: Box<Begin>) {
        let world = self.clone();
        tokio::spawn(async move {
            let id = keys::map_run(&begin.arn);
            let (parent, task) = (keys::execution(&begin.parent.execution_arn), begin.task);
            while world.is_alive() {
                match world.ask(id, Ask::MapRun(Command::Redrive { task })).await {
                    Ok(_) => return world.stop_if_unawaited(id, parent, task).await,
                    Err(Refused::Missing) => {
                        world.decided(id, Ask::MapRun(Command::Begin(begin.clone()))).await;
                    }
                    Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
                }
            }
        });
    }
}

impl Runtime {
    /// Looks which children of a piece have not succeeded.
    pub(super) async fn survey(&self, id: Id, begin: &Shared, from: u32, until: u32) {
        let until = until.min(from.saturating_add(SURVEYED));
        let now = self.inner.world.now();
        let mut found = vec![];
        let indices: Vec<u32> = (from..until).collect();
        for indices in indices.chunks(LOOKED_UP) {
            let heads = indices.iter().map(|index| self.child_head_at_last(begin, *index));
            for (index, head) in indices.iter().zip(join_all(heads).await) {
                found.extend(head.and_then(|head| found_of(*index, &head, now)));
            }
        }
        let surveyed = Command::Surveyed(Surveyed { from, until, found });
        self.inner.world.tell(id, Ask::MapRun(surveyed));
    }

    /// Whether an execution is a Map run's child that waits to be redriven.
    pub(crate) async fn is_pending_redrive(&self, head: &ExecutionHead) -> Result<bool, Refusal> {
        let Some(run) = head.map_run.as_deref().filter(|_| head.status != HeadStatus::Succeeded) else {
            return Ok(false);
        };
        let redriven = self.map_run(&caller_of(run), run).await?.redriven;
        Ok(redriven.is_some_and(|at| head.status.is_pending_redrive((head.stopped, head.redriven), at)))
    }

    /// Redrives children all at once, and says how each stands then.
    pub(super) async fn redrive_children(&self, id: Id, begin: &Shared, redrives: Vec<(u32, u64)>) {
        let redrives = redrives.into_iter().map(|(index, life)| self.redrive_child(begin, index, life));
        let children: Vec<Told> = join_all(redrives).await.into_iter().flatten().collect();
        self.inner.world.tell(id, Ask::MapRun(Command::Told { children }));
    }

    /// How a child stands that has been redriven; nothing when the server ends meanwhile.
    async fn redrive_child(&self, begin: &Begin, index: u32, life: u64) -> Option<Told> {
        let world = &self.inner.world;
        let child = keys::execution(&child_arn(begin, &maprun::child::name(&begin.arn, index)));
        let redrive = engine::Command::Redrive { token: None, nth: Some(life) };
        while world.is_alive() {
            match world.ask(child, Ask::Execution(redrive.clone())).await {
                Ok(Reply::Execution(head)) => return Some(told(index, &head)),
                // It was redriven before, or cannot be: then it stays as it is.
                Err(Refused::Execution(Some(head))) => return Some(Told { life, ..told(index, &head) }),
                Err(Refused::Full | Refused::Unknown | Refused::Internal(_)) => tokio::time::sleep(AGAIN_AFTER).await,
                Ok(_) | Err(_) => return Some(Told { index, life, fate: Fate::Aborted }),
            }
        }
        None
    }
}

/// A child that did not succeed.
fn found_of(index: u32, head: &ExecutionHead, now: base::Timestamp) -> Option<Found> {
    let Told { life, fate, .. } = told(index, head);
    let is_final = match Redrivable::of(head, now) {
        Redrivable::Yes | Redrivable::ByMapRun => false,
        Redrivable::No(_) => fate != Fate::Running,
    };
    (fate != Fate::Succeeded).then_some(Found { index, items: head.items.unwrap_or(1), life, fate, is_final })
}

//! How a shard steps Map runs, and what executions have to do with them.

use std::collections::HashMap;
use std::sync::Arc;

use base::Id;
use base::arn::MapRunArn;
use bytes::Bytes;
use engine::{Execution, Outcome};
use maprun::{Begin, Command, Effect, Event, Fate, Told};
use store::{IndexKey, IndexRow};

use super::{Line, MapRun};
use crate::dispatch::Dispatch;
use crate::keys;
use crate::shard::{Ask, Refused, Reply, Request, Shard, Turn};
use crate::value::{self, ExecutionHead, HeadStatus, What};

impl Shard {
    pub(crate) fn step_map_run(&mut self, id: Id, command: Command, turn: &mut Turn) -> Result<Reply, Refused> {
        if matches!(command, Command::Begin(_)) && self.what(id).is_none() {
            self.insert(id, What::MapRun { run: Box::default(), seq: 0 });
        }
        let env = self.map_run_env();
        let Some(What::MapRun { run, seq }) = self.what(id) else { return Err(Refused::Missing) };
        let (first, owed) = (*seq, !run.is_over());
        let maprun::Step { events, effects } = maprun::step(run, command, env).map_err(|_| Refused::MapRun)?;
        *seq += events.len() as u64;
        let owes = !run.is_over();
        let begin = run.begin().cloned().ok_or(Refused::Missing)?;
        let row = events
            .iter()
            .any(|event| matches!(event, Event::Begun { .. } | Event::Redriven { .. } | Event::Ended { .. }));
        let row = row.then(|| row_of(id, run, &begin));
        let view = MapRun::of(run).ok_or(Refused::Missing)?;
        if !events.is_empty() {
            let rows = |step: &mut store::Step| {
                step.owes = (owed != owes).then_some(owes);
                step.index_put.extend(row);
            };
            self.keep(id, value::chunk(first, &events), rows, turn);
        }
        turn.dispatch(Dispatch::MapRun { id, begin, effects });
        Ok(Reply::MapRun(Box::new(view)))
    }

    pub(crate) fn look_at_map_run(&mut self, id: Id) -> Result<Reply, Refused> {
        match self.what(id) {
            Some(What::MapRun { run, .. }) => {
                MapRun::of(run).map(|run| Reply::MapRun(Box::new(run))).ok_or(Refused::Missing)
            }
            _ => Err(Refused::Missing),
        }
    }
}

fn row_of(id: Id, run: &maprun::Run, begin: &Begin) -> IndexRow {
    let list = keys::map_runs_of(&begin.parent.execution_arn);
    let key = keys::newest_first(run.started(), id);
    let line = Line { a: begin.arn.clone(), e: run.stopped() };
    IndexRow { at: IndexKey { list, key }, value: Bytes::from(serde_json::to_vec(&line).expect("a line has a text")) }
}

/// What `effects` of an execution ask about Map runs, as dispatches.
pub(crate) fn begins(execution: &Execution, effects: &[engine::Effect]) -> Vec<Dispatch> {
    let of = |arn: &Arc<str>, task: engine::TaskId, plan: &engine::MapPlan| {
        let parent = execution.identity().clone();
        Box::new(Begin { arn: arn.clone(), parent, task, plan: plan.clone() })
    };
    let begin = |effect: &engine::Effect| match effect {
        engine::Effect::StartMapRun { task, arn, plan } => Some(Dispatch::BeginMapRun { begin: of(arn, *task, plan) }),
        engine::Effect::RedriveMapRun { task, arn, plan } => {
            Some(Dispatch::RedriveMapRun { begin: of(arn, *task, plan) })
        }
        engine::Effect::RunTask { .. }
        | engine::Effect::AbandonTask { .. }
        | engine::Effect::StopMapRun { .. }
        | engine::Effect::SetTimer(_)
        | engine::Effect::ClearTimer(_)
        | engine::Effect::Ended => None,
    };
    effects.iter().filter_map(begin).collect()
}

/// What the Map run of a child that has ended is to be told.
pub(crate) fn ended(execution: &Execution) -> Option<Dispatch> {
    let identity = execution.identity();
    let run = identity.map_run_arn.as_deref()?;
    let engine::Status::Ended { outcome, .. } = execution.status() else { return None };
    let fate = match outcome {
        Outcome::Succeeded { .. } => Fate::Succeeded,
        Outcome::Failed { .. } => Fate::Failed,
        Outcome::TimedOut { .. } => Fate::TimedOut,
        Outcome::Aborted { .. } => Fate::Aborted,
    };
    let index = maprun::child::index(&identity.name)?;
    Some(Dispatch::ChildEnded { run: keys::map_run(run), told: Told { index, life: execution.redrives().count, fate } })
}

/// What an execution's head says of a child.
pub(super) fn told(index: u32, head: &ExecutionHead) -> Told {
    let fate = match head.status {
        HeadStatus::Running => Fate::Running,
        HeadStatus::Succeeded => Fate::Succeeded,
        HeadStatus::Failed => Fate::Failed,
        HeadStatus::TimedOut => Fate::TimedOut,
        HeadStatus::Aborted => Fate::Aborted,
    };
    Told { index, life: head.redrives, fate }
}

/// The ARN of a run's child.
pub(super) fn child_arn(begin: &Begin, name: &str) -> String {
    let caller = value::caller_of(&begin.arn);
    let labelled = MapRunArn::parse(&begin.arn).map_or("", |arn| arn.labelled);
    match begin.plan.express {
        true => base::arn::express_child(&caller, labelled, name),
        false => base::arn::execution(&caller, labelled, name),
    }
}

/// Who a run's child is.
pub(super) fn child_identity(begin: &Begin, index: u32) -> engine::Identity {
    let caller = value::caller_of(&begin.arn);
    let labelled = MapRunArn::parse(&begin.arn).map_or("", |arn| arn.labelled);
    let name = maprun::child::name(&begin.arn, index);
    engine::Identity {
        execution_arn: child_arn(begin, &name).into(),
        name: name.into(),
        machine_arn: base::arn::state_machine(&caller, labelled).into(),
        machine_name: labelled.into(),
        role_arn: begin.parent.role_arn.clone(),
        definition: begin.parent.definition.clone(),
        map_run_arn: Some(begin.arn.clone()),
        express: begin.plan.express,
        ..engine::Identity::default()
    }
}

/// What many children tell one run in one turn is one step of it: one event, one row.
pub(crate) fn join_told(requests: Vec<Request>) -> Vec<Request> {
    let mut joined: Vec<Request> = Vec::with_capacity(requests.len());
    let mut places: HashMap<Id, usize> = HashMap::new();
    for mut request in requests {
        if let (Ask::MapRun(Command::Told { children }), None) = (&mut request.ask, &request.reply) {
            if let Some(place) = places.get(&request.id)
                && let Ask::MapRun(Command::Told { children: first }) = &mut joined[*place].ask
            {
                first.append(children);
                continue;
            }
            places.insert(request.id, joined.len());
        }
        joined.push(request);
    }
    joined
}

/// The effects of one step, each kind together: what is many of a kind is done as one.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) starts: Vec<(u32, maprun::Input)>,
    pub(super) redrives: Vec<(u32, u64)>,
    pub(super) stops: Vec<u32>,
    pub(super) asks: Vec<u32>,
    pub(super) others: Vec<Effect>,
}

impl Sorted {
    pub(super) fn of(effects: Vec<Effect>) -> Sorted {
        let mut sorted = Sorted::default();
        for effect in effects {
            match effect {
                Effect::Start { index, input } => sorted.starts.push((index, input)),
                Effect::Redrive { index, life } => sorted.redrives.push((index, life)),
                Effect::Stop { index } => sorted.stops.push(index),
                Effect::Ask { index } => sorted.asks.push(index),
                other @ (Effect::Read { .. }
                | Effect::Survey { .. }
                | Effect::Gather { .. }
                | Effect::AskParent
                | Effect::Notify { .. }) => sorted.others.push(other),
            }
        }
        sorted
    }
}

/// A run's plan, shared by all that is done for it.
pub(super) type Shared = Arc<Begin>;

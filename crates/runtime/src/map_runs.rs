//! Use cases about Map runs: what a Map in distributed mode has done.
//!
//! In reading order: this file, [`steps`] (how a shard steps a run), [`perform`] (what its effects do), [`redrive`] (how a run goes
//! on after it failed), [`read`] (items become inputs), [`results`]
//! (how its children's results come together).

mod steps;
mod perform;
mod redrive;
mod read;
mod results;

use base::arn::MapRunArn;
use base::{Caller, Timestamp};
use bytes::Bytes;
use maprun::{Counts, Status, Update};
use serde::{Deserialize, Serialize};
use store::Direction;

use crate::machines::{owned, states_arn, wrong_resource};
use crate::page::{Page, Paged};
use crate::refusal::Refusal;
use crate::shard::{Ask, Refused, Reply};
use crate::{Runtime, keys, token};

pub(crate) use read::Waiting;
pub(crate) use steps::{begins, ended, join_told};

/// `DescribeMapRun`.
#[derive(Debug, Clone)]
pub struct MapRun {
    pub summary: MapRunSummary,
    pub status: Status,
    /// 0 is as many as may be.
    pub max_concurrency: u64,
    pub tolerated_count: u64,
    pub tolerated_percentage: f64,
    pub items: Counts,
    pub executions: Counts,
    /// Results that were written to a bucket.
    pub results_written: u64,
    pub redrives: u64,
    pub redriven: Option<Timestamp>,
}

/// One line of `ListMapRuns`.
#[derive(Debug, Clone)]
pub struct MapRunSummary {
    pub arn: String,
    pub execution_arn: String,
    /// The machine, with the Map's label.
    pub machine_arn: String,
    pub started: Timestamp,
    pub stopped: Option<Timestamp>,
}

impl MapRun {
    fn of(run: &maprun::Run) -> Option<MapRun> {
        let begin = run.begin()?;
        Some(MapRun {
            summary: MapRunSummary::of(&begin.arn, &begin.parent.execution_arn, run.started(), run.stopped()),
            status: run.status(),
            max_concurrency: run.concurrency(),
            tolerated_count: run.tolerated_count().unwrap_or(0),
            tolerated_percentage: run.tolerated_percentage().unwrap_or(0.0),
            items: run.items(),
            executions: run.executions(),
            results_written: run.written(),
            redrives: run.redrive_count(),
            redriven: run.redriven(),
        })
    }
}

impl MapRunSummary {
    fn of(arn: &str, execution_arn: &str, started: Timestamp, stopped: Option<Timestamp>) -> MapRunSummary {
        let labelled = MapRunArn::parse(arn).map_or("", |arn| arn.labelled);
        MapRunSummary {
            arn: arn.to_owned(),
            execution_arn: execution_arn.to_owned(),
            machine_arn: base::arn::state_machine(&crate::value::caller_of(arn), labelled),
            started,
            stopped,
        }
    }
}

/// A run's row in its execution's list: its ARN, and when it stopped. The rest follows from the list and the key.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    a: std::sync::Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<Timestamp>,
}

impl Runtime {
    pub async fn map_run(&self, caller: &Caller, arn: &str) -> Result<MapRun, Refusal> {
        map_run_arn(caller, arn)?;
        match self.ask(keys::map_run(arn), Ask::LookAtMapRun).await {
            Ok(Reply::MapRun(run)) => Ok(*run),
            Ok(_) => Err(Refusal::Unknown),
            Err(Refused::Missing) => Err(no_such_run(arn)),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Changes how a run goes on; one that is over stays as it was.
    pub async fn map_run_update(&self, caller: &Caller, arn: &str, update: Update) -> Result<(), Refusal> {
        map_run_arn(caller, arn)?;
        match self.ask(keys::map_run(arn), Ask::MapRun(maprun::Command::Update(update))).await {
            Ok(_) => Ok(()),
            Err(Refused::Missing) => Err(no_such_run(arn)),
            Err(refused) => Err(refused.into()),
        }
    }

    /// The runs that an execution has started, newest first.
    pub async fn map_run_list(
        &self,
        caller: &Caller,
        execution_arn: &str,
        page: Page,
    ) -> Result<Paged<MapRunSummary>, Refusal> {
        self.execution_head(caller, execution_arn).await?;
        let question = format!("map runs {execution_arn}");
        let now = self.inner.world.now();
        let after = page.token.map(|token| token::read(&question, &token, now)).transpose()?.map(Bytes::from);
        let list = keys::map_runs_of(execution_arn);
        let rows = self.store().index(list, after, Direction::Forward, page.limit + 1).await?;
        let more = rows.len() > page.limit as usize;
        let rows = &rows[..rows.len().min(page.limit as usize)];
        let next = rows.last().filter(|_| more).map(|row| token::write(&question, &row.at.key, now));
        let items = rows.iter().map(|row| {
            let line: Line = serde_json::from_slice(&row.value).map_err(Refusal::internal)?;
            Ok(MapRunSummary::of(&line.a, execution_arn, keys::instant_of(&row.at.key), line.e))
        });
        Ok(Paged { items: items.collect::<Result<_, Refusal>>()?, next })
    }
}

/// Checks that it is a Map run of the caller's.
pub(crate) fn map_run_arn(caller: &Caller, arn: &str) -> Result<(), Refusal> {
    let parsed = states_arn(arn)?;
    match parsed.resource_parts() {
        ("mapRun", _) if MapRunArn::parse(arn).is_none() => {
            Err(Refusal::InvalidArn(format!("Invalid ARN resource: {arn}")))
        }
        ("mapRun", _) if owned(caller, &parsed) => Ok(()),
        ("mapRun", _) => Err(no_such_run(arn)),
        (kind, _) => Err(wrong_resource(kind)),
    }
}

fn no_such_run(arn: &str) -> Refusal {
    Refusal::ResourceNotFound(arn.to_owned())
}

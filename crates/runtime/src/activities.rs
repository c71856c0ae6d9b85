//! Use cases about activities: their registration, and the workers that ask for their tasks.
//!
//! A worker is given a task only after `ActivityStarted` is durable, and each task is given to one worker. A worker that
//! hangs up while it waits costs nothing: the task goes to the next. One that hangs up after its task was started, and
//! before it heard of it, has the task as far as anybody can tell, and the task times out by its heartbeat, as on AWS.

use std::sync::Arc;
use std::time::Duration;

use base::{Arn, Caller, Json, Timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Direction, IndexKey, IndexRow, Store};
use tokio::time::{Instant, timeout_at};

use crate::activity::{self, Command, Registered};
use crate::configuration::{valid_encryption, valid_tags};
use crate::exchange::{Exchange, Turn};
use crate::machines::{owned, states_arn, valid_name, wrong_resource};
use crate::page::{Page, Paged};
use crate::refusal::{Refusal, TaskRefusal};
use crate::shard::{Ask, Refused, Reply};
use crate::{Runtime, keys, token};

/// `CreateActivity`.
#[derive(Debug, Clone)]
pub struct ActivityCreate {
    pub name: String,
    pub encryption: Option<Json>,
    pub tags: Vec<(String, String)>,
}

/// An activity as it stands.
#[derive(Debug, Clone)]
pub struct Activity {
    pub arn: String,
    pub name: String,
    pub encryption: Option<Json>,
    pub created: Timestamp,
}

/// What a worker is given.
#[derive(Debug, Clone)]
pub struct ActivityTask {
    pub token: Arc<str>,
    pub input: Json,
}

/// How long a worker waits for a task (`GetActivityTask`: "the service holds the connection open for up to 60 seconds").
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Rows read at a time when a server starts.
const START_PAGE: u32 = 10_000;

/// An activity's row in the lists.
#[derive(Serialize, Deserialize)]
struct Row {
    arn: Arc<str>,
    name: Arc<str>,
    created: Timestamp,
}

/// The activity's rows follow the activity: one in its account's list, one in that of all, which a starting server reads.
pub(crate) fn index(before: Option<&Registered>, after: Option<&Registered>, step: &mut store::Step) {
    let at = |registered: &Registered| {
        let own = IndexKey {
            list: keys::activities(&crate::value::caller_of(&registered.arn)),
            key: Bytes::copy_from_slice(registered.name.as_bytes()),
        };
        let all = IndexKey { list: keys::all_activities(), key: Bytes::copy_from_slice(registered.arn.as_bytes()) };
        [own, all]
    };
    match (before, after) {
        (Some(gone), None) => step.index_deleted.extend(at(gone)),
        (None, Some(now)) => {
            let row = Row { arn: now.arn.clone(), name: now.name.clone(), created: now.created };
            let value = Bytes::from(serde_json::to_vec(&row).expect("a row has a text"));
            step.index_put.extend(at(now).map(|at| IndexRow { at, value: value.clone() }));
        }
        (Some(_), Some(_)) | (None, None) => (),
    }
}

/// Tells `exchange` which activities there are.
pub(crate) async fn read_all(store: &dyn Store, exchange: &Exchange) -> Result<(), store::Error> {
    let mut after = None;
    loop {
        let rows = store.index(keys::all_activities(), after, Direction::Forward, START_PAGE).await?;
        for row in &rows {
            match std::str::from_utf8(&row.at.key) {
                Ok(arn) => exchange.note(&arn.into(), true),
                Err(error) => tracing::error!(%error, "an activity's row has no ARN"),
            }
        }
        match rows.last() {
            Some(last) if rows.len() == START_PAGE as usize => after = Some(last.at.key.clone()),
            _ => return Ok(()),
        }
    }
}

impl Runtime {
    /// Creates an activity; the same name again gives the same one.
    pub async fn activity_create(&self, caller: &Caller, create: ActivityCreate) -> Result<Activity, Refusal> {
        valid_name(&create.name)?;
        let arn: Arc<str> = base::arn::activity(caller, &create.name).into();
        create.encryption.as_ref().map(valid_encryption).transpose()?;
        let tags = valid_tags(&arn, create.tags)?;
        let owned_by_aws = |encryption: &Json| encryption.get("type").and_then(Json::as_str) == Some("AWS_OWNED_KEY");
        let command = Command::Create {
            name: create.name.into(),
            arn: arn.clone(),
            encryption: create.encryption.filter(|encryption| !owned_by_aws(encryption)),
            tags,
        };
        let place = self.inner.activities.admit(self.store(), caller).await?;
        // As many as there may be, and yet the same one again is the one that is there.
        if place.is_none() && !self.inner.world.exchange.exists(&arn) {
            return Err(TaskRefusal::ActivityLimitExceeded.into());
        }
        let created = self.activity_ask(&arn, command).await?;
        drop(place);
        Ok(shown(created))
    }

    pub async fn activity(&self, caller: &Caller, arn: &str) -> Result<Activity, Refusal> {
        let arn = activity_arn(caller, arn)?;
        Ok(shown(self.activity_ask(&arn, Command::Look).await?))
    }

    /// Deletes an activity; one that does not exist is deleted already.
    pub async fn activity_delete(&self, caller: &Caller, arn: &str) -> Result<(), Refusal> {
        match activity_arn(caller, arn) {
            Ok(arn) => drop(self.ask(keys::activity(&arn), Ask::Activity(Command::Delete)).await?),
            Err(Refusal::Task(TaskRefusal::ActivityDoesNotExist(_))) => (),
            Err(refusal) => return Err(refusal),
        }
        Ok(())
    }

    /// By name, ascending.
    pub async fn activity_list(&self, caller: &Caller, page: Page) -> Result<Paged<Activity>, Refusal> {
        let question = format!("activities {} {}", caller.account, caller.region);
        let now = self.inner.world.now();
        let after = page.token.map(|token| token::read(&question, &token, now)).transpose()?.map(Bytes::from);
        let rows = self.store().index(keys::activities(caller), after, Direction::Forward, page.limit + 1).await?;
        let more = rows.len() > page.limit as usize;
        let rows = &rows[..rows.len().min(page.limit as usize)];
        let next = rows.last().filter(|_| more).map(|row| token::write(&question, &row.at.key, now));
        let items = rows.iter().map(|row| {
            let row: Row = serde_json::from_slice(&row.value).map_err(Refusal::internal)?;
            Ok(Activity {
                arn: row.arn.to_string(),
                name: row.name.to_string(),
                encryption: None,
                created: row.created,
            })
        });
        Ok(Paged { items: items.collect::<Result<_, Refusal>>()?, next })
    }

    /// Gives a worker the task that has waited longest, or waits for one; none after a minute.
    pub async fn activity_task(
        &self,
        caller: &Caller,
        arn: &str,
        worker: Option<String>,
    ) -> Result<Option<ActivityTask>, Refusal> {
        let arn = activity_arn(caller, arn)?;
        let exchange = &self.inner.world.exchange;
        if !exchange.exists(&arn) {
            return Err(TaskRefusal::ActivityDoesNotExist(arn.to_string()).into());
        }
        let worker: Option<Arc<str>> = worker.map(Arc::from);
        let asking = exchange.enter(&arn).ok_or(TaskRefusal::ActivityWorkerLimitExceeded)?;
        let until = Instant::now() + WAIT_MAX;
        let mut closing = self.inner.world.closing();
        loop {
            let handed = match asking.turn() {
                Turn::Now(handed) => handed,
                Turn::Later(receiver) => tokio::select! {
                    received = timeout_at(until, receiver) => match received {
                        Ok(Ok(handed)) => handed,
                        Ok(Err(_)) | Err(_) => return Ok(None),
                    },
                    _ = closing.wait_for(|closing| *closing) => return Ok(None),
                },
            };
            let turn = self.inner.requests.acquire().await.map_err(|_| Refusal::Unknown)?;
            let (id, task) = handed.accept();
            let taken = self.inner.world.ask(id, Ask::Take { task, worker: worker.clone() }).await;
            drop(turn);
            match taken {
                Ok(Reply::Taken(taken)) => return Ok(Some(*taken)),
                // It has ended, or another worker has it: the next, then.
                Ok(_) | Err(Refused::Execution(_) | Refused::Missing) => (),
                Err(refused) => {
                    exchange.offer(&arn, (id, task));
                    return Err(refused.into());
                }
            }
        }
    }

    /// Workers that wait are told that there is nothing: the server ends.
    pub fn release_workers(&self) {
        self.inner.world.close();
    }

    pub(crate) async fn activity_tags(&self, caller: &Caller, arn: &str) -> Result<Vec<(String, String)>, Refusal> {
        Ok(self.activity_tags_ask(caller, arn, Command::Look).await?.tags)
    }

    pub(crate) async fn activity_tag(
        &self,
        caller: &Caller,
        arn: &str,
        tags: Vec<(String, String)>,
    ) -> Result<(), Refusal> {
        activity_arn(caller, arn).map_err(not_found)?;
        self.activity_tags_ask(caller, arn, Command::Tag(valid_tags(arn, tags)?)).await.map(drop)
    }

    pub(crate) async fn activity_untag(&self, caller: &Caller, arn: &str, keys: Vec<String>) -> Result<(), Refusal> {
        self.activity_tags_ask(caller, arn, Command::Untag(keys)).await.map(drop)
    }

    async fn activity_tags_ask(&self, caller: &Caller, arn: &str, command: Command) -> Result<Registered, Refusal> {
        let asked = async { self.activity_ask(&activity_arn(caller, arn)?, command).await };
        asked.await.map_err(not_found)
    }

    async fn activity_ask(&self, arn: &str, command: Command) -> Result<Registered, Refusal> {
        let missing = || TaskRefusal::ActivityDoesNotExist(arn.to_owned()).into();
        match self.ask(keys::activity(arn), Ask::Activity(command)).await {
            Ok(Reply::Activity(Some(now))) => Ok(*now),
            Ok(_) | Err(Refused::Activity(activity::Refusal::DoesNotExist)) => Err(missing()),
            Err(Refused::Activity(activity::Refusal::AlreadyExists)) => {
                Err(TaskRefusal::ActivityAlreadyExists(arn.to_owned()).into())
            }
            Err(Refused::Activity(activity::Refusal::TooManyTags)) => Err(Refusal::TooManyTags(arn.to_owned())),
            Err(refused) => Err(refused.into()),
        }
    }
}

/// As the operations on tags tell it.
fn not_found(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Task(TaskRefusal::ActivityDoesNotExist(arn)) => Refusal::ResourceNotFound(arn),
        other => other,
    }
}

fn shown(now: Registered) -> Activity {
    Activity { arn: now.arn.to_string(), name: now.name.to_string(), encryption: now.encryption, created: now.created }
}

/// Whether an ARN is an activity's.
pub(crate) fn is_activity(arn: &str) -> bool {
    Arn::parse(arn).is_some_and(|arn| arn.service == "states" && arn.resource_parts().0 == "activity")
}

/// Checks that an ARN is an activity's, and the caller's: another's does not exist for them.
fn activity_arn(caller: &Caller, arn: &str) -> Result<Arc<str>, Refusal> {
    let parsed = states_arn(arn)?;
    match parsed.resource_parts() {
        ("activity", name) if !name.is_empty() => (),
        (other, _) => return Err(wrong_resource(other)),
    }
    owned(caller, &parsed).then(|| arn.into()).ok_or_else(|| TaskRefusal::ActivityDoesNotExist(arn.to_owned()).into())
}

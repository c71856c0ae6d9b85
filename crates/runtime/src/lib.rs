//! Where decisions meet the world: load, decide, commit, dispatch.
//!
//! The faces (AWS's wire, our own REST, the command line) call the use cases of [`Runtime`]; the use cases turn a
//! request into a command for one durable value and hand it to the value's shard. There is one path by which
//! a value changes, and it is in `shard`.
//!
//! **It does not know** HTTP, JSON on a wire, or which database it stands on.
//!
//! **Invariant:** effects are dispatched, and answers given, only after the commit that records them.
//!
//! **Invariant:** authorisation is decided here and nowhere else: every use case takes the [`Caller`] first and
//! looks only at values of the caller's account and region, and at documents that are shared with it.
//!
//! In reading order: [`refusal`] (why not), [`page`], [`machines`], [`versions`], [`aliases`], [`executions`],
//! [`redrive`], [`map_runs`], [`commands`], [`activations`], [`instances`], [`directories`] (names and groups of agents), [`overview`] (agents as operators see them), [`activities`], [`parameters`], [`documents`], [`express`], `task_results`, [`test_state`], [`logs`] (the use cases), [`tasks`] (the port through which
//! tasks reach services), [`announce`] (the port through which notifications leave), [`agents`] (the port through which agents come in); then the machinery: `shard` (the loop),
//! `value` (what it loads and keeps), `machine`, `activity`, `parameter`, `kept_document`, `activation`, `instance` [`directory`] and `semaphore` (values whose rules live here), `targets` (where a command goes), `offers` and `slots` (how it gets there), [`secrets`] (what is sealed on the disk), `qualified`
//! (which part of a machine an ARN means), `configuration` (what a machine may be given), `tags`, `keys`, [`observe`] (who hears of
//! what happened), [`metrics`], `dispatch` (what follows a commit), `exchange` (where workers meet tasks), `definitions`, `token`,
//! `clock`.

pub mod refusal;
pub mod page;
pub mod machines;
pub mod versions;
pub mod aliases;
pub mod executions;
pub mod redrive;
pub mod map_runs;
pub mod commands;
pub mod outputs;
pub mod directories;
pub mod overview;
pub mod activities;
pub mod parameters;
pub mod activations;
pub mod instances;
pub mod documents;
pub mod express;
mod task_results;
pub mod test_state;
pub mod logs;
pub mod tasks;
pub mod announce;
pub mod agents;
mod shard;
mod value;
mod machine;
mod qualified;
mod configuration;
mod quota;
mod activity;
mod parameter;
mod kept_document;
pub mod secrets;
mod activation;
mod semaphore;
mod slots;
mod offers;
mod targets;
mod exchange;
mod instance;
pub mod directory;
mod tags;
mod keys;
pub mod metrics;
pub mod observe;
mod dispatch;
mod definitions;
mod token;
mod clock;

pub use base::Caller;
pub use page::{Page, Paged};
pub use quota::Quotas;
pub use refusal::Refusal;

use std::sync::Arc;

use store::{ShardId, Store};
use tokio::sync::{Semaphore, mpsc, watch};

use dispatch::World;
use quota::Quota;
use shard::{Ask, Refused, Reply, SHARDS, Shard};
use tasks::TaskPort;

/// What may be set from outside.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub limits: engine::Limits,
    pub quotas: Quotas,
    pub map_runs: maprun::Limits,
    /// Where the buckets are that Maps and tasks read and write.
    pub buckets: objects::Buckets,
    /// Where the whole outputs of commands are kept.
    pub outputs: outputs::OutputConfig,
    /// Publishes notifications of commands' statuses. Without it such notifications are refused.
    pub announcer: Option<Arc<dyn announce::Announcer>>,
    /// Seals what is secret. Without it there is one that ends with the server.
    pub master_key: Option<secrets::MasterKey>,
    /// How an event of a history is written as a log event. Without it executions are not logged.
    pub log_form: Option<logs::LogForm>,
}

/// Requests of clients under way at a time; the rest wait for their turn.
const REQUESTS_MAX: usize = 10_000;

/// A running server's core. Cheap to clone; all clones are the same server.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    world: World,
    state_machines: Quota,
    activities: Quota,
    open_executions: Quota,
    documents: Quota,
    document_texts: documents::Texts,
    standard_parameters: Quota,
    advanced_parameters: Quota,
    requests: Semaphore,
    /// Places for Express executions that are waited for.
    sync: Arc<Semaphore>,
    failed: watch::Receiver<bool>,
}

/// Runs a shard, which ends only when it has panicked or another server has taken it. A part of all values is then out
/// of reach: whoever runs the server has to start it again.
async fn guard(shard: Shard, broken: watch::Sender<bool>) {
    if tokio::spawn(shard.run()).await.is_err() {
        tracing::error!("a shard has failed");
    }
    let _nobody = broken.send(true);
}

impl Runtime {
    /// Takes every shard, reads what is due and what is owed, and goes on with all of it.
    pub async fn open(
        config: Config,
        store: Arc<dyn Store>,
        tasks: Arc<dyn TaskPort>,
    ) -> Result<Runtime, store::Error> {
        let (senders, inboxes): (Vec<_>, Vec<_>) = (0..SHARDS).map(|_| mpsc::unbounded_channel()).unzip();
        let (delivery, writing) = logs::delivery::queue();
        let world = World::new(tasks, &config, delivery, senders);
        activities::read_all(&*store, &world.exchange).await?;
        let mut shards = vec![];
        for (id, inbox) in (0..SHARDS).map(ShardId).zip(inboxes) {
            shards.push(Shard::open(id, store.clone(), world.clone(), inbox).await?);
        }
        let pending: Vec<_> = shards.iter().map(Shard::pending).collect();
        let (broken, failed) = watch::channel(false);
        let inner = Arc::new(Inner {
            store,
            world,
            state_machines: Quota::state_machines(config.quotas),
            activities: Quota::activities(config.quotas),
            open_executions: Quota::open_executions(config.quotas),
            documents: Quota::documents(config.quotas),
            document_texts: documents::Texts::default(),
            standard_parameters: Quota::standard_parameters(config.quotas),
            advanced_parameters: Quota::advanced_parameters(config.quotas),
            requests: Semaphore::new(REQUESTS_MAX),
            sync: Arc::new(Semaphore::new(express::SYNC_MAX)),
            failed,
        });
        inner.world.belongs_to(&inner);
        shards.into_iter().for_each(|shard| drop(tokio::spawn(guard(shard, broken.clone()))));
        if let Some(form) = config.log_form {
            tokio::spawn(logs::delivery::write(writing, Arc::downgrade(&inner), form));
        }
        let runtime = Runtime { inner };
        tokio::spawn(runtime.clone().count_open(pending));
        tokio::spawn(runtime.clone().watch_agents());
        tokio::spawn(runtime.clone().watch_outputs());
        Ok(runtime)
    }

    /// Waits until a part of this server has failed so that only a new start can bring it back; for ever when none does.
    pub async fn failed(&self) {
        let mut failed = self.inner.failed.clone();
        if failed.wait_for(|failed| *failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What time it is here.
    pub fn now(&self) -> base::Timestamp {
        self.inner.world.now()
    }

    /// Where the buckets are that Maps and tasks read and write.
    pub fn buckets(&self) -> &objects::Buckets {
        &self.inner.world.buckets
    }

    /// Asks a value on a client's behalf.
    async fn ask(&self, id: base::Id, ask: Ask) -> Result<Reply, Refused> {
        let _turn = self.inner.requests.acquire().await.map_err(|_| Refused::Unknown)?;
        self.inner.world.ask(id, ask).await
    }

    fn store(&self) -> &dyn Store {
        &*self.inner.store
    }
}

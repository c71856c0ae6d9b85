//! A shard: the one owner of its values, and the one caller of [`Store::commit`].
//!
//! Its loop gathers what is asked, steps each value, commits everything once, and only then answers and
//! dispatches. While a commit is in flight the next batch gathers; nobody waits for a clock.
//!
//! **Invariant:** a value in the cache is as it is on disk. When a commit's answer is anything but
//! `Committed`, every value that it touched is dropped and read again.
//!
//! **Invariant:** what was asked by the machinery itself (an alarm, a task's outcome) is asked again until it
//! is decided; what a client asked is answered with why not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{Caller, Id, Timestamp};
use engine::{Env, Event};
use futures_util::future::join_all;
use store::{Answer, Batch, Due, Epoch, ShardId, Store, Timer};
use tokio::sync::{mpsc, oneshot};

use crate::activities::ActivityTask;
use crate::clock;
use crate::directory::Directory;
use crate::dispatch::{Dispatch, World};
use crate::exchange::ActivitiesOf;
use crate::logs::delivery::Logging;
use crate::logs::{group, stream};
use crate::map_runs::{self, MapRun};
use crate::metrics::ShardLabel;
use crate::observe::Recorded;
use crate::refusal::LogRefusal;
use crate::value::{self, ExecutionHead, HeadStatus, InstanceHead, RunHead, Value, What};
use crate::{activation, activity, directory, instance, kept_document, machine, parameter, semaphore};

/// Into how many parts the values are divided. Fixed: a value's part follows from its name.
pub(crate) const SHARDS: u16 = 8;

/// Requests decided in one turn.
const TURN_MAX: usize = 1_024;

/// Alarms that go off in one turn: when many are due at one instant, the first need not wait for the last.
const ALARMS_MAX: usize = 256;

/// Values kept in memory between turns, by each shard. The rest is on disk, and read when it is asked for.
const CACHED_MAX: usize = 128;

/// How long the machinery waits before it asks again for what could not be committed.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long until it asks again a value that could not be read.
const UNREADABLE_FOR: Duration = Duration::from_secs(2);

/// After the store was full, how long nothing new is taken in, in milliseconds: what there is goes first.
const FULL_FOR_MS: i64 = 1_000;

/// Rows read at a time when a shard starts.
const START_PAGE: u32 = 10_000;

/// The part that `id` belongs to.
pub(crate) fn shard_of(id: Id) -> ShardId {
    // The last bits: the first may tell the time.
    let shard = id.0 % u128::from(SHARDS);
    ShardId(u16::try_from(shard).expect("less than the number of shards"))
}

/// Something asked of one value, and who waits for the answer (nobody: the machinery).
pub(crate) struct Request {
    pub(crate) id: Id,
    pub(crate) ask: Ask,
    pub(crate) reply: Option<Answerer>,
}

/// Whoever waits for what became of a request.
pub(crate) type Answerer = oneshot::Sender<Result<Reply, Refused>>;

#[derive(Clone)]
pub(crate) enum Ask {
    Machine(machine::Command),
    Activity(activity::Command),
    Parameter(parameter::Command),
    Activation(activation::Command),
    Document(kept_document::Command),
    Start(Box<Start>),
    Execution(engine::Command),
    /// A worker takes an activity's task.
    Take {
        task: engine::TaskId,
        worker: Option<Arc<str>>,
    },
    /// An alarm went off.
    Fire(Timer),
    Send {
        caller: Caller,
        send: Box<fleet::Send>,
    },
    Run(fleet::Command),
    LookAtRun,
    /// What an execution wants to hear of a task.
    Awaits(engine::TaskId),
    /// Sends an agent what it is owed.
    Remind {
        instance: fleet::InstanceId,
    },
    /// The machinery lost sight of this value's effects: dispatch what it owes.
    Resume,
    Instance {
        caller: Caller,
        command: Box<instance::Command>,
    },
    Watch(mpsc::Sender<Happened>),
    LogGroup(group::Command),
    LogStream(stream::Command),
    MapRun(maprun::Command),
    Semaphore(semaphore::Command),
    LookAtMapRun,
    Directory {
        caller: Caller,
        command: directory::Command,
        /// Only tells what would come of it.
        dry_run: bool,
    },
}

/// Events of an execution that have just become durable, and the place of the first.
pub(crate) type Happened = (u64, Arc<Vec<Event>>);

#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) start: engine::Start,
    pub(crate) machine: Arc<asl::Machine>,
    pub(crate) trace: Option<String>,
    /// The task that starts it.
    pub(crate) starter: Option<crate::executions::Starter>,
    pub(crate) logging: Option<Arc<Logging>>,
    /// The name was made up: there can be no such execution yet.
    pub(crate) fresh: bool,
    /// Of a Map run's child: how many items it has.
    pub(crate) items: Option<u32>,
}

/// What a value has become.
pub(crate) enum Reply {
    Machine(Option<Arc<machine::Registered>>),
    Activity(Option<Box<activity::Registered>>),
    Parameter(Box<ParameterChange>),
    Activation(Option<Box<activation::Given>>),
    Instance(Box<instance::Instance>),
    Document(Option<Arc<kept_document::Registered>>),
    Taken(Box<ActivityTask>),
    Execution(Box<ExecutionHead>),
    Run(Box<fleet::Run>),
    Awaits(engine::Awaits),
    MapRun(Box<MapRun>),
    Directory(Arc<Directory>),
    Done,
}

/// What a parameter was, and what it is.
pub(crate) struct ParameterChange {
    pub(crate) before: Option<Arc<parameter::Registered>>,
    pub(crate) after: Option<Arc<parameter::Registered>>,
}

/// Why nothing came of it.
pub(crate) enum Refused {
    Machine(machine::Refusal),
    Activity(activity::Refusal),
    Parameter(parameter::Refused),
    Activation(activation::Refusal),
    Instance(instance::Refusal),
    Document(kept_document::Refusal),
    /// The token that was shown is not the task's.
    Token,
    /// The execution does not want that now; with how it stands.
    Execution(Option<Box<ExecutionHead>>),
    /// Another execution has this name.
    Exists,
    Run(fleet::Refusal),
    /// The Map run does not want that now.
    MapRun,
    Log(LogRefusal),
    Directory(directory::Refusal),
    Missing,
    Full,
    Unknown,
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

pub(crate) struct Shard {
    id: ShardId,
    epoch: Epoch,
    store: Arc<dyn Store>,
    world: World,
    inbox: mpsc::UnboundedReceiver<Request>,
    cache: HashMap<Id, Cached>,
    /// Grows with each use of a cached value: the smallest was used longest ago.
    uses: u64,
    timers: BTreeSet<Due>,
    /// Values that are there and could not be read in this turn.
    unreadable: BTreeSet<Id>,
    /// Until then nothing new is taken in: the store was full, and what there is has to be able to end.
    full_until: Timestamp,
    fenced: bool,
    owed: Vec<Id>,
    watchers: HashMap<Id, Vec<mpsc::Sender<Happened>>>,
}

struct Cached {
    value: Value,
    used: u64,
}

/// One turn in the making.
#[derive(Default)]
pub(crate) struct Turn {
    steps: BTreeMap<Id, store::Step>,
    answers: Vec<(Answerer, Result<Reply, Refused>)>,
    dispatches: Vec<Dispatch>,
    happened: Vec<(Id, Happened)>,
    /// The machinery's own requests, to be asked again if the commit fails.
    again: Vec<(Id, Ask)>,
    /// The machinery's own requests to values that could not be read, to be asked again in any case.
    later: Vec<(Id, Ask)>,
    timers_set: Vec<Due>,
    timers_cleared: Vec<Due>,
}

impl Turn {
    pub(crate) fn dispatch(&mut self, dispatch: Dispatch) {
        self.dispatches.push(dispatch);
    }
}

impl Shard {
    /// Takes the shard and reads what it has to wake for.
    pub(crate) async fn open(
        id: ShardId,
        store: Arc<dyn Store>,
        world: World,
        inbox: mpsc::UnboundedReceiver<Request>,
    ) -> Result<Shard, store::Error> {
        let epoch = store.acquire(id).await?;
        let mut shard = Shard {
            id,
            epoch,
            store,
            world,
            inbox,
            cache: HashMap::new(),
            uses: 0,
            timers: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            full_until: Timestamp(0),
            fenced: false,
            owed: vec![],
            watchers: HashMap::new(),
        };
        shard.read_timers().await?;
        shard.owed = shard.owing().await?;
        Ok(shard)
    }

    async fn read_timers(&mut self) -> Result<(), store::Error> {
        let mut after = None;
        loop {
            let page = self.store.timers(self.id, after, START_PAGE).await?;
            after = page.last().copied();
            self.timers.extend(&page);
            if page.len() < START_PAGE as usize {
                return Ok(());
            }
        }
    }

    /// The values that owe the world something: what a starting server dispatches.
    async fn owing(&self) -> Result<Vec<Id>, store::Error> {
        let (mut all, mut after) = (vec![], None);
        loop {
            let page = self.store.owing(self.id, after, START_PAGE).await?;
            after = page.last().copied();
            all.extend(&page);
            if page.len() < START_PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// Runs until nobody can ask any more.
    pub(crate) async fn run(mut self) {
        for ids in std::mem::take(&mut self.owed).chunks(TURN_MAX) {
            let resume = |id: &Id| Request { id: *id, ask: Ask::Resume, reply: None };
            self.turn(ids.iter().map(resume).collect()).await;
        }
        let mut requests = Vec::with_capacity(TURN_MAX);
        loop {
            let due = self.timers.first().map(|first| first.due);
            tokio::select! {
                biased;
                count = self.inbox.recv_many(&mut requests, TURN_MAX) => if count == 0 { return },
                () = self.world.sleep_until(due) => (),
            }
            self.add_due(&mut requests);
            let turn = std::mem::take(&mut requests);
            if !turn.is_empty() {
                self.turn(turn).await;
            }
            if self.fenced {
                return;
            }
        }
    }

    fn add_due(&mut self, requests: &mut Vec<Request>) {
        let now = self.world.now();
        let full = requests.len() + ALARMS_MAX;
        while requests.len() < full
            && let Some(first) = self.timers.first().copied()
            && first.due <= now
        {
            self.timers.remove(&first);
            let ask = Ask::Fire(Timer { due: first.due, timer: first.timer });
            requests.push(Request { id: first.id, ask, reply: None });
        }
    }

    async fn turn(&mut self, requests: Vec<Request>) {
        let requests = map_runs::join_told(requests);
        let count = requests.len();
        self.unreadable.clear();
        self.fetch(&requests).await;
        for request in &requests {
            let redrives = matches!(request.ask, Ask::Execution(engine::Command::Redrive { .. }));
            self.fetch_definition(request.id, redrives).await;
        }
        let mut turn = Turn::default();
        for request in requests {
            self.handle(request, &mut turn);
        }
        let touched: Vec<Id> = turn.steps.keys().copied().collect();
        let answer = match turn.steps.is_empty() {
            true => Answer::Committed,
            false => {
                let steps = std::mem::take(&mut turn.steps).into_values().collect();
                self.commit(steps, count).await
            }
        };
        match answer {
            Answer::Committed => self.committed(turn),
            Answer::Full => {
                self.full_until = Timestamp(self.world.now().0 + FULL_FOR_MS);
                self.failed(turn, touched, || Refused::Full);
            }
            Answer::Conflict(id) => {
                tracing::error!(shard = self.id.0, %id, "a value moved on without its owner");
                self.failed(turn, touched, || Refused::Unknown);
            }
            Answer::Unknown(error) => {
                tracing::error!(shard = self.id.0, %error, "a commit's outcome is not known");
                self.failed(turn, touched, || Refused::Unknown);
            }
            Answer::Fenced => {
                tracing::error!(shard = self.id.0, "another server has taken this shard");
                self.fenced = true;
                self.cache.clear();
                self.failed(turn, touched, || Refused::Unknown);
            }
        }
        self.forget_some();
    }

    async fn commit(&self, steps: Vec<store::Step>, requests: usize) -> Answer {
        let metrics = &self.world.metrics;
        metrics
            .shard_queue
            .get_or_create(&ShardLabel(self.id.0))
            .set(i64::try_from(self.inbox.len()).unwrap_or(i64::MAX));
        let begun = Instant::now();
        let answer = self.store.commit(Batch { shard: self.id, epoch: self.epoch, steps }).await;
        let outcome = match &answer {
            Answer::Committed => "committed",
            Answer::Fenced => "fenced",
            Answer::Conflict(_) => "conflict",
            Answer::Full => "full",
            Answer::Unknown(_) => "unknown",
        };
        metrics.count_commit(outcome, requests, begun.elapsed());
        answer
    }

    /// Every value that will go on by itself: it waits for an instant, or owes something.
    pub(crate) fn pending(&self) -> BTreeSet<Id> {
        self.timers.iter().map(|due| due.id).chain(self.owed.iter().copied()).collect()
    }

    /// Reads the values that are not in memory, all at once.
    async fn fetch(&mut self, requests: &[Request]) {
        let mut wanted: Vec<Id> = requests
            .iter()
            .filter(|request| !matches!(&request.ask, Ask::Start(start) if start.fresh))
            .map(|request| request.id)
            .filter(|id| !self.cache.contains_key(id))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let store = &self.store;
        let loaded = join_all(wanted.iter().map(|id| async move { (*id, store.load(*id).await) })).await;
        for (id, loaded) in loaded {
            let value = match loaded {
                Ok(None) => continue,
                Ok(Some(loaded)) => Value::load(&loaded).map_err(|damage| damage.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match value {
                Ok(value) => {
                    let used = self.uses;
                    self.cache.insert(id, Cached { value, used });
                }
                Err(error) => {
                    tracing::error!(%id, %error, "cannot read a value");
                    self.unreadable.insert(id);
                }
            }
        }
    }

    /// `redrives`: what has ended goes on.
    async fn fetch_definition(&mut self, id: Id, redrives: bool) {
        let Some(Cached { value: Value { what: What::Execution { execution, machine, .. }, .. }, .. }) =
            self.cache.get_mut(&id)
        else {
            return;
        };
        if machine.is_none() && (redrives || !execution.has_ended()) {
            match self.world.definitions.get(&*self.store, &execution.identity().definition).await {
                Ok(found) => *machine = Some(found),
                Err(error) => {
                    let arn = &execution.identity().execution_arn;
                    tracing::error!(execution = %arn, %error, "cannot read an execution's definition");
                    self.unreadable.insert(id);
                }
            }
        }
    }

    fn handle(&mut self, request: Request, turn: &mut Turn) {
        let Request { id, ask, reply } = request;
        // It is there, and nobody can say what it is: neither absent nor as it was.
        if self.unreadable.contains(&id) {
            match reply {
                Some(reply) => turn.answers.push((reply, Err(Refused::Internal("the value cannot be read".into())))),
                None => turn.later.push((id, ask)),
            }
            return;
        }
        if reply.is_none() {
            turn.again.push((id, ask.clone()));
        }
        // A value that makes its rules panic fails its own request, and nobody else's.
        let decided = catch_unwind(AssertUnwindSafe(|| self.decide(id, ask, turn)));
        let result = decided.unwrap_or_else(|_| {
            let execution = self.execution_arn(id);
            tracing::error!(%id, execution = execution.as_deref(), "a rule of this value does not hold");
            self.cache.remove(&id);
            Err(Refused::Internal("a rule of this value does not hold".into()))
        });
        match reply {
            Some(reply) => turn.answers.push((reply, result)),
            // A late outcome, an alarm that nobody wants any more: refused, and that is all.
            None => {
                if let Err(Refused::Internal(error)) = result {
                    let execution = self.execution_arn(id);
                    let execution = execution.as_deref();
                    tracing::error!(%id, execution, %error, "cannot carry out the machinery's own request");
                }
            }
        }
    }

    /// Of an execution that is in memory: what a line of the log is found by.
    fn execution_arn(&self, id: Id) -> Option<Arc<str>> {
        match &self.cache.get(&id)?.value.what {
            What::Execution { head, .. } => Some(head.arn.clone()),
            _ => None,
        }
    }

    fn decide(&mut self, id: Id, ask: Ask, turn: &mut Turn) -> Result<Reply, Refused> {
        let makes = matches!(
            &ask,
            Ask::Start(_)
                | Ask::Send { .. }
                | Ask::Instance { .. }
                | Ask::Machine(machine::Command::Create { .. })
                | Ask::Activity(activity::Command::Create { .. })
                | Ask::Parameter(parameter::Command::Put(_))
                | Ask::Activation(activation::Command::Create(_))
                | Ask::Document(kept_document::Command::Create { .. })
        );
        // What is logged can be done without, an execution's next event cannot.
        let logs = matches!(&ask, Ask::LogStream(stream::Command::Put(_) | stream::Command::Append(..)));
        if self.world.now() < self.full_until && (logs || makes && self.what(id).is_none()) {
            if matches!(ask, Ask::Start(_)) {
                self.world.metrics.count_throttled();
            }
            return Err(Refused::Full);
        }
        match ask {
            Ask::Machine(command) => self.step_machine(id, command, turn),
            Ask::Activity(command) => self.step_activity(id, command, turn),
            Ask::Parameter(command) => self.step_parameter(id, command, None, turn),
            Ask::Activation(command) => self.step_activation(id, command, turn),
            Ask::Document(command) => self.step_document(id, command, turn),
            Ask::Start(start) => self.start(id, *start, turn),
            Ask::Execution(command) => self.step_execution(id, command, None, turn),
            Ask::Take { task, worker } => self.take(id, task, worker, turn),
            Ask::Fire(timer) => self.fire(id, timer, turn),
            Ask::Send { caller, send } => self.send(id, caller, *send, turn),
            Ask::Run(command) => self.step_run(id, command, None, turn),
            Ask::LookAtRun => match self.what(id) {
                Some(What::Run { run, .. }) => Ok(Reply::Run(run.clone())),
                _ => Err(Refused::Missing),
            },
            Ask::Awaits(task) => match self.what(id) {
                Some(What::Execution { execution, .. }) => Ok(Reply::Awaits(execution.awaits(task))),
                _ => Err(Refused::Missing),
            },
            Ask::Remind { instance } => self.remind(id, &instance, turn),
            Ask::Resume => self.resume(id, turn),
            Ask::Instance { caller, command } => self.step_instance(id, caller, *command, turn),
            Ask::Watch(watcher) => self.watch(id, watcher),
            Ask::MapRun(command) => self.step_map_run(id, command, turn),
            Ask::Semaphore(command) => self.step_semaphore(id, command, turn),
            Ask::LookAtMapRun => self.look_at_map_run(id),
            Ask::Directory { caller, command, dry_run } => self.step_directory(id, caller, command, dry_run, turn),
            Ask::LogGroup(command) => self.step_log_group(id, command, turn),
            Ask::LogStream(command) => self.step_log_stream(id, command, turn),
        }
    }

    fn fire(&mut self, id: Id, timer: Timer, turn: &mut Turn) -> Result<Reply, Refused> {
        match self.what(id) {
            Some(What::Execution { .. }) => {
                let command = engine::Command::Fire { timer: engine::TimerId(timer.timer) };
                self.step_execution(id, command, Some(timer), turn)
            }
            Some(What::Run { .. }) => self.step_run(id, fleet::Command::Fire { timer: timer.timer }, Some(timer), turn),
            Some(What::Parameter(_)) => self.step_parameter(id, parameter::Command::Expire, Some(timer), turn),
            Some(
                What::Machine(_)
                | What::Instance { .. }
                | What::Activity(_)
                | What::Activation(_)
                | What::Document(_)
                | What::Semaphore(_)
                | What::LogGroup(_)
                | What::LogStream(_)
                | What::MapRun { .. }
                | What::Directory { .. },
            )
            | None => Err(Refused::Missing),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.now()
    }

    pub(crate) fn map_run_env(&self) -> maprun::Env {
        maprun::Env { now: self.world.now(), limits: self.world.map_runs }
    }

    pub(crate) fn what(&mut self, id: Id) -> Option<&mut What> {
        self.uses += 1;
        let cached = self.cache.get_mut(&id)?;
        cached.used = self.uses;
        Some(&mut cached.value.what)
    }

    pub(crate) fn insert(&mut self, id: Id, what: What) {
        self.cache.insert(id, Cached { value: Value::new(what), used: self.uses });
    }

    /// Adds what a value has just become to the turn.
    pub(crate) fn keep(
        &mut self,
        id: Id,
        chunks: Vec<store::Chunk>,
        rows: impl FnOnce(&mut store::Step),
        turn: &mut Turn,
    ) {
        let cached = self.cache.get_mut(&id).expect("the value was just stepped");
        let mut step = cached.value.step(id, chunks);
        rows(&mut step);
        turn.timers_cleared.extend(step.timers_cleared.iter().map(|timer| Due {
            due: timer.due,
            id,
            timer: timer.timer,
        }));
        turn.timers_set
            .retain(|due| due.id != id || !step.timers_cleared.contains(&Timer { due: due.due, timer: due.timer }));
        turn.timers_set.extend(step.timers_set.iter().map(|timer| Due { due: timer.due, id, timer: timer.timer }));
        match turn.steps.get_mut(&id) {
            Some(first) => value::merge(first, step),
            None => drop(turn.steps.insert(id, step)),
        }
    }
}

// State machines.
impl Shard {
    fn step_machine(&mut self, id: Id, command: machine::Command, turn: &mut Turn) -> Result<Reply, Refused> {
        if self.what(id).is_none() {
            self.insert(id, What::Machine(machine::Machine::default()));
        }
        let now = self.world.now();
        let Some(What::Machine(machine)) = self.what(id) else { return Err(Refused::Missing) };
        let before = machine.now.clone();
        let first = machine.seq;
        let event = machine::decide(machine, command, now).map_err(Refused::Machine)?;
        let stepped = event.is_some();
        if let Some(event) = &event {
            machine.apply(event);
        }
        let after = machine.now.clone();
        if let Some(event) = event {
            let goes = |machine: &Option<Arc<machine::Registered>>| machine.as_ref().and_then(|now| now.deleting);
            let rows = |step: &mut store::Step| {
                step.owes = (goes(&before) != goes(&after)).then_some(goes(&after).is_some());
                crate::machines::index(before.as_deref(), after.as_deref(), step);
            };
            self.keep(id, value::chunk(first, &[event]), rows, turn);
        }
        turn.dispatches.push(Dispatch::Machine { id, now: after.clone() });
        if stepped && before.is_some_and(|before| before.deleting.is_none()) {
            turn.dispatches.extend(after.as_deref().and_then(Dispatch::sweep));
        }
        Ok(Reply::Machine(after))
    }
}

// Activities.
impl Shard {
    fn step_activity(&mut self, id: Id, command: activity::Command, turn: &mut Turn) -> Result<Reply, Refused> {
        if self.what(id).is_none() {
            self.insert(id, What::Activity(activity::Activity::default()));
        }
        let now = self.world.now();
        let Some(What::Activity(activity)) = self.what(id) else { return Err(Refused::Missing) };
        let (before, first) = (activity.now.clone(), activity.seq);
        let event = activity::decide(activity, command, now).map_err(Refused::Activity)?;
        if let Some(event) = event {
            activity.apply(&event);
            let after = activity.now.clone();
            let known = after.as_ref().or(before.as_ref()).map(|registered| registered.arn.clone());
            if let Some(arn) = known {
                turn.dispatches.push(Dispatch::Activity { arn, exists: after.is_some() });
            }
            let chunks = value::chunk(first, &[event]);
            self.keep(id, chunks, |step| crate::activities::index(before.as_ref(), after.as_ref(), step), turn);
        }
        let Some(What::Activity(activity)) = self.what(id) else { return Err(Refused::Missing) };
        Ok(Reply::Activity(activity.now.clone().map(Box::new)))
    }
}

// Parameters.
impl Shard {
    fn step_parameter(
        &mut self,
        id: Id,
        command: parameter::Command,
        fired: Option<Timer>,
        turn: &mut Turn,
    ) -> Result<Reply, Refused> {
        if self.what(id).is_none() {
            self.insert(id, What::Parameter(parameter::Parameter::default()));
        }
        let world = self.world.clone();
        let Some(What::Parameter(parameter)) = self.what(id) else { return Err(Refused::Missing) };
        let (before, first) = (parameter.now.clone(), parameter.seq);
        let env = parameter::Env { now: world.now(), vault: &world.vault };
        let event = parameter::decide(parameter, command, env).map_err(Refused::Parameter)?;
        event.iter().for_each(|event| parameter.apply(event));
        let after = parameter.now.clone();
        if let Some(event) = event {
            let rows = |step: &mut store::Step| {
                step.timers_cleared.extend(fired);
                crate::parameters::index(before.as_deref(), after.as_deref(), step);
            };
            self.keep(id, value::chunk(first, &[event]), rows, turn);
        }
        Ok(Reply::Parameter(Box::new(ParameterChange { before, after })))
    }
}

// Activations.
impl Shard {
    fn step_activation(&mut self, id: Id, command: activation::Command, turn: &mut Turn) -> Result<Reply, Refused> {
        if self.what(id).is_none() {
            self.insert(id, What::Activation(Box::default()));
        }
        let now = self.world.now();
        let Some(What::Activation(activation)) = self.what(id) else { return Err(Refused::Missing) };
        let (before, first) = (activation.now.clone(), activation.seq);
        let event = activation::decide(activation, command, now).map_err(Refused::Activation)?;
        if let Some(event) = &event {
            activation.apply(event);
        }
        let after = activation.now.clone();
        if let Some(event) = event {
            let rows = |step: &mut store::Step| crate::activations::index(before.as_ref(), after.as_ref(), step);
            self.keep(id, value::chunk(first, &[event]), rows, turn);
        }
        Ok(Reply::Activation(after.map(Box::new)))
    }
}

// Documents.
impl Shard {
    fn step_document(&mut self, id: Id, command: kept_document::Command, turn: &mut Turn) -> Result<Reply, Refused> {
        if self.what(id).is_none() {
            self.insert(id, What::Document(kept_document::KeptDocument::default()));
        }
        let now = self.world.now();
        let Some(What::Document(document)) = self.what(id) else { return Err(Refused::Missing) };
        let (before, first) = (document.now.clone(), document.seq);
        let event = kept_document::decide(document, command, now).map_err(Refused::Document)?;
        event.iter().for_each(|event| document.apply(event));
        let after = document.now.clone();
        if let Some(event) = event {
            let rows = |step: &mut store::Step| {
                crate::documents::index(before.as_deref(), after.as_deref(), step);
            };
            self.keep(id, value::chunk(first, &[event]), rows, turn);
        }
        Ok(Reply::Document(after))
    }
}

// Executions.
impl Shard {
    fn start(&mut self, id: Id, start: Start, turn: &mut Turn) -> Result<Reply, Refused> {
        if let Some(What::Execution { execution, head, .. }) = self.what(id) {
            // A task that comes again meets what it started, and hears of its end again if that is what it waits for.
            let again = start.starter.is_some() && head.starter == start.starter;
            let same = again || !execution.has_ended() && *execution.input() == start.start.input;
            let head = head.clone();
            turn.dispatches.extend(Dispatch::ended(&head).filter(|_| again));
            return if same { Ok(Reply::Execution(head)) } else { Err(Refused::Exists) };
        }
        let (trace, logging, starter, items) = (start.trace, start.logging, start.starter, start.items);
        let head = ExecutionHead { trace, logging, starter, items, ..ExecutionHead::default() };
        self.insert(
            id,
            What::Execution { execution: Box::default(), head: Box::new(head), machine: Some(start.machine) },
        );
        let started = self.step_execution(id, engine::Command::Start(start.start), None, turn);
        if started.is_err() {
            self.cache.remove(&id);
        }
        started
    }

    fn step_execution(
        &mut self,
        id: Id,
        command: engine::Command,
        fired: Option<Timer>,
        turn: &mut Turn,
    ) -> Result<Reply, Refused> {
        let world = self.world.clone();
        let Some(What::Execution { execution, head, machine }) = self.what(id) else { return Err(Refused::Missing) };
        let head_of = |head: &ExecutionHead| (!head.arn.is_empty()).then(|| Box::new(head.clone()));
        let Some(machine) = machine.clone() else {
            return match execution.has_ended() {
                true => Err(Refused::Execution(head_of(head))),
                false => Err(Refused::Internal("the execution's definition cannot be read".into())),
            };
        };
        let first = execution.seq();
        let before = (!head.arn.is_empty()).then_some((head.status, head.redrives));
        let owed = head.owes(execution);
        let arn = match &command {
            engine::Command::Start(start) => start.identity.execution_arn.clone(),
            _ => head.arn.clone(),
        };
        let activities = ActivitiesOf { exchange: &world.exchange, execution_arn: &arn };
        let env = Env { now: world.now(), entropy: clock::entropy(), limits: world.limits, activities: &activities };
        let step = engine::step(&machine, execution, command, env).map_err(|refusal| match refusal {
            engine::Refusal::WrongToken(_) => Refused::Token,
            _ => Refused::Execution(head_of(head)),
        })?;
        head.follow(execution);
        let owes = head.owes(execution);
        let redrives = execution.redrives().count;
        let mut about_map_runs = map_runs::begins(execution, &step.effects);
        // Whoever starts a child that ends at once hears of it as an answer.
        if first > 0 {
            about_map_runs.extend(map_runs::ended(execution));
        }
        let head = head.clone();
        let engine::Step { events, effects } = step;
        let rows = |step: &mut store::Step| {
            step.owes = (owed != owes).then_some(owes);
            step.timers_cleared.extend(fired);
            value::alarms(&effects, step);
            head.index(id, before, step);
        };
        // A heartbeat that nobody asked for changes nothing.
        if !events.is_empty() {
            let chunks = value::chunk_history(first, &events);
            let bytes = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
            self.keep(id, chunks, rows, turn);
            let events = Arc::new(events);
            if self.watchers.contains_key(&id) {
                turn.happened.push((id, (first, events.clone())));
            }
            turn.dispatches.push(Dispatch::Recorded(Recorded {
                execution_arn: head.arn.clone(),
                machine_arn: head.machine.clone(),
                started: head.started,
                redrives,
                logging: head.logging.clone(),
                trace_header: head.trace.clone(),
                events,
                bytes,
            }));
        }
        turn.dispatches.extend(about_map_runs);
        turn.dispatches.push(Dispatch::Execution { id, arn: head.arn.clone(), effects });
        turn.dispatches.extend(Dispatch::ended(&head));
        Ok(Reply::Execution(head))
    }

    fn take(
        &mut self,
        id: Id,
        task: engine::TaskId,
        worker: Option<Arc<str>>,
        turn: &mut Turn,
    ) -> Result<Reply, Refused> {
        self.step_execution(id, engine::Command::Take { task, worker }, None, turn)?;
        let Some(What::Execution { execution, .. }) = self.what(id) else { return Err(Refused::Missing) };
        // In a history that is full it was not started.
        let (token, input) = execution.task_of_worker(task).ok_or(Refused::Execution(None))?;
        Ok(Reply::Taken(Box::new(ActivityTask { token, input })))
    }

    fn watch(&mut self, id: Id, watcher: mpsc::Sender<Happened>) -> Result<Reply, Refused> {
        match self.what(id) {
            Some(What::Execution { execution, .. }) => {
                if !execution.has_ended() {
                    let watchers = self.watchers.entry(id).or_default();
                    watchers.retain(|watcher| !watcher.is_closed());
                    watchers.push(watcher);
                }
                Ok(Reply::Done)
            }
            Some(
                What::Machine(_)
                | What::Run { .. }
                | What::Instance { .. }
                | What::Activity(_)
                | What::Parameter(_)
                | What::Activation(_)
                | What::Document(_)
                | What::Semaphore(_)
                | What::LogGroup(_)
                | What::LogStream(_)
                | What::MapRun { .. }
                | What::Directory { .. },
            )
            | None => Err(Refused::Missing),
        }
    }
}

// Run Command.
impl Shard {
    fn send(&mut self, id: Id, caller: Caller, send: fleet::Send, turn: &mut Turn) -> Result<Reply, Refused> {
        if let Some(What::Run { run, .. }) = self.what(id) {
            return Ok(Reply::Run(run.clone()));
        }
        let head = RunHead {
            account: caller.account.to_string(),
            region: caller.region.to_string(),
            requested: self.world.now(),
            ..RunHead::default()
        };
        self.insert(id, What::Run { run: Box::default(), head, seq: 0 });
        if let Err(refused) = self.step_run(id, fleet::Command::Send(Box::new(send)), None, turn) {
            self.cache.remove(&id);
            return Err(refused);
        }
        match self.what(id) {
            Some(What::Run { run, .. }) => Ok(Reply::Run(run.clone())),
            _ => Err(Refused::Missing),
        }
    }

    fn step_run(
        &mut self,
        id: Id,
        command: fleet::Command,
        fired: Option<Timer>,
        turn: &mut Turn,
    ) -> Result<Reply, Refused> {
        let now = self.world.now();
        let Some(What::Run { run, head, seq }) = self.what(id) else { return Err(Refused::Missing) };
        let first = *seq;
        let owed = run.owes();
        let step = fleet::step(run, command, fleet::Env { now }).map_err(Refused::Run)?;
        *seq += step.events.len() as u64;
        head.follow(run);
        let owes = run.owes();
        let caller = Caller::new(&head.account, &head.region);
        let key = crate::keys::newest_first(head.requested, id);
        let fleet::Step { events, effects } = step;
        let at_work = crate::commands::at_work(run, &events);
        let dispatch = Dispatch::run(id, &caller, run, at_work, effects);
        if !events.is_empty() {
            let rows = |step: &mut store::Step| {
                step.owes = (owed != owes || first == 0).then_some(owes);
                step.timers_cleared.extend(fired);
                crate::commands::alarms(dispatch.effects(), step);
                crate::commands::index(&caller, &key, &events, step);
            };
            self.keep(id, value::chunk(first, &events), rows, turn);
        }
        turn.dispatches.push(Dispatch::Run(dispatch));
        Ok(Reply::Done)
    }

    fn remind(&mut self, id: Id, instance: &fleet::InstanceId, turn: &mut Turn) -> Result<Reply, Refused> {
        let Some(What::Run { run, head, .. }) = self.what(id) else { return Err(Refused::Missing) };
        let caller = Caller::new(&head.account, &head.region);
        let effects = run.outstanding_for(instance);
        turn.dispatches.push(Dispatch::Run(Dispatch::run(id, &caller, run, vec![], effects)));
        Ok(Reply::Done)
    }

    fn step_semaphore(&mut self, id: Id, command: semaphore::Command, turn: &mut Turn) -> Result<Reply, Refused> {
        if self.what(id).is_none() {
            self.insert(id, What::Semaphore(Box::default()));
        }
        let now = self.world.now();
        let Some(What::Semaphore(semaphore)) = self.what(id) else { return Err(Refused::Missing) };
        let (first, owed) = (semaphore.seq, semaphore.is_used());
        let semaphore::Step { events, told } = semaphore::step(semaphore, command, now);
        let owes = semaphore.is_used();
        if !events.is_empty() {
            let rows = |step: &mut store::Step| step.owes = (owed != owes).then_some(owes);
            self.keep(id, value::chunk(first, &events), rows, turn);
        }
        turn.dispatches.extend(told.into_iter().map(Dispatch::Slot));
        Ok(Reply::Done)
    }

    fn step_instance(
        &mut self,
        id: Id,
        caller: Caller,
        command: instance::Command,
        turn: &mut Turn,
    ) -> Result<Reply, Refused> {
        if self.what(id).is_none() {
            let head = InstanceHead { account: caller.account.to_string(), region: caller.region.to_string() };
            self.insert(id, What::Instance { instance: Box::default(), head });
        }
        let now = self.world.now();
        let Some(What::Instance { instance, .. }) = self.what(id) else { return Err(Refused::Missing) };
        let first = instance.seq;
        let before = instance.now.clone();
        let event = instance::decide(instance, command, now).map_err(Refused::Instance)?;
        if let Some(event) = &event {
            instance.apply(event);
        }
        let after = instance.clone();
        if let Some(event) = event {
            let rows = |step: &mut store::Step| {
                crate::instances::index(&caller, before.as_ref(), after.now.as_ref(), step);
            };
            self.keep(id, value::chunk(first, &[event]), rows, turn);
        }
        Ok(Reply::Instance(after))
    }
}

// What operators have laid down about agents.
impl Shard {
    fn step_directory(
        &mut self,
        id: Id,
        caller: Caller,
        command: directory::Command,
        dry_run: bool,
        turn: &mut Turn,
    ) -> Result<Reply, Refused> {
        if self.what(id).is_none() {
            let head = InstanceHead { account: caller.account.to_string(), region: caller.region.to_string() };
            self.insert(id, What::Directory { directory: Arc::default(), head });
        }
        let now = self.world.now();
        let Some(What::Directory { directory, .. }) = self.what(id) else { return Err(Refused::Missing) };
        let first = directory.seq;
        let event = directory::decide(directory, command, now).map_err(Refused::Directory)?;
        if dry_run {
            let mut after = directory.clone();
            event.iter().for_each(|event| Arc::make_mut(&mut after).apply(event));
            return Ok(Reply::Directory(after));
        }
        event.iter().for_each(|event| Arc::make_mut(directory).apply(event));
        let after = directory.clone();
        if let Some(event) = event {
            self.keep(id, value::chunk(first, &[event]), |_| (), turn);
        }
        turn.dispatches.push(Dispatch::Directory { caller, directory: after.clone() });
        Ok(Reply::Directory(after))
    }
}

// Starting again, and what follows a commit.
impl Shard {
    /// Dispatches what a value owes: after a start, the only memory of what was going on.
    fn resume(&mut self, id: Id, turn: &mut Turn) -> Result<Reply, Refused> {
        match self.what(id) {
            Some(What::Execution { execution, head, .. }) => {
                let (arn, effects, head) = (head.arn.clone(), execution.outstanding(), head.clone());
                let alarms = effects.iter().filter_map(|effect| match effect {
                    engine::Effect::SetTimer(alarm) => Some(Due { due: alarm.due, id, timer: alarm.timer.0 }),
                    _ => None,
                });
                turn.timers_set.extend(alarms);
                turn.dispatches.extend(Dispatch::ended(&head));
                turn.dispatches.extend(Dispatch::check_starter(id, &head));
                turn.dispatches.extend(map_runs::ended(execution));
                turn.dispatches.extend(map_runs::begins(execution, &effects));
                turn.dispatches.push(Dispatch::Execution { id, arn, effects });
            }
            Some(What::Run { run, head, .. }) => {
                let caller = Caller::new(&head.account, &head.region);
                let effects = run.outstanding();
                let alarms = effects.iter().filter_map(|effect| match effect {
                    fleet::Effect::SetTimer { timer, due } => Some(Due { due: *due, id, timer: *timer }),
                    _ => None,
                });
                turn.timers_set.extend(alarms);
                if let Some(waiter) = run.sent().and_then(|(send, _)| send.waiter) {
                    turn.dispatches.push(Dispatch::CheckWaiter { id, waiter });
                }
                let at_work = crate::commands::all_at_work(run);
                turn.dispatches.push(Dispatch::Run(Dispatch::run(id, &caller, run, at_work, effects)));
            }
            Some(What::Machine(machine)) => {
                turn.dispatches.extend(machine.now.as_deref().and_then(Dispatch::sweep));
            }
            Some(What::Directory { directory, head }) => {
                let caller = Caller::new(&head.account, &head.region);
                turn.dispatches.push(Dispatch::Directory { caller, directory: directory.clone() });
            }
            Some(What::Semaphore(semaphore)) => {
                turn.dispatches.extend(semaphore.outstanding().map(Dispatch::Slot));
            }
            Some(What::MapRun { run, .. }) => {
                if let Some(begin) = run.begin().cloned() {
                    turn.dispatches.push(Dispatch::MapRun { id, begin, effects: run.outstanding() });
                }
            }
            Some(
                What::Instance { .. }
                | What::Activity(_)
                | What::Parameter(_)
                | What::Activation(_)
                | What::Document(_)
                | What::LogGroup(_)
                | What::LogStream(_),
            ) => (),
            None => return Err(Refused::Missing),
        }
        Ok(Reply::Done)
    }

    fn committed(&mut self, turn: Turn) {
        for due in &turn.timers_cleared {
            self.timers.remove(due);
        }
        self.timers.extend(turn.timers_set);
        // Who hears of a new definition and starts at once starts the new one; who hears of an activity can use it.
        let (registrations, dispatches): (Vec<_>, Vec<_>) = turn.dispatches.into_iter().partition(|dispatch| {
            matches!(dispatch, Dispatch::Machine { .. } | Dispatch::Activity { .. } | Dispatch::Directory { .. })
        });
        registrations.into_iter().for_each(|dispatch| self.world.dispatch(dispatch));
        self.world.ask_again(turn.later, UNREADABLE_FOR);
        for (reply, result) in turn.answers {
            // Whoever asked may have gone; it happened all the same.
            let _gone = reply.send(result);
        }
        for (id, happened) in turn.happened {
            self.tell(id, &happened);
        }
        dispatches.into_iter().for_each(|dispatch| self.world.dispatch(dispatch));
    }

    /// Tells watchers; one that does not keep up is dropped, and reads the history instead.
    fn tell(&mut self, id: Id, happened: &Happened) {
        let Some(watchers) = self.watchers.get_mut(&id) else { return };
        watchers.retain(|watcher| watcher.try_send(happened.clone()).is_ok());
        let ended = matches!(self.what(id), Some(What::Execution { head, .. }) if head.status != HeadStatus::Running);
        if ended || self.watchers.get(&id).is_some_and(Vec::is_empty) {
            self.watchers.remove(&id);
        }
    }

    fn failed(&mut self, turn: Turn, touched: Vec<Id>, why: impl Fn() -> Refused) {
        let mut again = turn.again;
        again.extend(turn.later);
        for id in touched {
            self.cache.remove(&id);
            // It may have been committed all the same: then its effects are owed and its alarms are set.
            again.push((id, Ask::Resume));
        }
        for (reply, _) in turn.answers {
            let _gone = reply.send(Err(why()));
        }
        self.world.ask_again(again, AGAIN_AFTER);
    }

    /// Lets go of what has ended and, beyond the limit, of what was used longest ago.
    fn forget_some(&mut self) {
        self.cache.retain(|_, cached| !cached.value.is_over());
        if self.cache.len() <= CACHED_MAX {
            return;
        }
        let mut by_use: Vec<(u64, Id)> = self.cache.iter().map(|(id, cached)| (cached.used, *id)).collect();
        by_use.sort_unstable();
        for (_, id) in &by_use[..by_use.len() - CACHED_MAX / 2] {
            self.cache.remove(id);
        }
    }
}

/// A moment as the timers see it.
pub(crate) fn due_in(now: Timestamp, due: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0))
}

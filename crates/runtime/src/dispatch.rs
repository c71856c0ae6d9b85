//! What follows a commit: tasks are called, agents are told, waiters hear of the end.
//!
//! **Invariant:** nothing here changes a value. What comes back from the world is the next command, asked of the
//! value's shard like any other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use asl::{Pattern, Resource};
use base::{Caller, Id, Timestamp};
use engine::{Awaits, Effect, Failure, TaskId};
use tokio::sync::{mpsc, oneshot, watch};

use crate::agents::Hub;
use crate::announce::{Announcements, Announcer};
use crate::clock::Clock;
use crate::commands::AtWork;
use crate::definitions::Definitions;
use crate::directory::Directory;
use crate::exchange::Exchange;
use crate::executions::Waits;
use crate::logs::delivery::Delivery;
use crate::machine::Registered;
use crate::metrics::Metrics;
use crate::observe::{Ended, Recorded};
use crate::offers::Offering;
use crate::outputs::Outputs;
use crate::secrets::{MasterKey, Vault};
use crate::semaphore;
use crate::shard::{Ask, Refused, Reply, Request, due_in, shard_of};
use crate::tasks::{TaskCall, TaskPort, TaskReply};
use crate::value::ExecutionHead;
use crate::{Config, Inner, Runtime, value};

/// What one step asks of the world, once it is durable.
pub(crate) enum Dispatch {
    Machine {
        id: Id,
        now: Option<Arc<Registered>>,
    },
    /// Aborts what runs of a machine that is being deleted, and then lets the machine go.
    Sweep {
        arn: Arc<str>,
        deleting: Timestamp,
    },
    /// What was recorded, for those who watch.
    Recorded(Recorded),
    /// An activity was created or deleted.
    Activity {
        arn: Arc<str>,
        exists: bool,
    },
    /// What is laid down about agents may have changed.
    Directory {
        caller: Caller,
        directory: Arc<Directory>,
    },
    Execution {
        id: Id,
        arn: Arc<str>,
        effects: Vec<Effect>,
    },
    /// A state asks for a Map run.
    BeginMapRun {
        begin: Box<maprun::Begin>,
    },
    /// A state asks that its Map run goes on.
    RedriveMapRun {
        begin: Box<maprun::Begin>,
    },
    MapRun {
        id: Id,
        begin: Arc<maprun::Begin>,
        effects: Vec<maprun::Effect>,
    },
    /// A Map run's child has ended.
    ChildEnded {
        run: Id,
        told: maprun::Told,
    },
    Run(RunDispatch),
    /// A semaphore has decided.
    Slot(semaphore::Told),
    /// An execution has ended, and the task that started it waits for that.
    Ended {
        arn: Arc<str>,
        waiter: fleet::Waiter,
        waits: Waits,
    },
    /// Ends an execution for which its starter waits no more.
    CheckStarter {
        id: Id,
        waiter: fleet::Waiter,
    },
    /// Ends a command for which nobody waits any more.
    CheckWaiter {
        id: Id,
        waiter: fleet::Waiter,
    },
}

/// What a step of a run asks of the world.
pub(crate) struct RunDispatch {
    id: Id,
    caller: Caller,
    document: String,
    at_work: Vec<AtWork>,
    effects: Vec<fleet::Effect>,
    /// Where somebody is to be told of it.
    run: Option<Box<fleet::Run>>,
}

impl RunDispatch {
    pub(crate) fn effects(&self) -> &[fleet::Effect] {
        &self.effects
    }
}

impl Dispatch {
    /// The whole run is taken along only for those who tell of it: it may be large.
    pub(crate) fn run(
        id: Id,
        caller: &Caller,
        run: &fleet::Run,
        at_work: Vec<AtWork>,
        effects: Vec<fleet::Effect>,
    ) -> RunDispatch {
        let tells = |effect: &fleet::Effect| {
            matches!(
                effect,
                fleet::Effect::Notify { .. } | fleet::Effect::Announce { .. } | fleet::Effect::DeliverOutput { .. }
            )
        };
        let whole = effects.iter().any(tells).then(|| Box::new(run.clone()));
        let document = run.sent().map(|(send, _)| send.document_name.clone()).unwrap_or_default();
        RunDispatch { id, caller: caller.clone(), document, at_work, effects, run: whole }
    }

    /// What a machine that is being deleted owes.
    pub(crate) fn sweep(machine: &Registered) -> Option<Dispatch> {
        Some(Dispatch::Sweep { arn: machine.arn.clone(), deleting: machine.deleting? })
    }
}

impl Dispatch {
    /// Whom an execution's end concerns, if it has ended.
    pub(crate) fn ended(head: &ExecutionHead) -> Option<Dispatch> {
        let (waiter, waits) = head.waiter()?;
        Some(Dispatch::Ended { arn: head.arn.clone(), waiter, waits })
    }

    /// Whoever runs for a task has to know that the task is still there.
    pub(crate) fn check_starter(id: Id, head: &ExecutionHead) -> Option<Dispatch> {
        Some(Dispatch::CheckStarter { id, waiter: head.awaited_by()? })
    }
}

/// Everything around the shards. Cheap to clone.
#[derive(Clone)]
pub(crate) struct World {
    shared: Arc<Shared>,
    pub(crate) limits: engine::Limits,
    pub(crate) map_runs: maprun::Limits,
}

pub(crate) struct Shared {
    clock: Clock,
    pub(crate) definitions: Definitions,
    pub(crate) machines: Mutex<HashMap<Id, Arc<Registered>>>,
    pub(crate) hub: Hub,
    pub(crate) logs: Delivery,
    pub(crate) metrics: Metrics,
    /// Who hears of executions that end.
    pub(crate) ends: OnceLock<mpsc::Sender<Ended>>,
    pub(crate) exchange: Arc<Exchange>,
    /// Turns true when the server ends: whoever waits for something that may not come is sent away.
    closing: watch::Sender<bool>,
    pub(crate) tasks: Arc<dyn TaskPort>,
    pub(crate) buckets: objects::Buckets,
    pub(crate) outputs: Outputs,
    /// Who publishes notifications of commands' statuses, if anybody does.
    pub(crate) announcer: Option<Arc<dyn Announcer>>,
    pub(crate) announcements: Announcements,
    /// Seals secrets, and opens them.
    pub(crate) vault: Vault,
    /// Readers of Maps that are in the midst of their objects.
    pub(crate) waiting: crate::map_runs::Waiting,
    shards: Vec<mpsc::UnboundedSender<Request>>,
    runtime: OnceLock<Weak<Inner>>,
}

impl std::ops::Deref for World {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// State machines remembered as they are now.
const MACHINES_MAX: usize = 10_000;

impl World {
    pub(crate) fn new(
        tasks: Arc<dyn TaskPort>,
        config: &Config,
        logs: Delivery,
        shards: Vec<mpsc::UnboundedSender<Request>>,
    ) -> World {
        let shared = Shared {
            clock: Clock::default(),
            definitions: Definitions::default(),
            machines: Mutex::default(),
            hub: Hub::default(),
            logs,
            metrics: Metrics::default(),
            ends: OnceLock::new(),
            exchange: Arc::default(),
            closing: watch::Sender::new(false),
            tasks,
            buckets: config.buckets.clone(),
            outputs: Outputs::new(&config.outputs),
            announcer: config.announcer.clone(),
            announcements: Announcements::default(),
            vault: Vault::new(&config.master_key.clone().unwrap_or_else(MasterKey::random)),
            waiting: crate::map_runs::Waiting::default(),
            shards,
            runtime: OnceLock::new(),
        };
        World { shared: Arc::new(shared), limits: config.limits, map_runs: config.map_runs }
    }

    /// Tells the world whose it is; once, before anything is dispatched.
    pub(crate) fn belongs_to(&self, runtime: &Arc<Inner>) {
        let _once = self.runtime.set(Arc::downgrade(runtime));
    }

    /// Turns true when the server ends.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sleeps until `due` or a second, whichever is sooner: the clock is looked at again, since it may have been set
    /// or the host may have slept. For ever when nothing is due.
    pub(crate) async fn sleep_until(&self, due: Option<Timestamp>) {
        const LOOK_EVERY: Duration = Duration::from_secs(1);
        match due {
            Some(due) => tokio::time::sleep(due_in(self.now(), due).min(LOOK_EVERY)).await,
            None => std::future::pending().await,
        }
    }

    /// Asks a value and waits for the answer.
    pub(crate) async fn ask(&self, id: Id, ask: Ask) -> Result<Reply, Refused> {
        let (reply, answer) = oneshot::channel();
        self.send(Request { id, ask, reply: Some(reply) });
        answer.await.unwrap_or(Err(Refused::Unknown))
    }

    /// Asks a value on the machinery's behalf: the shard sees to it that it is decided.
    pub(crate) fn tell(&self, id: Id, ask: Ask) {
        self.send(Request { id, ask, reply: None });
    }

    fn send(&self, request: Request) {
        let shard = &self.shards[usize::from(shard_of(request.id).0)];
        // A shard that is gone has ended with the server; its values are on disk.
        let _ended = shard.send(request);
    }

    pub(crate) fn ask_again(&self, asks: Vec<(Id, Ask)>, after: Duration) {
        if asks.is_empty() {
            return;
        }
        let world = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            asks.into_iter().for_each(|(id, ask)| world.tell(id, ask));
        });
    }

    pub(crate) fn dispatch(&self, dispatch: Dispatch) {
        match dispatch {
            Dispatch::Recorded(recorded) => self.observe(recorded),
            Dispatch::Machine { id, now } => self.remember(id, now),
            Dispatch::Sweep { arn, deleting } => {
                drop(self.spawn(async move |runtime, _| runtime.sweep(arn, deleting).await));
            }
            Dispatch::Activity { arn, exists } => self.exchange.note(&arn, exists),
            Dispatch::Execution { id, arn, effects } => {
                effects.into_iter().for_each(|effect| self.perform(id, &arn, effect))
            }
            Dispatch::Directory { caller, directory } => self.lay_down(&caller, directory),
            Dispatch::BeginMapRun { begin } => self.begin_map_run(begin),
            Dispatch::RedriveMapRun { begin } => self.redrive_map_run(begin),
            Dispatch::MapRun { id, begin, effects } => self.perform_map_run(id, &begin, effects),
            Dispatch::ChildEnded { run, told } => {
                self.tell(run, Ask::MapRun(maprun::Command::Told { children: vec![told] }));
            }
            Dispatch::Run(dispatch) => self.perform_run(dispatch),
            Dispatch::Slot(told) => self.tell_holder(told),
            Dispatch::Ended { arn, waiter, waits } => self.notify_starter(arn, waiter, waits),
            Dispatch::CheckWaiter { id, waiter } => {
                self.unless_awaited(id, waiter, Ask::Run(fleet::Command::Cancel { instances: vec![] }));
            }
            Dispatch::CheckStarter { id, waiter } => {
                let stop = engine::Command::Stop { failure: Failure::default() };
                self.unless_awaited(id, waiter, Ask::Execution(stop));
            }
        }
    }

    /// Agents hear at once how they are to work, and what waited for one that was held back is sent.
    fn lay_down(&self, caller: &Caller, directory: Arc<Directory>) {
        for (instance, work) in self.hub.lay_down(caller, directory) {
            work.into_iter().for_each(|id| self.tell(id, Ask::Remind { instance: instance.clone() }));
        }
    }

    fn remember(&self, id: Id, now: Option<Arc<Registered>>) {
        let mut machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        if machines.len() >= MACHINES_MAX {
            machines.clear();
        }
        match now {
            Some(now) => drop(machines.insert(id, now)),
            None => drop(machines.remove(&id)),
        }
    }

    fn perform(&self, id: Id, arn: &Arc<str>, effect: Effect) {
        match effect {
            // Its child may have ended while nobody was there to hear of it: asking for it again tells.
            Effect::RunTask { task, resource, parameters, credentials, submitted: true } => {
                let call = self.call(id, arn, task, &resource).filter(|call| waits_for_execution(&call.resource));
                if let Some(call) = call {
                    self.run_task(TaskCall { parameters, credentials, ..call });
                }
            }
            Effect::StartMapRun { .. }
            | Effect::RedriveMapRun { .. }
            | Effect::SetTimer(_)
            | Effect::ClearTimer(_)
            | Effect::Ended => (),
            Effect::StopMapRun { task, arn } => {
                self.tell(crate::keys::map_run(&arn), Ask::MapRun(maprun::Command::Stop { task }));
            }
            Effect::RunTask { task, resource, parameters, credentials, submitted: false } => {
                let call = self.call(id, arn, task, &resource);
                match call {
                    Some(TaskCall { resource: Resource::Activity { arn }, .. }) => {
                        self.exchange.offer(&arn, (id, task));
                    }
                    Some(call) => self.run_task(TaskCall { parameters, credentials, ..call }),
                    None => self.complete(id, task, Err(unknown_resource(&resource))),
                }
            }
            Effect::AbandonTask { task, resource, parameters, credentials } => {
                match self.call(id, arn, task, &resource) {
                    Some(TaskCall { resource: Resource::Activity { arn }, .. }) => {
                        self.exchange.withdraw(&arn, (id, task));
                    }
                    Some(call) => self.abandon_task(TaskCall { parameters, credentials, ..call }),
                    None => (),
                }
            }
        }
    }

    pub(crate) fn call(&self, id: Id, arn: &Arc<str>, task: TaskId, resource: &str) -> Option<TaskCall> {
        Some(TaskCall {
            caller: value::caller_of(arn),
            execution: id,
            execution_arn: arn.clone(),
            task,
            resource: asl::Resource::parse(resource)?,
            parameters: base::Json::Null,
            credentials: None,
        })
    }

    fn run_task(&self, call: TaskCall) {
        let world = self.clone();
        tokio::spawn(async move {
            if let Some(reply) = world.reply_to(call.clone()).await {
                world.replied(call, reply).await;
            }
        });
    }

    /// Has a task done; none when the server is gone.
    pub(crate) async fn reply_to(&self, call: TaskCall) -> Option<TaskReply> {
        // A panic in a connector fails its task, and nothing else.
        let called = self.spawn(async move |runtime, tasks| tasks.call(&runtime, call).await).await;
        called.unwrap_or_else(|_| {
            Some(TaskReply::Failed(Failure::new("States.TaskFailed", "The task's connector failed.")))
        })
    }

    /// The outcome of a call is the execution's next command.
    async fn replied(&self, call: TaskCall, reply: TaskReply) {
        const AGAIN_AFTER: Duration = Duration::from_millis(500);
        let (id, task) = (call.execution, call.task);
        // The call only hands the token on: whoever has it tells the outcome.
        let reply = match reply {
            TaskReply::Succeeded(output) if waits_for_token(&call.resource) => TaskReply::Submitted(output),
            reply => reply,
        };
        match reply {
            TaskReply::Succeeded(output) => self.complete(id, task, Ok(output)),
            TaskReply::Failed(failure) => self.complete(id, task, Err(failure)),
            TaskReply::Submitted(output) => {
                let submit = Ask::Execution(engine::Command::Submit { task, output });
                match self.ask(id, submit.clone()).await {
                    // The execution went on without it while the job was being started: nobody will ask for its end.
                    Err(Refused::Execution(_)) => self.abandon_if_unawaited(call).await,
                    Err(_) => self.ask_again(vec![(id, submit)], AGAIN_AFTER),
                    Ok(_) => (),
                }
            }
            TaskReply::Again => {
                tokio::time::sleep(AGAIN_AFTER).await;
                if !matches!(self.ask(id, Ask::Awaits(task)).await, Ok(Reply::Awaits(Awaits::Nothing))) {
                    self.run_task(call);
                }
            }
        }
    }

    async fn abandon_if_unawaited(&self, call: TaskCall) {
        if matches!(self.ask(call.execution, Ask::Awaits(call.task)).await, Ok(Reply::Awaits(Awaits::Nothing))) {
            self.abandon_task(call);
        }
    }

    pub(crate) fn abandon_task(&self, call: TaskCall) {
        drop(self.spawn(async move |runtime, tasks| tasks.abandon(&runtime, call).await));
    }

    /// Whether there is a server behind it still.
    pub(crate) fn is_alive(&self) -> bool {
        self.runtime.get().is_some_and(|runtime| runtime.strong_count() > 0)
    }

    pub(crate) fn spawn<T: Send + 'static, F>(
        &self,
        work: impl FnOnce(Runtime, Arc<dyn TaskPort>) -> F,
    ) -> tokio::task::JoinHandle<Option<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let runtime = self.runtime.get().and_then(Weak::upgrade).map(|inner| Runtime { inner });
        let work = runtime.map(|runtime| work(runtime, self.tasks.clone()));
        tokio::spawn(async move {
            match work {
                Some(work) => Some(work.await),
                None => None,
            }
        })
    }

    fn complete(&self, id: Id, task: TaskId, outcome: Result<base::Json, Failure>) {
        self.tell(id, Ask::Execution(engine::Command::Complete { task, outcome }));
    }

    fn perform_run(&self, dispatch: RunDispatch) {
        let RunDispatch { id, caller, document, at_work, effects, run } = dispatch;
        self.hub.note_work(&caller, id, &at_work);
        for effect in effects {
            self.perform_fleet(id, &caller, &document, run.as_deref(), effect);
        }
    }

    fn perform_fleet(&self, id: Id, caller: &Caller, document: &str, run: Option<&fleet::Run>, effect: fleet::Effect) {
        match effect {
            fleet::Effect::DeliverOutput { instance, .. } => {
                let run = run.expect("who tells of a run is given it");
                let (caller, run) = (caller.clone(), Box::new(run.clone()));
                drop(self.spawn(async move |runtime, _| runtime.deliver_output(caller, run, instance).await));
            }
            fleet::Effect::SetTimer { .. } | fleet::Effect::ClearTimer { .. } => (),
            fleet::Effect::AcquireSlot { place, group } => self.acquire_slot(id, caller, place, &group),
            fleet::Effect::ReleaseSlot { place, group } => self.release_slot(id, caller, place, &group),
            fleet::Effect::Announce { announcement } => {
                let run = run.expect("who tells of a run is given it");
                self.announce(id, caller, run, announcement);
            }
            fleet::Effect::Notify { waiter } => self.notify(id, run.expect("who tells of a run is given it"), waiter),
            fleet::Effect::Offer { instance, attempt, plan, expires_at } => {
                let document = document.to_owned();
                self.offer(caller, Offering { run: id, document, instance, attempt, plan, expires_at });
            }
            fleet::Effect::Go { instance, attempt } => {
                self.hub.send(caller, &instance, api::agent::ToAgent::Go { attempt: attempt.to_string() });
            }
            fleet::Effect::Cancel { instance, attempt } => {
                self.hub.send(caller, &instance, api::agent::ToAgent::Cancel { attempt: attempt.to_string() });
            }
            fleet::Effect::Acknowledge { instance, attempt } => {
                self.hub.send(caller, &instance, api::agent::ToAgent::Acknowledged { attempt: attempt.to_string() });
                self.offer_settled(caller, &instance, &attempt.0);
            }
        }
    }

    /// A server that ended between an execution's step and the cancelling of what it abandoned: what still runs is
    /// ended by the next.
    fn unless_awaited(&self, id: Id, waiter: fleet::Waiter, end: Ask) {
        let world = self.clone();
        tokio::spawn(async move {
            let awaits = world.ask(waiter.execution, Ask::Awaits(TaskId(waiter.task))).await;
            if matches!(awaits, Ok(Reply::Awaits(Awaits::Nothing))) {
                world.tell(id, end);
            }
        });
    }

    /// Tells the execution that waits for a command of its end, and then the command that it has been told. Told
    /// twice, the execution refuses the second.
    fn notify(&self, id: Id, run: &fleet::Run, waiter: fleet::Waiter) {
        let (world, run) = (self.clone(), run.clone());
        tokio::spawn(async move {
            let outcome = world.tasks.command_ended(&run);
            let ended = engine::Command::JobEnded { task: TaskId(waiter.task), outcome };
            match world.ask(waiter.execution, Ask::Execution(ended)).await {
                Ok(_) | Err(Refused::Execution(_) | Refused::Missing) => {
                    world.tell(id, Ask::Run(fleet::Command::Notified { waiter }));
                }
                Err(_) => world.ask_again(vec![(id, Ask::Resume)], Duration::from_secs(1)),
            }
        });
    }

    /// Tells the task that started an execution of its end. Told twice, the task's execution refuses the second; not told,
    /// because this server ends before, it asks when it goes on.
    fn notify_starter(&self, arn: Arc<str>, waiter: fleet::Waiter, waits: Waits) {
        const AGAIN_AFTER: Duration = Duration::from_secs(1);
        let (world, again) = (self.clone(), (crate::keys::execution(&arn), Ask::Resume));
        let told = self.spawn(async move |runtime, tasks| {
            let execution = runtime.execution(&value::caller_of(&arn), &arn).await.ok()?;
            let outcome = tasks.execution_ended(&execution, waits);
            let ended = engine::Command::JobEnded { task: TaskId(waiter.task), outcome };
            match runtime.inner.world.ask(waiter.execution, Ask::Execution(ended)).await {
                Ok(_) | Err(Refused::Execution(_) | Refused::Missing) => Some(()),
                Err(_) => None,
            }
        });
        tokio::spawn(async move {
            if matches!(told.await, Ok(Some(None))) {
                world.ask_again(vec![again], AGAIN_AFTER);
            }
        });
    }
}

/// Whether it is `states:startExecution` and waits for the end.
fn waits_for_execution(resource: &Resource) -> bool {
    matches!(resource, Resource::Service { service, pattern: Pattern::Sync | Pattern::Sync2, .. } if &**service == "states")
}

fn waits_for_token(resource: &Resource) -> bool {
    matches!(resource, Resource::Service { pattern: Pattern::WaitForTaskToken, .. })
}

pub(crate) fn unknown_resource(resource: &str) -> Failure {
    Failure::new("States.Runtime", format!("The resource provided {resource} is not recognized."))
}

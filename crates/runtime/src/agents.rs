//! The port through which agents come in, and the hub that knows who is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::agent::{self, FromAgent, ToAgent};
use base::{Caller, Id, Timestamp};
use tokio::sync::mpsc;

use crate::commands::AtWork;
use crate::directory::{self, Directory, Laid};
pub use crate::instance::Comes;
use crate::outputs::content::Fetches;
use crate::outputs::intake::Intake;
use crate::refusal::{CommandRefusal, EnrolmentRefusal, Refusal};
use crate::shard::{Ask, Refused, Reply};
use crate::{Runtime, activations, instance, keys};

/// How often an agent says that it is there.
const PING_SECONDS: u64 = 10;

/// Messages that wait for one agent. One that does not take them is disconnected, and reminded when it is back.
const WAITING_MAX: usize = 1_024;

/// Offers that wait at one agent at a time, in one connection.
const OFFERED_MAX: usize = 100;

/// How often the hub looks for agents that are unheard of.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// One agent's connection, as the runtime sees it. Dropping it disconnects the agent.
pub struct AgentLink {
    /// What the agent is to be told; ends when the agent must go (another connection took its place, or the
    /// server stops).
    pub outgoing: mpsc::Receiver<ToAgent>,
    session: Session,
}

/// Who is connected, apart from what it is to be told: what a reader of its messages needs.
#[derive(Clone)]
pub struct Session {
    caller: Caller,
    instance_id: Arc<str>,
    number: u64,
    outputs: Arc<Intake>,
    content: Arc<Fetches>,
    #[expect(dead_code, reason = "kept for its end: the last holder says goodbye")]
    leaving: Arc<Leaving>,
}

impl Session {
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }
}

impl AgentLink {
    /// For [`Runtime::agent_message`], so that reading and writing can be two tasks.
    pub fn session(&self) -> Session {
        self.session.clone()
    }
}

/// Says goodbye for a session when its last holder is gone.
struct Leaving {
    runtime: Runtime,
    caller: Caller,
    instance_id: Arc<str>,
    number: u64,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let hub = &self.runtime.inner.world.hub;
        if hub.leave(&self.caller, &self.instance_id, self.number, self.runtime.inner.world.now()) {
            let id = keys::instance(&self.caller, &self.instance_id);
            let ask = Ask::Instance { caller: self.caller.clone(), command: Box::new(instance::Command::Left) };
            self.runtime.inner.world.tell(id, ask);
        }
    }
}

type HostKey = (Caller, Arc<str>);

/// Who is there and what is under way where. Not durable: agents come again, and work is read from the store.
#[derive(Default)]
pub(crate) struct Hub {
    hosts: Mutex<HashMap<(String, String, String), Host>>,
    /// What is laid down about the agents of an account and region, once one of them is there. Locked after `hosts`.
    directories: Mutex<HashMap<(String, String), Arc<Directory>>>,
    sessions: AtomicU64,
}

#[derive(Default)]
struct Host {
    connected: Option<Connected>,
    /// When it was last heard of; none since this server started.
    heard: Option<Timestamp>,
    /// Commands that have not ended there.
    work: BTreeMap<Id, Work>,
    told_lost: bool,
    /// It is no instance any more, and never will be again.
    deregistered: bool,
    /// How it is to work, as it was last told.
    settings: agent::Settings,
    /// How many it runs at a time by its own account.
    own_limit: Option<u32>,
    /// Jobs for which it was chosen and that have not reached it: those who choose at the same instant see them.
    promised: Promised,
}

/// How far a command has come on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Not begun there.
    Waits,
    Runs,
}

#[derive(Default)]
struct Promised {
    count: u32,
    last: Timestamp,
}

/// After so long a job that did not come will not come.
const PROMISED_FOR_MS: i64 = 2_000;

/// A host as whoever looks for one sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Load {
    pub(crate) connected: bool,
    /// None since this server started.
    pub(crate) heard: Option<Timestamp>,
    pub(crate) running: u32,
    pub(crate) waiting: u32,
    pub(crate) promised: u32,
    pub(crate) own_limit: Option<u32>,
}

struct Connected {
    number: u64,
    outgoing: mpsc::Sender<ToAgent>,
    /// Attempts that were offered, and that it has neither accepted nor ended.
    offered: BTreeSet<String>,
    /// Runs that have more to offer than it can have at a time.
    held: BTreeSet<Id>,
}

impl Hub {
    /// Messages for an agent that is not there are dropped: it is reminded when it comes.
    pub(crate) fn send(&self, caller: &Caller, instance: &fleet::InstanceId, message: ToAgent) {
        let mut hosts = self.lock();
        let Some(host) = hosts.get_mut(&key(caller, &instance.0)) else { return };
        // What is held back is reminded of its work when that ends.
        if host.settings.draining && matches!(message, ToAgent::Offer(_)) {
            return;
        }
        let full = host.connected.as_ref().is_some_and(|connected| connected.outgoing.try_send(message).is_err());
        if full {
            host.connected = None;
        }
    }

    /// Offers of a run are held back while as many wait at the agent as may: what it cannot take yet it need not have.
    pub(crate) fn offer(&self, caller: &Caller, instance: &fleet::InstanceId, run: Id, offer: agent::Offer) {
        let mut hosts = self.lock();
        let Some(host) = hosts.get_mut(&key(caller, &instance.0)) else { return };
        let Some(connected) = &mut host.connected else { return };
        // What is held back by an operator is reminded of its work when that ends.
        if host.settings.draining || connected.offered.contains(&offer.attempt) {
            return;
        }
        if connected.offered.len() >= OFFERED_MAX {
            connected.held.insert(run);
            return;
        }
        connected.offered.insert(offer.attempt.clone());
        if connected.outgoing.try_send(ToAgent::Offer(offer)).is_err() {
            host.connected = None;
        }
    }

    /// An attempt waits at its agent no more. The runs of which something can be offered now.
    pub(crate) fn settled(&self, caller: &Caller, instance: &fleet::InstanceId, attempt: &str) -> Vec<Id> {
        let mut hosts = self.lock();
        let connected = hosts.get_mut(&key(caller, &instance.0)).and_then(|host| host.connected.as_mut());
        let Some(connected) = connected.filter(|connected| connected.offered.contains(attempt)) else { return vec![] };
        connected.offered.remove(attempt);
        let room = OFFERED_MAX.saturating_sub(connected.offered.len());
        let next: Vec<Id> = connected.held.iter().copied().take(room).collect();
        connected.held.retain(|run| !next.contains(run));
        next
    }

    /// Whether the host was lost and has not come back.
    pub(crate) fn is_lost(&self, caller: &Caller, instance: &fleet::InstanceId) -> bool {
        self.lock().get(&key(caller, &instance.0)).is_some_and(|host| host.told_lost && host.connected.is_none())
    }

    /// Ends the connection of who is an instance no longer. Commands that have not ended there.
    pub(crate) fn deregistered(&self, caller: &Caller, instance_id: &str) -> Vec<Id> {
        let mut hosts = self.lock();
        let host = hosts.entry(key(caller, instance_id)).or_default();
        (host.connected, host.deregistered) = (None, true);
        host.work.keys().copied().collect()
    }

    pub(crate) fn is_deregistered(&self, caller: &Caller, instance: &fleet::InstanceId) -> bool {
        self.lock().get(&key(caller, &instance.0)).is_some_and(|host| host.deregistered)
    }

    /// Keeps in mind where a command is under way.
    pub(crate) fn note_work(&self, caller: &Caller, id: Id, at_work: &[AtWork]) {
        if at_work.is_empty() {
            return;
        }
        let mut hosts = self.lock();
        for (instance, status) in at_work {
            let host = hosts.entry(key(caller, &instance.0)).or_default();
            let Some(status) = status else {
                host.work.remove(&id);
                continue;
            };
            let runs = matches!(status, fleet::InvocationStatus::InProgress | fleet::InvocationStatus::Cancelling);
            let known = host.work.insert(id, if runs { Work::Runs } else { Work::Waits });
            if known.is_none() {
                host.promised.count = host.promised.count.saturating_sub(1);
            }
        }
    }

    /// The host's new connection; the first message of it tells how it is to work.
    fn join(&self, caller: &Caller, hello: &agent::Hello, now: Timestamp) -> (u64, mpsc::Receiver<ToAgent>, Vec<Id>) {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        let (outgoing, receiver) = mpsc::channel(WAITING_MAX);
        let mut hosts = self.lock();
        let host = hosts.entry(key(caller, &hello.instance_id)).or_default();
        host.settings =
            self.directory(caller).map(|known| settings(&known.of_instance(&hello.instance_id))).unwrap_or_default();
        host.own_limit = hello.concurrency_max;
        outgoing.try_send(welcome(now, host.settings.clone())).expect("a new channel has room");
        host.connected = Some(Connected { number, outgoing, offered: BTreeSet::new(), held: BTreeSet::new() });
        host.heard = Some(now);
        host.told_lost = false;
        (number, receiver, host.work.keys().copied().collect())
    }

    fn directory(&self, caller: &Caller) -> Option<Arc<Directory>> {
        let key = (caller.account.to_string(), caller.region.to_string());
        self.directories.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// Takes over what is laid down now, and tells each agent that is there what has changed for it. Hosts that are no
    /// longer held back, with what waits for them.
    pub(crate) fn lay_down(&self, caller: &Caller, directory: Arc<Directory>) -> Vec<(fleet::InstanceId, Vec<Id>)> {
        let whose = (caller.account.to_string(), caller.region.to_string());
        let mut hosts = self.lock();
        let before = self
            .directories
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((whose.0.clone(), whose.1.clone()), directory.clone());
        // One that is as long is the same.
        if before.is_some_and(|before| before.seq == directory.seq) {
            return vec![];
        }
        let laid = directory.by_instance();
        let mut resumed = vec![];
        let theirs = hosts.iter_mut().filter(|((account, region, _), _)| *account == whose.0 && *region == whose.1);
        for ((_, _, instance), host) in theirs {
            let settings = laid.get(instance.as_str()).map(settings).unwrap_or_default();
            if settings == host.settings {
                continue;
            }
            if host.settings.draining && !settings.draining {
                let waits = host.work.iter().filter(|(_, work)| **work == Work::Waits).map(|(id, _)| *id);
                resumed.push((fleet::InstanceId::from(instance.as_str()), waits.collect()));
            }
            host.settings = settings.clone();
            if let Some(connected) = &host.connected
                && connected.outgoing.try_send(ToAgent::Settings(settings)).is_err()
            {
                host.connected = None;
            }
        }
        resumed
    }

    /// What is known of a host at this moment.
    pub(crate) fn load(&self, caller: &Caller, instance_id: &str, now: Timestamp) -> Load {
        let hosts = self.lock();
        let Some(host) = hosts.get(&key(caller, instance_id)) else { return Load::default() };
        let count =
            |what: Work| host.work.values().filter(|work| **work == what).count().try_into().unwrap_or(u32::MAX);
        Load {
            connected: host.connected.is_some(),
            heard: host.heard,
            running: count(Work::Runs),
            waiting: count(Work::Waits),
            promised: if now.0 - host.promised.last.0 > PROMISED_FOR_MS { 0 } else { host.promised.count },
            own_limit: host.own_limit,
        }
    }

    /// A job was given to a host and will soon be there.
    pub(crate) fn promise(&self, caller: &Caller, instance_id: &str, now: Timestamp) {
        let mut hosts = self.lock();
        let promised = &mut hosts.entry(key(caller, instance_id)).or_default().promised;
        if now.0 - promised.last.0 > PROMISED_FOR_MS {
            promised.count = 0;
        }
        *promised = Promised { count: promised.count + 1, last: now };
    }

    /// Commands that have not ended on a host.
    pub(crate) fn work(&self, caller: &Caller, instance_id: &str) -> Vec<Id> {
        let hosts = self.lock();
        hosts.get(&key(caller, instance_id)).map(|host| host.work.keys().copied().collect()).unwrap_or_default()
    }

    /// Hosts that have work.
    fn at_work(&self) -> Vec<HostKey> {
        let hosts = self.lock();
        let busy = hosts.iter().filter(|(_, host)| !host.work.is_empty());
        busy.map(|((account, region, instance), _)| (Caller::new(account, region), instance.as_str().into())).collect()
    }

    /// Whether the session was the host's current one.
    fn leave(&self, caller: &Caller, instance_id: &str, number: u64, now: Timestamp) -> bool {
        let mut hosts = self.lock();
        let Some(host) = hosts.get_mut(&key(caller, instance_id)) else { return false };
        let current = host.connected.as_ref().is_some_and(|connected| connected.number == number);
        if current {
            host.connected = None;
            // Its going is a word of it. Who was sent away for its silence has not spoken.
            host.heard = host.heard.filter(|heard| now.0 - heard.0 >= LOST_AFTER_MS).or(Some(now));
        }
        current
    }

    /// Ends the host's connection, if it has one.
    pub(crate) fn send_away(&self, caller: &Caller, instance_id: &str) {
        if let Some(host) = self.lock().get_mut(&key(caller, instance_id)) {
            host.connected = None;
        }
    }

    fn heard(&self, session: &Session, now: Timestamp) {
        if let Some(host) = self.lock().get_mut(&key(&session.caller, &session.instance_id)) {
            host.heard = Some(now);
        }
    }

    fn is_current(&self, session: &Session) -> bool {
        let hosts = self.lock();
        let host = hosts.get(&key(&session.caller, &session.instance_id));
        host.and_then(|host| host.connected.as_ref()).is_some_and(|connected| connected.number == session.number)
    }

    /// How many agents are connected.
    pub(crate) fn connected(&self) -> usize {
        self.lock().values().filter(|host| host.connected.is_some()).count()
    }

    /// When a host was last heard of, and whether it is connected.
    pub(crate) fn seen(&self, caller: &Caller, instance_id: &str) -> (Option<Timestamp>, bool) {
        let hosts = self.lock();
        match hosts.get(&key(caller, instance_id)) {
            Some(host) => (host.heard, host.connected.is_some()),
            None => (None, false),
        }
    }

    /// Hosts with work that have been unheard of for too long, each told once.
    fn lost(&self, now: Timestamp) -> Vec<(HostKey, Vec<Id>)> {
        let mut lost = vec![];
        for ((account, region, instance), host) in self.lock().iter_mut() {
            let since = *host.heard.get_or_insert(now);
            let silent = now.0 - since.0 > LOST_AFTER_MS;
            if silent && !host.told_lost && !host.work.is_empty() {
                host.told_lost = true;
                host.connected = None;
                let work = host.work.keys().copied().collect();
                lost.push(((Caller::new(account, region), instance.as_str().into()), work));
            }
        }
        lost
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String, String), Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An agent unheard of for so long is lost.
const LOST_AFTER_MS: i64 = fleet::limits::LOST_AFTER_SECONDS as i64 * 1000;

fn key(caller: &Caller, instance_id: &str) -> (String, String, String) {
    (caller.account.to_string(), caller.region.to_string(), instance_id.to_owned())
}

impl Runtime {
    /// An agent said hello (its first message), and `comes` with what it can show. Tells it `Welcome` and whatever it
    /// is owed. One that is not let in learns nothing: why is in the log.
    pub async fn agent_connect(
        &self,
        caller: &Caller,
        hello: agent::Hello,
        comes: Comes,
    ) -> Result<AgentLink, Refusal> {
        let refused = || Refusal::from(EnrolmentRefusal::AgentRefused);
        if !agent::valid_instance_id(&hello.instance_id) {
            tracing::warn!(instance = %hello.instance_id.escape_debug(), "an agent comes with what is no instance id");
            return Err(refused());
        }
        let world = &self.inner.world;
        let id = keys::instance(caller, &hello.instance_id);
        let command = instance::Command::Hello { card: card(&hello), comes };
        let log = |why: &dyn std::fmt::Debug| {
            tracing::warn!(instance = %hello.instance_id, account = %caller.account, region = %caller.region, incarnation = hello.incarnation, ?why, "an agent is not let in");
        };
        match world.ask(id, Ask::Instance { caller: caller.clone(), command: Box::new(command) }).await {
            Ok(Reply::Instance(instance)) if instance.now.as_ref().is_some_and(|now| now.suspended.is_some()) => {
                tracing::error!(
                    instance = %hello.instance_id,
                    incarnation = hello.incarnation,
                    "this instance is there twice: its data directory was copied or restored. It is suspended; deregister it, and register the host anew"
                );
                world.hub.send_away(caller, &hello.instance_id);
                return Err(refused());
            }
            Ok(_) => (),
            Err(Refused::Instance(instance::Refusal::WentBack)) => {
                log(&"it has been here with a later incarnation: its data directory was copied or restored");
                return Err(refused());
            }
            Err(Refused::Instance(refusal)) => {
                log(&refusal);
                return Err(refused());
            }
            Err(refused) => return Err(refused.into()),
        }
        // The hub knows what is laid down before the answer comes.
        let look = directory::Command { change: directory::Change::Look, reason: String::new() };
        let look = Ask::Directory { caller: caller.clone(), command: look, dry_run: false };
        world.ask(keys::directory(caller), look).await?;
        let (number, outgoing, work) = world.hub.join(caller, &hello, world.now());
        let instance_id: Arc<str> = hello.instance_id.as_str().into();
        let leaving =
            Leaving { runtime: self.clone(), caller: caller.clone(), instance_id: instance_id.clone(), number };
        // Whoever was sent away before it had joined is sent away now.
        match self.instance(caller, &instance_id).await {
            Ok(instance) if !instance.suspended => (),
            Ok(_) | Err(Refusal::Command(CommandRefusal::InvalidInstanceId(_))) => {
                world.hub.send_away(caller, &instance_id);
                log(&"it was deregistered, or was there twice, while it came");
                return Err(refused());
            }
            Err(refusal) => return Err(refusal),
        }
        let instance = fleet::InstanceId::from(&*hello.instance_id);
        let outputs = Arc::new(Intake::open(self, caller, &instance));
        let content = Arc::new(Fetches::open(self, caller, &instance));
        let leaving = Arc::new(leaving);
        let session = Session { caller: caller.clone(), instance_id, number, outputs, content, leaving };
        self.hear_reports(&session, &instance, &hello, work).await;
        Ok(AgentLink { outgoing, session })
    }

    /// What the agent's journal knows decides what becomes of the attempts that we know; then it is sent what it
    /// is owed.
    async fn hear_reports(&self, session: &Session, instance: &fleet::InstanceId, hello: &agent::Hello, work: Vec<Id>) {
        let world = &self.inner.world;
        // What we know of, and what it knows of: a script of a run that was decided without it has to be stopped.
        let named = hello.attempts.iter().filter_map(|report| {
            let (command_id, of) = fleet::AttemptId::from(&*report.attempt).parts()?;
            (of == *instance).then(|| keys::run(&session.caller, &command_id.0))
        });
        let runs: BTreeSet<Id> = work.into_iter().chain(named).collect();
        for id in runs {
            let Ok(Reply::Run(run)) = world.ask(id, Ask::LookAtRun).await else { continue };
            let of_run = |attempt: &fleet::AttemptId| {
                let parts = attempt.parts();
                parts.is_some_and(|(command_id, of)| of == *instance && keys::run(&session.caller, &command_id.0) == id)
            };
            let told =
                hello.attempts.iter().map(|report| (fleet::AttemptId::from(&*report.attempt), state(report.state)));
            let mut told: BTreeMap<fleet::AttemptId, fleet::AttemptState> =
                told.filter(|(attempt, _)| of_run(attempt)).collect();
            // What it holds or is asked to hold, and does not know of.
            if let Some(present) = run.attempt_at(instance) {
                told.entry(present.clone()).or_insert(fleet::AttemptState::Unknown);
            }
            for (attempt, state) in told {
                let begun = matches!(state, fleet::AttemptState::Running | fleet::AttemptState::Finished);
                let forget = ToAgent::Acknowledged { attempt: attempt.to_string() };
                let command = fleet::Command::AgentReported { attempt, state };
                match world.ask(id, Ask::Run(command)).await {
                    Ok(_) => (),
                    // It never was this run's, and has not begun: nobody will ask for it.
                    Err(Refused::Run(_)) if !begun => world.hub.send(&session.caller, instance, forget),
                    Err(refused) => {
                        tracing::debug!(instance = %session.instance_id, %id, refused = %Refusal::from(refused), "a report changes nothing");
                    }
                }
            }
            world.tell(id, Ask::Remind { instance: instance.clone() });
        }
    }

    /// The agent has shown that `next` comes after `key`, with which it came or could have come.
    pub async fn agent_rotate_key(&self, session: &Session, key: String, next: String) -> Result<(), Refusal> {
        let world = &self.inner.world;
        let id = keys::instance(&session.caller, &session.instance_id);
        let command = instance::Command::Rotate { key, next: next.clone() };
        world.ask(id, Ask::Instance { caller: session.caller.clone(), command: Box::new(command) }).await?;
        tracing::info!(instance = %session.instance_id, account = %session.caller.account, "an agent has changed its key");
        let instance = fleet::InstanceId::from(&*session.instance_id);
        world.hub.send(&session.caller, &instance, ToAgent::KeyRotated { public_key: next });
        Ok(())
    }

    /// Everything else that it says. Returns once what it said is durable.
    pub async fn agent_message(&self, session: &Session, message: FromAgent) -> Result<(), Refusal> {
        let world = &self.inner.world;
        if !world.hub.is_current(session) {
            return Err(Refusal::Validation("another connection has taken this agent's place".to_owned()));
        }
        world.hub.heard(session, world.now());
        let (attempt, command) = match message {
            FromAgent::Ping => {
                world.hub.send(&session.caller, &fleet::InstanceId::from(&*session.instance_id), ToAgent::Pong);
                return Ok(());
            }
            FromAgent::Output(output) => {
                session.outputs.take(self, output);
                return Ok(());
            }
            FromAgent::Fetch(fetch) => {
                session.content.ask(fetch);
                return Ok(());
            }
            // Whoever carries the connection has checked what it shows.
            FromAgent::RotateKey(_) | FromAgent::Hello(_) | FromAgent::Unknown => return Ok(()),
            FromAgent::Accepted { attempt } => {
                let attempt = fleet::AttemptId::from(&*attempt);
                (attempt.clone(), fleet::Command::AgentAccepted { attempt })
            }
            FromAgent::Started { attempt, .. } => {
                let attempt = fleet::AttemptId::from(&*attempt);
                (attempt.clone(), fleet::Command::AgentStarted { attempt })
            }
            FromAgent::Finished(finished) => {
                let attempt = fleet::AttemptId::from(&*finished.attempt);
                (attempt.clone(), fleet::Command::AgentFinished { attempt, outcome: outcome(finished) })
            }
        };
        let instance = fleet::InstanceId::from(&*session.instance_id);
        world.offer_settled(&session.caller, &instance, &attempt.0);
        match attempt.parts() {
            Some((command_id, of)) if of == instance => {
                let id = keys::run(&session.caller, &command_id.0);
                match world.ask(id, Ask::Run(command)).await {
                    Ok(_) => Ok(()),
                    // Nobody here will ever want it: let the agent forget it.
                    Err(Refused::Run(_) | Refused::Missing) => {
                        world.hub.send(
                            &session.caller,
                            &instance,
                            ToAgent::Acknowledged { attempt: attempt.to_string() },
                        );
                        Ok(())
                    }
                    Err(refused) => Err(refused.into()),
                }
            }
            _ => {
                world.hub.send(&session.caller, &instance, ToAgent::Acknowledged { attempt: attempt.to_string() });
                Ok(())
            }
        }
    }

    /// What it has not begun ends: nobody else is this instance, ever.
    pub(crate) fn end_work_of_deregistered(&self, caller: &Caller, instance_id: &str) {
        let world = &self.inner.world;
        for id in world.hub.deregistered(caller, instance_id) {
            let instance = fleet::InstanceId::from(instance_id);
            world.tell(id, Ask::Run(fleet::Command::Deregistered { instance }));
        }
    }

    async fn is_gone(&self, caller: &Caller, instance_id: &str) -> bool {
        let found = self.instance(caller, instance_id).await;
        matches!(found, Err(Refusal::Command(CommandRefusal::InvalidInstanceId(_))))
    }

    /// Looks for agents that are unheard of, for as long as the server runs.
    pub(crate) async fn watch_agents(self) {
        // The server may have ended between a deregistration and what follows from it.
        for (caller, instance_id) in self.inner.world.hub.at_work() {
            if self.is_gone(&caller, &instance_id).await {
                self.end_work_of_deregistered(&caller, &instance_id);
            }
        }
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let world = &self.inner.world;
            for ((caller, instance_id), work) in world.hub.lost(world.now()) {
                if self.is_gone(&caller, &instance_id).await {
                    self.end_work_of_deregistered(&caller, &instance_id);
                    continue;
                }
                tracing::warn!(instance = %instance_id, account = %caller.account, "agent is lost: unheard of while it has work");
                for id in work {
                    let instance = fleet::InstanceId::from(&*instance_id);
                    world.tell(id, Ask::Run(fleet::Command::AgentLost { instance }));
                }
            }
        }
    }
}

/// How an instance is to work, by what is laid down for it.
fn settings(laid: &Laid<'_>) -> agent::Settings {
    agent::Settings { concurrency_max: laid.limit(), draining: laid.holds_back() }
}

fn welcome(now: Timestamp, settings: agent::Settings) -> ToAgent {
    ToAgent::Welcome(agent::Welcome {
        server_time: now,
        lost_after_seconds: fleet::limits::LOST_AFTER_SECONDS as u64,
        ping_seconds: PING_SECONDS,
        settings,
    })
}

fn card(hello: &agent::Hello) -> instance::Card {
    instance::Card {
        instance_id: hello.instance_id.clone(),
        name: activations::short(&hello.name),
        computer_name: activations::short(&hello.computer_name),
        agent_version: activations::short(&hello.agent_version),
        platform_type: activations::platform_type(&hello.platform_type),
        platform_name: activations::short(&hello.platform_name),
        platform_version: activations::short(&hello.platform_version),
        ip_address: activations::short(hello.ip.as_deref().unwrap_or_default()),
        incarnation: hello.incarnation,
        life: hello.credentials.as_ref().map(|credentials| activations::short(&credentials.life)).unwrap_or_default(),
    }
}

fn state(state: agent::AttemptState) -> fleet::AttemptState {
    match state {
        agent::AttemptState::NeverStarted => fleet::AttemptState::NeverStarted,
        agent::AttemptState::Accepted => fleet::AttemptState::Accepted,
        agent::AttemptState::Running => fleet::AttemptState::Running,
        agent::AttemptState::Finished => fleet::AttemptState::Finished,
        agent::AttemptState::Indeterminate => fleet::AttemptState::Indeterminate,
        // A state of a later version: it is known there, so it is not lost.
        agent::AttemptState::Unknown => fleet::AttemptState::Running,
    }
}

fn outcome(finished: agent::Finished) -> fleet::Outcome {
    let ended = match finished.ended {
        agent::Ended::ExitCode(code) => fleet::Ended::ExitCode(code),
        agent::Ended::Failure(told) => fleet::Ended::Failure(failure(told)),
    };
    fleet::Outcome {
        ended,
        stdout: finished.stdout,
        stderr: finished.stderr,
        stdout_truncated: finished.stdout_truncated,
        stderr_truncated: finished.stderr_truncated,
        started_at: finished.started_at,
        finished_at: finished.finished_at,
        verdict: finished.verdict,
        steps: finished.steps.into_iter().map(step_outcome).collect(),
    }
}

fn step_outcome(step: agent::StepFinished) -> fleet::StepOutcome {
    fleet::StepOutcome {
        name: step.name,
        ended: match step.ended {
            agent::StepEnded::ExitCode(code) => fleet::StepEnded::ExitCode(code),
            agent::StepEnded::Failure(told) => fleet::StepEnded::Failure(failure(told)),
            agent::StepEnded::Skipped(why) => fleet::StepEnded::Skipped(why),
        },
        verdict: step.verdict,
        stdout: step.stdout,
        stderr: step.stderr,
        stdout_truncated: step.stdout_truncated,
        stderr_truncated: step.stderr_truncated,
        started_at: step.started_at,
        finished_at: step.finished_at,
    }
}

fn failure(told: agent::Failure) -> fleet::Failure {
    fleet::Failure { code: fleet::FailureCode::parse(&told.code), cause: told.message, exit_code: told.exit_code }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `said` and `left`, in seconds; then whether it is lost at each of `looks`.
    fn lost(said: i64, left: i64, looks: &[i64]) -> Vec<bool> {
        let (caller, at) =
            (Caller::new("000000000000", "us-east-1"), |seconds: i64| Timestamp(0).plus_seconds(seconds));
        looks
            .iter()
            .map(|look| {
                let hub = Hub::default();
                let (outgoing, _receiver) = mpsc::channel(1);
                let connected = Connected { number: 1, outgoing, offered: BTreeSet::new(), held: BTreeSet::new() };
                let host = Host {
                    connected: Some(connected),
                    heard: Some(at(said)),
                    work: BTreeMap::from([(Id(1), Work::Runs)]),
                    ..Host::default()
                };
                hub.lock().insert(key(&caller, "mi-1"), host);
                hub.leave(&caller, "mi-1", 1, at(left));
                !hub.lost(at(*look)).is_empty()
            })
            .collect()
    }

    #[test]
    fn an_agent_is_lost_so_long_after_its_last_word() {
        assert_eq!(lost(0, 20, &[61, 80, 81]), [false, false, true], "its going is a word of it");
        assert_eq!(lost(0, 60, &[60, 61]), [false, true], "it was sent away for its silence");
    }
}

//! Express executions that somebody waits for (`StartSyncExecution`): in memory from beginning to end.
//!
//! At most once, and nothing in the store: a server that ends takes them with it, and whoever asked hears nothing, as on
//! AWS. One task steps each execution, with timers of its own and the replies of its tasks; who asked may leave, and it
//! goes on to its end or its limit.
//!
//! Express executions that nobody waits for are durable like any other: what AWS does at least once is done once here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base::{Caller, Id, Timestamp};
use engine::{Alarm, Command, Effect, Env, Execution, Failure, Outcome, Status};
use tokio::sync::mpsc;

use crate::dispatch::World;
use crate::exchange::ActivitiesOf;
use crate::executions::{ExecutionStart, ExecutionStatus, Prepared};
use crate::logs::delivery::Logging;
use crate::observe::Recorded;
use crate::refusal::Refusal;
use crate::tasks::{TaskCall, TaskReply};
use crate::{Runtime, clock};

/// Executions that are waited for at a time; the next waits until one ends.
pub(crate) const SYNC_MAX: usize = 10_000;

/// `StartSyncExecution`'s answer.
#[derive(Debug, Clone)]
pub struct SyncExecution {
    pub arn: String,
    pub machine_arn: String,
    pub name: String,
    pub status: ExecutionStatus,
    pub started: Timestamp,
    pub stopped: Timestamp,
    /// As it was given.
    pub input: String,
    pub output: Option<String>,
    pub failure: Option<Failure>,
    pub trace_header: Option<String>,
}

impl Runtime {
    /// Runs an Express state machine and waits for its end. A failure of the state machine is an answer like any other.
    pub async fn execution_start_sync(&self, caller: &Caller, start: ExecutionStart) -> Result<SyncExecution, Refusal> {
        let trace_header = start.trace_header.clone();
        let prepared = self.prepare(caller, start, None).await?;
        if !prepared.start.identity.express {
            return Err(Refusal::StateMachineTypeNotSupported);
        }
        let place = self.inner.sync.clone().acquire_owned().await.map_err(|_| Refusal::Unknown)?;
        let (world, trace) = (self.inner.world.clone(), trace_header.clone());
        let ended = tokio::spawn(async move {
            let ended = Actor::new(world, &prepared, trace).run(prepared).await;
            drop(place);
            ended
        });
        let execution = ended.await.map_err(Refusal::internal)?;
        shown(&execution, trace_header).ok_or_else(|| Refusal::internal("an execution's actor left it".to_owned()))
    }
}

fn shown(execution: &Execution, trace_header: Option<String>) -> Option<SyncExecution> {
    let Status::Ended { at, outcome } = execution.status() else { return None };
    let (status, output, failure) = match outcome {
        Outcome::Succeeded { output } => (ExecutionStatus::Succeeded, Some(output.to_string()), None),
        Outcome::Failed { failure } => (ExecutionStatus::Failed, None, Some(failure.clone())),
        Outcome::TimedOut { failure } => (ExecutionStatus::TimedOut, None, Some(failure.clone())),
        Outcome::Aborted { failure } => (ExecutionStatus::Aborted, None, Some(failure.clone())),
    };
    let identity = execution.identity();
    Some(SyncExecution {
        arn: identity.execution_arn.to_string(),
        machine_arn: identity.machine_arn.to_string(),
        name: identity.name.to_string(),
        status,
        started: execution.started(),
        stopped: *at,
        input: execution.input_text().to_string(),
        output,
        failure,
        trace_header,
    })
}

/// One execution at work.
struct Actor {
    world: World,
    id: Id,
    arn: Arc<str>,
    logging: Option<Arc<Logging>>,
    trace_header: Option<String>,
    timers: BTreeSet<(Timestamp, engine::TimerId)>,
    /// Where its tasks' replies come from, as its next commands.
    replies: mpsc::UnboundedReceiver<Command>,
    reply: mpsc::UnboundedSender<Command>,
}

impl Actor {
    fn new(world: World, prepared: &Prepared, trace_header: Option<String>) -> Actor {
        let (reply, replies) = mpsc::unbounded_channel();
        Actor {
            world,
            id: prepared.id,
            arn: prepared.start.identity.execution_arn.clone(),
            logging: prepared.logging.clone(),
            trace_header,
            timers: BTreeSet::new(),
            replies,
            reply,
        }
    }

    async fn run(mut self, prepared: Prepared) -> Execution {
        let mut execution = Execution::default();
        let mut command = Command::Start(prepared.start);
        loop {
            self.step(&prepared.compiled, &mut execution, command);
            if execution.has_ended() {
                return execution;
            }
            command = self.next().await;
        }
    }

    /// A reply, or an alarm that is due.
    async fn next(&mut self) -> Command {
        loop {
            let first = self.timers.first().copied();
            tokio::select! {
                biased;
                // The actor holds a sender itself: there is always somebody who may reply.
                Some(reply) = self.replies.recv() => return reply,
                () = self.world.sleep_until(first.map(|(due, _)| due)) => (),
            }
            if let Some((due, timer)) = first
                && due <= self.world.now()
            {
                self.timers.remove(&(due, timer));
                return Command::Fire { timer };
            }
        }
    }

    fn step(&mut self, machine: &asl::Machine, execution: &mut Execution, command: Command) {
        let activities = ActivitiesOf { exchange: &self.world.exchange, execution_arn: &self.arn };
        let (now, limits) = (self.world.now(), self.world.limits);
        let env = Env { now, entropy: clock::entropy(), limits, activities: &activities };
        // What comes too late is refused, and that is all.
        let Ok(step) = engine::step(machine, execution, command, env) else { return };
        let bytes = self.logging.as_ref().map_or(0, |_| engine::pack::encode(&step.events).len());
        self.world.observe(Recorded {
            execution_arn: self.arn.clone(),
            machine_arn: execution.identity().machine_arn.clone(),
            started: execution.started(),
            redrives: 0,
            trace_header: self.trace_header.clone(),
            logging: self.logging.clone(),
            events: Arc::new(step.events),
            bytes,
        });
        step.effects.into_iter().for_each(|effect| self.perform(effect));
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::SetTimer(Alarm { timer, due }) => drop(self.timers.insert((due, timer))),
            Effect::ClearTimer(Alarm { timer, due }) => drop(self.timers.remove(&(due, timer))),
            Effect::RunTask { task, resource, parameters, credentials, .. } => {
                match self.world.call(self.id, &self.arn, task, &resource) {
                    Some(call) => self.call(TaskCall { parameters, credentials, ..call }),
                    None => {
                        let outcome = Err(crate::dispatch::unknown_resource(&resource));
                        let _ourselves = self.reply.send(Command::Complete { task, outcome });
                    }
                }
            }
            Effect::AbandonTask { task, resource, parameters, credentials } => {
                if let Some(call) = self.world.call(self.id, &self.arn, task, &resource) {
                    self.world.abandon_task(TaskCall { parameters, credentials, ..call });
                }
            }
            // A definition of type EXPRESS has no distributed Map.
            Effect::StartMapRun { .. } | Effect::RedriveMapRun { .. } | Effect::StopMapRun { .. } | Effect::Ended => (),
        }
    }

    /// Has a task done. Its reply is the execution's next command, if the execution is still there.
    fn call(&self, call: TaskCall) {
        const AGAIN_AFTER: Duration = Duration::from_millis(500);
        let (world, reply, task) = (self.world.clone(), self.reply.clone(), call.task);
        tokio::spawn(async move {
            while !reply.is_closed() {
                let command = match world.reply_to(call.clone()).await {
                    Some(TaskReply::Succeeded(output)) => Command::Complete { task, outcome: Ok(output) },
                    Some(TaskReply::Failed(failure)) => Command::Complete { task, outcome: Err(failure) },
                    Some(TaskReply::Submitted(output)) => Command::Submit { task, output },
                    Some(TaskReply::Again) => {
                        tokio::time::sleep(AGAIN_AFTER).await;
                        continue;
                    }
                    // The server is gone.
                    None => return,
                };
                let _ended = reply.send(command);
                return;
            }
        });
    }
}

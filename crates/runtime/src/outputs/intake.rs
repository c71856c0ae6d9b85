//! What agents say that steps have written, on its way to the files.
//!
//! **Invariant:** whoever floods holds up nobody else, nor its own other messages. Parts wait in a queue of the
//! connection, of which there is so much room for all; what finds no room is dropped, and its agent is told later from
//! where to say it again.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api::agent::{OUTPUT_BYTES_MAX, Output, OutputTaken, ToAgent};
use base::Caller;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fleet::{AttemptId, CommandId, InstanceId};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

use super::keep::{Extent, Part, is_full};
use super::{Name, Stream};
use crate::Runtime;
use crate::shard::{Ask, Refused, Reply};

/// Parts that wait: of one connection, and of all.
const QUEUE_MAX: usize = 64;
pub(super) const ROOM_MAX: usize = 512;

/// When an agent is told again that could not be served.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Streams of one connection that are told again.
const AGAIN_MAX: usize = 1_024;

/// Where one connection's outputs go in. When it is dropped, what waits is still written.
pub(crate) struct Intake {
    queue: mpsc::Sender<Waiting>,
    again: Arc<Again>,
}

struct Waiting {
    output: Output,
    #[expect(dead_code, reason = "kept for its end: then there is room for another")]
    room: OwnedSemaphorePermit,
}

/// Whose agent is to be told from where to say it again, and when.
#[derive(Default)]
struct Again {
    due: Mutex<BTreeMap<Of, Instant>>,
    added: Notify,
}

/// One stream, as agents name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Of {
    attempt: String,
    step: u32,
    stream: Stream,
}

impl Intake {
    pub(crate) fn open(runtime: &Runtime, caller: &Caller, instance: &InstanceId) -> Intake {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let again = Arc::new(Again::default());
        let taker = Taker {
            runtime: runtime.clone(),
            caller: caller.clone(),
            instance: instance.clone(),
            again: again.clone(),
        };
        tokio::spawn(taker.run(waiting));
        Intake { queue, again }
    }

    /// Never waits.
    pub(crate) fn take(&self, runtime: &Runtime, output: Output) {
        let of = Of::output(&output);
        let room = runtime.inner.world.outputs.room.clone().try_acquire_owned();
        let taken = room.is_ok_and(|room| self.queue.try_send(Waiting { output, room }).is_ok());
        if !taken {
            self.again.add(of, Duration::ZERO);
        }
    }
}

impl Of {
    fn output(output: &Output) -> Of {
        Of { attempt: output.attempt.clone(), step: output.step, stream: output.stream }
    }
}

impl Again {
    fn add(&self, of: Of, after: Duration) {
        let mut due = self.lock();
        if due.len() < AGAIN_MAX {
            due.entry(of).or_insert_with(|| Instant::now() + after);
        }
        drop(due);
        self.added.notify_one();
    }

    /// Waits until somebody is to be told.
    async fn due(&self) -> Of {
        loop {
            let first = self.lock().iter().min_by_key(|(_, due)| **due).map(|(of, due)| (of.clone(), *due));
            match first {
                None => self.added.notified().await,
                Some((of, due)) if due <= Instant::now() => {
                    self.lock().remove(&of);
                    return of;
                }
                Some((_, due)) => tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => (),
                    () = self.added.notified() => (),
                },
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Of, Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what one connection says, part after part.
struct Taker {
    runtime: Runtime,
    caller: Caller,
    instance: InstanceId,
    again: Arc<Again>,
}

impl Taker {
    async fn run(self, mut waiting: mpsc::Receiver<Waiting>) {
        loop {
            tokio::select! {
                biased;
                part = waiting.recv() => match part {
                    Some(part) => self.take(part).await,
                    None => return,
                },
                of = self.again.due() => self.tell_again(of).await,
            }
        }
    }

    async fn take(&self, part: Waiting) {
        let of = Of::output(&part.output);
        let bytes = BASE64_STANDARD.decode(&part.output.data).ok().filter(|bytes| bytes.len() <= OUTPUT_BYTES_MAX);
        let Some(bytes) = bytes else {
            tracing::warn!(instance = %self.instance, attempt = of.attempt, "an output is not as it should be");
            return self.unwanted(of, part.output.offset);
        };
        match self.admit(&of).await {
            Ok(Some(name)) => {
                let added = self.add(name, bytes, &part.output).await;
                self.answer(of, added);
            }
            Ok(None) => self.unwanted(of, part.output.offset.saturating_add(bytes.len() as u64)),
            Err(_) => self.again.add(of, AGAIN_AFTER),
        }
    }

    async fn add(&self, name: Name, bytes: Vec<u8>, output: &Output) -> io::Result<Extent> {
        let (keep, id) = (self.runtime.inner.world.outputs.keep.clone(), name.id());
        let (offset, end, cut) = (output.offset, output.end, output.cut);
        self.runtime.inner.world.metrics.output_bytes.inc_by(bytes.len() as u64);
        let added = move || keep.add(id, Part { offset, bytes: &bytes, end, cut });
        tokio::task::spawn_blocking(added).await.unwrap_or_else(|ended| Err(io::Error::other(ended)))
    }

    fn answer(&self, of: Of, added: io::Result<Extent>) {
        match added {
            Ok(extent) => self.tell(of, extent.bytes, extent.complete),
            Err(error) => {
                // A full disk is said once, by whoever writes to it.
                if !is_full(&error) {
                    tracing::error!(%error, instance = %self.instance, attempt = of.attempt, "an output was not written");
                }
                self.again.add(of, AGAIN_AFTER);
            }
        }
    }

    /// Nobody here will ever ask for it: the agent need not keep it.
    fn unwanted(&self, of: Of, offset: u64) {
        self.tell(of, offset, true);
    }

    async fn tell_again(&self, of: Of) {
        match self.admit(&of).await {
            Ok(Some(name)) => {
                let (keep, id) = (self.runtime.inner.world.outputs.keep.clone(), name.id());
                let extent = tokio::task::spawn_blocking(move || keep.extent(id)).await;
                match extent.unwrap_or_else(|ended| Err(io::Error::other(ended))) {
                    Ok(extent) => self.tell(
                        of,
                        extent.map_or(0, |extent| extent.bytes),
                        extent.is_some_and(|extent| extent.complete),
                    ),
                    Err(_) => self.again.add(of, AGAIN_AFTER),
                }
            }
            Ok(None) => self.unwanted(of, 0),
            Err(_) => self.again.add(of, AGAIN_AFTER),
        }
    }

    fn tell(&self, of: Of, offset: u64, done: bool) {
        let Of { attempt, step, stream } = of;
        let taken = ToAgent::OutputTaken(OutputTaken { attempt, step, stream, offset, done });
        self.runtime.inner.world.hub.send(&self.caller, &self.instance, taken);
    }

    /// The name under which it is kept; none when it is of no attempt that this instance was given.
    async fn admit(&self, of: &Of) -> Result<Option<Name>, Refused> {
        let Some((command, number)) = self.parts(&of.attempt) else { return Ok(None) };
        let attempt = AttemptId::new(&command, &self.instance, number);
        let name = Name::new(&self.caller, &attempt, of.step, of.stream);
        if self.runtime.inner.world.outputs.keep.is_open(name.id()) {
            return Ok(Some(name));
        }
        let id = crate::keys::run(&self.caller, &command.0);
        match self.runtime.inner.world.ask(id, Ask::LookAtRun).await {
            Ok(Reply::Run(run)) => Ok(has_step(&run, &self.instance, number, of.step).then_some(name)),
            Ok(_) | Err(Refused::Missing) => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    /// The command and the number of an attempt of this instance.
    fn parts(&self, attempt: &str) -> Option<(CommandId, u32)> {
        let number = attempt.rsplit_once('.')?.1.parse().ok()?;
        let (command, instance) = AttemptId::from(attempt).parts()?;
        let is_ours = instance == self.instance && *AttemptId::new(&command, &instance, number).0 == *attempt;
        is_ours.then_some((command, number))
    }
}

/// Whether the instance was given such an attempt, and the plan has such a step.
fn has_step(run: &fleet::Run, instance: &InstanceId, number: u32, step: u32) -> bool {
    let given = run.invocation(instance).and_then(|invocation| Some(invocation.attempt()?.number())).unwrap_or(0);
    let steps = run.sent().map_or(0, |(send, _)| send.plan.steps.len());
    (1..=given).contains(&number) && usize::try_from(step).is_ok_and(|step| step < steps)
}

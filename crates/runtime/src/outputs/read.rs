//! Reading outputs: in ranges, from the end, and as they grow.

use std::sync::Arc;
use std::time::Duration;

use base::{Caller, Id, Timestamp};
use fleet::{InstanceId, Invocation};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::keep::{Extent, Keep};
use super::{Name, Stream};
use crate::Runtime;
use crate::refusal::{CommandRefusal, Refusal};

/// How long after an invocation's end its agent may take to bring the rest of its output.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a follower looks whether the invocation has ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputOf {
    pub command_id: String,
    pub instance_id: String,
    /// The step's name or its number from 0; the first when none.
    pub step: Option<String>,
    pub stream: Stream,
    /// The latest attempt when none.
    pub attempt: Option<u32>,
}

/// A part of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputPart {
    /// Where it begins in the whole.
    pub from: u64,
    pub bytes: Vec<u8>,
    /// Bytes that are there by now.
    pub total: u64,
    /// Nothing will follow.
    pub complete: bool,
    /// More was written than is kept.
    pub cut: bool,
}

/// Follows an output to its end.
pub struct OutputFollow {
    runtime: Runtime,
    caller: Caller,
    of: OutputOf,
    from: u64,
    over: bool,
}

/// One stream of one step of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) step: u32,
    pub(super) stream: Stream,
    /// The latest attempt when none.
    pub(super) attempt: Option<u32>,
}

impl Place {
    pub(super) fn step_number(self) -> usize {
        usize::try_from(self.step).unwrap_or(usize::MAX)
    }
}

/// Where an output is, as far as its run knows.
#[derive(Clone)]
pub(super) struct Source {
    /// None when the invocation was never offered.
    id: Option<Id>,
    /// What the run itself keeps of it, once the invocation has ended.
    kept: Option<Kept>,
}

#[derive(Clone)]
struct Kept {
    text: String,
    truncated: bool,
    /// When the invocation ended.
    at: Timestamp,
}

impl Runtime {
    /// At most `max` bytes from `from`; from the end where that is negative. A read gives at most 1 MiB.
    pub async fn output_read(
        &self,
        caller: &Caller,
        of: &OutputOf,
        from: i64,
        max: usize,
    ) -> Result<OutputPart, Refusal> {
        let source = self.output_source(caller, of).await?;
        self.output_part(source, from, max).await
    }

    /// The first characters of an output, and whether there is more.
    pub async fn output_head(
        &self,
        caller: &Caller,
        of: &OutputOf,
        chars_max: usize,
    ) -> Result<(String, bool), Refusal> {
        let part = self.output_read(caller, of, 0, chars_max.saturating_mul(4)).await?;
        let text = String::from_utf8_lossy(&part.bytes);
        let end = text.char_indices().nth(chars_max).map(|(end, _)| end);
        let more = end.is_some() || part.cut || part.total > part.bytes.len() as u64;
        Ok((text[..end.unwrap_or(text.len())].to_owned(), more))
    }

    /// Follows an output from there to its end.
    pub async fn output_follow(&self, caller: &Caller, of: OutputOf, from: u64) -> Result<OutputFollow, Refusal> {
        self.output_source(caller, &of).await?;
        Ok(OutputFollow { runtime: self.clone(), caller: caller.clone(), of, from, over: false })
    }

    async fn output_source(&self, caller: &Caller, of: &OutputOf) -> Result<Source, Refusal> {
        let run = self.command(caller, &of.command_id).await?;
        let instance = InstanceId::from(&*of.instance_id);
        // Which instance there is, is told before what is wrong with the rest.
        run.invocation(&instance).ok_or(CommandRefusal::InvocationDoesNotExist)?;
        let step = step_number(&run, of.step.as_deref())?;
        self.output_place(caller, &run, &instance, Place { step, stream: of.stream, attempt: of.attempt })
    }

    pub(super) fn output_place(
        &self,
        caller: &Caller,
        run: &fleet::Run,
        instance: &InstanceId,
        place: Place,
    ) -> Result<Source, Refusal> {
        let invocation = run.invocation(instance).ok_or(CommandRefusal::InvocationDoesNotExist)?;
        let latest = invocation.attempt();
        let attempt = match (place.attempt, latest) {
            (Some(number), Some(latest)) if (1..=latest.number()).contains(&number) => latest.with_number(number),
            (Some(number), _) => return Err(Refusal::Validation(format!("there is no attempt {number}"))),
            (None, Some(latest)) => Some(latest.clone()),
            (None, None) => None,
        };
        let id = attempt.as_ref().map(|attempt| Name::new(caller, attempt, place.step, place.stream).id());
        let is_latest = attempt.as_ref() == latest;
        Ok(Source { id, kept: is_latest.then(|| kept(invocation, place.step, place.stream)).flatten() })
    }

    /// What is told whenever it grows.
    pub(super) fn output_grows(&self, source: &Source) -> Arc<Notify> {
        source.id.map(|id| self.inner.world.outputs.keep.follow(id)).unwrap_or_default()
    }

    pub(super) async fn output_part(&self, source: Source, from: i64, max: usize) -> Result<OutputPart, Refusal> {
        let now = self.inner.world.now();
        let waited = source.kept.as_ref().is_some_and(|kept| is_over(kept.at, now));
        let found = match source.id {
            Some(id) => self.output_file(id, from, max).await?,
            None => None,
        };
        Ok(match (found, source.kept) {
            // An agent that went and did not come back took the rest with it.
            (Some(part), Some(_)) if !part.complete && waited => OutputPart { complete: true, cut: true, ..part },
            (Some(part), _) => part,
            (None, Some(kept)) => of_text(&kept, waited, from, max),
            (None, None) => OutputPart { from: 0, bytes: vec![], total: 0, complete: false, cut: false },
        })
    }

    async fn output_file(&self, id: Id, from: i64, max: usize) -> Result<Option<OutputPart>, Refusal> {
        let keep = self.inner.world.outputs.keep.clone();
        let read = tokio::task::spawn_blocking(move || read_file(&keep, id, from, max)).await;
        read.map_err(Refusal::internal)?.map_err(Refusal::internal)
    }
}

impl OutputFollow {
    /// The next part, as soon as there is one; none after the last. The last one says that it is complete, and may be
    /// empty.
    pub async fn next(&mut self) -> Result<Option<OutputPart>, Refusal> {
        if self.over {
            return Ok(None);
        }
        loop {
            let source = self.runtime.output_source(&self.caller, &self.of).await?;
            let grown = self.runtime.output_grows(&source);
            // Listened to before it is looked at, so that nothing is missed between.
            let notified = grown.notified();
            let from = i64::try_from(self.from).unwrap_or(i64::MAX);
            let part = self.runtime.output_part(source, from, FOLLOWED_BYTES_MAX).await?;
            let end = part.from + part.bytes.len() as u64;
            let is_last = part.complete && end >= part.total;
            if is_last || !part.bytes.is_empty() {
                self.from = end;
                self.over = is_last;
                return Ok(Some(OutputPart { complete: is_last, ..part }));
            }
            // A time-out only means that it is looked at again.
            let _grown = timeout(LOOK_EVERY, notified).await;
        }
    }
}

/// Bytes of one part that a follower gets.
const FOLLOWED_BYTES_MAX: usize = 256 << 10;

fn read_file(keep: &Keep, id: Id, from: i64, max: usize) -> std::io::Result<Option<OutputPart>> {
    let start = match u64::try_from(from) {
        Ok(start) => start,
        Err(_) => match keep.extent(id)? {
            Some(extent) => extent.bytes.saturating_sub(from.unsigned_abs()),
            None => return Ok(None),
        },
    };
    Ok(keep.read(id, start, max)?.map(|(bytes, extent)| {
        let Extent { bytes: total, complete, cut } = extent;
        OutputPart { from: start.min(total), bytes, total, complete, cut }
    }))
}

/// What the run itself keeps, where no agent has brought more.
fn of_text(kept: &Kept, waited: bool, from: i64, max: usize) -> OutputPart {
    let bytes = kept.text.as_bytes();
    let total = bytes.len();
    let from = match usize::try_from(from) {
        Ok(from) => from.min(total),
        Err(_) => total.saturating_sub(usize::try_from(from.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let bytes = bytes[from..].iter().take(max).copied().collect();
    let complete = !kept.truncated || waited;
    OutputPart { from: from as u64, bytes, total: total as u64, complete, cut: kept.truncated && complete }
}

fn is_over(ended: Timestamp, now: Timestamp) -> bool {
    now.0.saturating_sub(ended.0) > i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX)
}

fn step_number(run: &fleet::Run, step: Option<&str>) -> Result<u32, Refusal> {
    let Some(step) = step else { return Ok(0) };
    let steps = run.sent().map_or(&[][..], |(send, _)| &send.plan.steps);
    let found = steps.iter().position(|known| known.name == step).or_else(|| {
        let number: usize = step.parse().ok()?;
        (number < steps.len()).then_some(number)
    });
    let found = found.and_then(|number| u32::try_from(number).ok());
    found.ok_or_else(|| Refusal::Validation(format!("the command has no step '{step}'")))
}

fn kept(invocation: &Invocation, step: u32, stream: Stream) -> Option<Kept> {
    let (outcome, at) = (invocation.outcome()?, invocation.ended_at()?);
    let of_step = usize::try_from(step).ok().and_then(|step| outcome.steps.get(step));
    let (stdout, stderr) = match of_step {
        Some(step) => ((&step.stdout, step.stdout_truncated), (&step.stderr, step.stderr_truncated)),
        None if step == 0 => ((&outcome.stdout, outcome.stdout_truncated), (&outcome.stderr, outcome.stderr_truncated)),
        None => return Some(Kept { text: String::new(), truncated: false, at }),
    };
    let (text, truncated) = match stream {
        Stream::Stdout => stdout,
        Stream::Stderr => stderr,
    };
    Some(Kept { text: text.clone(), truncated, at })
}

//! The whole output of commands: taken from agents, kept in files, read in ranges.
//!
//! A run keeps the first characters of what each step wrote (AWS's limits); the rest is here. An output is written by
//! one attempt on one instance, and never changes but at its end.
//!
//! **Invariant:** an agent is told that all of an output is here only when it is durable.
//!
//! In reading order: `keep` (the files), `intake` (from agents to files), [`read`] (the use cases), `deliver` (to buckets
//! and log groups), `content` (the other way: what steps download).

mod keep;
pub(crate) mod intake;
pub mod read;
pub(crate) mod deliver;
pub(crate) mod content;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::{Caller, Id, Timestamp};
use fleet::AttemptId;
use tokio::sync::Semaphore;

pub use document::Stream;
pub use read::{OutputFollow, OutputOf, OutputPart};

use crate::Runtime;
use keep::Keep;

/// Where outputs are kept, and for how long.
#[derive(Debug, Clone)]
pub struct OutputConfig {
    /// Without one, in a directory that ends with the server.
    pub directory: Option<PathBuf>,
    /// Days after its last byte when an output is removed.
    pub keep_days: u32,
    /// Bytes of one stream of one step.
    pub stream_bytes_max: u64,
}

impl Default for OutputConfig {
    fn default() -> OutputConfig {
        OutputConfig { directory: None, keep_days: 30, stream_bytes_max: 4 << 30 }
    }
}

/// What the server has of outputs.
pub(crate) struct Outputs {
    pub(crate) keep: Arc<Keep>,
    /// For parts that wait to be written.
    room: Arc<Semaphore>,
    deliveries: deliver::Deliveries,
    keep_days: u32,
}

impl Outputs {
    pub(crate) fn new(config: &OutputConfig) -> Outputs {
        Outputs {
            keep: Arc::new(Keep::new(config.directory.clone(), config.stream_bytes_max)),
            room: Arc::new(Semaphore::new(intake::ROOM_MAX)),
            deliveries: deliver::Deliveries::default(),
            keep_days: config.keep_days,
        }
    }
}

/// One stream of one step of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name(Id);

impl Name {
    fn new(caller: &Caller, attempt: &AttemptId, step: u32, stream: Stream) -> Name {
        Name(Id::of("output", &format!("{}/{}/{attempt}/{step}/{stream:?}", caller.account, caller.region)))
    }

    fn id(self) -> Id {
        self.0
    }
}

/// How often files are looked at that may be closed, and those that may be removed.
const CLOSE_EVERY: Duration = Duration::from_secs(10);
const SWEEP_EVERY: u32 = 360;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Runtime {
    /// Closes and removes files, for as long as the server runs.
    pub(crate) async fn watch_outputs(self) {
        let world = self.inner.world.clone();
        // A server that ends is not kept alive by this.
        drop(self);
        for turn in 0_u32.. {
            let keep = world.outputs.keep.clone();
            let before = Timestamp(world.now().0 - i64::from(world.outputs.keep_days) * DAY_MS);
            let swept = tokio::task::spawn_blocking(move || {
                keep.close_idle();
                if turn % SWEEP_EVERY == 0 { keep.remove_older(before) } else { Ok(0) }
            });
            match swept.await {
                Ok(Ok(0)) => (),
                Ok(Ok(removed)) => tracing::info!(removed, "outputs were removed that were old"),
                Ok(Err(error)) => tracing::warn!(%error, "outputs could not be looked through"),
                Err(error) => tracing::error!(%error, "looking after outputs has failed"),
            }
            tokio::time::sleep(CLOSE_EVERY).await;
            if !world.is_alive() {
                return;
            }
        }
    }
}

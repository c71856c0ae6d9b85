//! Definitions, compiled once and shared by all executions that run them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use asl::MachineKind;
use base::{Id, Timestamp};
use store::{Direction, Seq, Store};

use crate::machine::{Event, Settings};

/// Compiled definitions kept in memory.
const KEPT_MAX: usize = 1_000;

/// Why a definition that executions name cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("{0} names no definition")]
    Reference(String),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the definition's event is damaged")]
    Form(#[from] serde_json::Error),
    #[error("the definition is no longer valid: {0}")]
    Invalid(String),
}

#[derive(Default)]
pub(crate) struct Definitions {
    kept: Mutex<HashMap<Arc<str>, Arc<asl::Machine>>>,
}

/// How an execution names its definition: the machine, and the place of the event that brought it, in the revision
/// that it ran with.
pub(crate) fn reference(machine: Id, place: u64) -> Arc<str> {
    format!("{machine}.{place}").into()
}

fn parts(reference: &str) -> Option<(Id, u64)> {
    let (id, place) = reference.split_once('.')?;
    Some((Id(u128::from_str_radix(id, 16).ok()?), place.parse().ok()?))
}

impl Definitions {
    /// The compiled definition; read and compiled again if it is not kept.
    pub(crate) async fn get(&self, store: &dyn Store, reference: &Arc<str>) -> Result<Arc<asl::Machine>, Lost> {
        if let Some(kept) = self.lock().get(reference) {
            return Ok(kept.clone());
        }
        let settings = read(store, reference).await?.settings;
        let parsed = asl::parse(&settings.definition, kind(settings.express));
        let machine = parsed.machine.ok_or_else(|| Lost::Invalid(asl::refusal(&parsed.diagnostics)))?;
        Ok(self.keep(reference.clone(), Arc::new(machine)))
    }

    pub(crate) fn keep(&self, reference: Arc<str>, machine: Arc<asl::Machine>) -> Arc<asl::Machine> {
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.entry(reference).or_insert(machine).clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<asl::Machine>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A machine's settings as they were, since when, and what clients call them.
pub(crate) struct Revision {
    pub(crate) settings: Settings,
    pub(crate) at: Timestamp,
    pub(crate) name: Option<String>,
}

/// The revision that an execution's or a version's reference names.
pub(crate) async fn read(store: &dyn Store, reference: &str) -> Result<Revision, Lost> {
    let lost = || Lost::Reference(reference.to_owned());
    let (machine, place) = parts(reference).ok_or_else(lost)?;
    let chunks = store.chunks(machine, Seq(place), Direction::Forward, 1).await?;
    let chunk = chunks.into_iter().next().ok_or_else(lost)?;
    let events: Vec<Event> = base::json::read_stored(&chunk.bytes)?;
    let within = usize::try_from(place.saturating_sub(chunk.first.0)).unwrap_or(usize::MAX);
    match events.into_iter().nth(within) {
        Some(Event::Created { at, settings, .. }) => Ok(Revision { settings, at, name: None }),
        Some(Event::Updated { at, settings, revision, .. }) => Ok(Revision { settings, at, name: Some(revision) }),
        Some(
            Event::Deleted { .. }
            | Event::Tagged { .. }
            | Event::Deleting { .. }
            | Event::Published { .. }
            | Event::VersionDeleted { .. }
            | Event::AliasCreated { .. }
            | Event::AliasUpdated { .. }
            | Event::AliasDeleted { .. },
        )
        | None => Err(lost()),
    }
}

pub(crate) fn kind(express: bool) -> MachineKind {
    if express { MachineKind::Express } else { MachineKind::Standard }
}

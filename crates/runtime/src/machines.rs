//! Use cases about state machines and their tags.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use asl::MachineKind;
use base::{Arn, Caller, Id, Json, Timestamp, limits};
use bytes::Bytes;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use store::{Direction, IndexKey, IndexRow};

pub use crate::machine::Publish;

use crate::activities::is_activity;
use crate::configuration::{
    log_destination, no_log_destination, valid_encryption, valid_role, valid_tags, valid_tracing,
};
use crate::definitions::{self, Revision, reference};
use crate::machine::{Change, Command, Executions, Registered, Settings, Version};
use crate::page::{Page, Paged};
use crate::qualified::{MachineArn, Part, alias_arn, labelled, version_arn};
use crate::refusal::{LogRefusal, Refusal};
use crate::shard::{Ask, Refused, Reply};
use crate::value::HeadStatus;
use crate::{Runtime, clock, keys, machine, token};

/// `CreateStateMachine`. Configurations are kept and shown as they came.
#[derive(Debug, Clone)]
pub struct StateMachineCreate {
    pub name: String,
    /// Verbatim text.
    pub definition: String,
    pub role_arn: String,
    pub kind: MachineKind,
    pub logging: Option<Json>,
    pub tracing: Option<Json>,
    pub encryption: Option<Json>,
    pub tags: Vec<(String, String)>,
    pub publish: Option<Publish>,
}

/// `UpdateStateMachine`: what is not given stays.
#[derive(Debug, Clone)]
pub struct StateMachineUpdate {
    pub arn: String,
    pub definition: Option<String>,
    pub role_arn: Option<String>,
    pub logging: Option<Json>,
    pub tracing: Option<Json>,
    pub encryption: Option<Json>,
    pub publish: Option<Publish>,
}

/// A state machine as it stands, or one of its versions.
#[derive(Debug, Clone)]
pub struct StateMachine {
    /// Of the version, where one is meant.
    pub arn: String,
    pub name: String,
    pub status: MachineStatus,
    pub definition: String,
    pub role_arn: String,
    pub kind: MachineKind,
    pub logging: Option<Json>,
    pub tracing: Option<Json>,
    pub encryption: Option<Json>,
    /// When the version was published, where one is meant.
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Set by the first update.
    pub revision: Option<String>,
    /// The version's.
    pub description: Option<String>,
    /// The version that the request wanted to have published.
    pub published: Option<String>,
    /// The Map in distributed mode that is meant.
    pub label: Option<String>,
    /// The Map run whose child runs it, where one is meant.
    pub map_run_arn: Option<String>,
    /// Which variables each state looks at, where somebody asked to see the definition.
    pub variable_references: asl::VariableReferences,
}

/// `DescribeStateMachine`, status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineStatus {
    Active,
    /// Its executions are being aborted.
    Deleting,
}

#[derive(Debug, Clone)]
pub struct StateMachineSummary {
    pub arn: String,
    pub name: String,
    pub kind: MachineKind,
    pub created: Timestamp,
}

/// A state machine's row in the list of state machines.
#[derive(Serialize, Deserialize)]
struct Row {
    arn: Arc<str>,
    name: Arc<str>,
    express: bool,
    created: Timestamp,
}

/// The machine's row follows the machine.
pub(crate) fn index(before: Option<&Registered>, after: Option<&Registered>, step: &mut store::Step) {
    let at = |registered: &Registered| IndexKey {
        list: keys::machines(&crate::value::caller_of(&registered.arn)),
        key: Bytes::copy_from_slice(registered.name.as_bytes()),
    };
    match (before, after) {
        (Some(gone), None) => step.index_deleted.push(at(gone)),
        (None, Some(now)) => {
            let row = Row {
                arn: now.arn.clone(),
                name: now.name.clone(),
                express: now.settings.express,
                created: now.created,
            };
            step.index_put
                .push(IndexRow { at: at(now), value: serde_json::to_vec(&row).expect("a row has a text").into() });
        }
        (Some(_), Some(_)) | (None, None) => (),
    }
}

/// What an execution begins with: one revision of a machine, and by which names it was found.
pub(crate) struct Startable {
    pub(crate) machine: Arc<Registered>,
    pub(crate) definition: Arc<str>,
    pub(crate) role_arn: Arc<str>,
    pub(crate) version_arn: Option<Arc<str>>,
    pub(crate) alias_arn: Option<Arc<str>>,
}

impl Runtime {
    /// Creates a state machine; the same request again gives the same one.
    pub async fn state_machine_create(
        &self,
        caller: &Caller,
        create: StateMachineCreate,
    ) -> Result<StateMachine, Refusal> {
        valid_name(&create.name)?;
        let arn: Arc<str> = base::arn::state_machine(caller, &create.name).into();
        valid_role(&create.role_arn)?;
        self.valid_logging(caller, create.logging.as_ref()).await?;
        create.tracing.as_ref().map(valid_tracing).transpose()?;
        create.encryption.as_ref().map(valid_encryption).transpose()?;
        let tags = valid_tags(&arn, create.tags)?;
        let compiled = compile(&create.definition, create.kind)?;
        // A version's number is the first: what was published since has other numbers.
        let published = create.publish.as_ref().map(|_| version_arn(&arn, 1));
        let settings = Settings {
            definition: create.definition.into(),
            role_arn: create.role_arn.into(),
            express: create.kind == MachineKind::Express,
            logging: create.logging,
            tracing: create.tracing,
            encryption: create.encryption,
        };
        let name = create.name.into();
        let command = Command::Create { name, arn: arn.clone(), settings, tags, publish: create.publish };
        let place = self.inner.state_machines.admit(self.store(), caller).await?;
        if place.is_none() && matches!(self.registered(&arn).await, Err(Refusal::StateMachineDoesNotExist(_))) {
            return Err(Refusal::StateMachineLimitExceeded);
        }
        let now = self.machine_ask(&arn, command).await?;
        drop(place);
        self.keep_definition(&now, compiled);
        Ok(StateMachine { published, ..shown(&now) })
    }

    pub async fn state_machine_update(
        &self,
        caller: &Caller,
        update: StateMachineUpdate,
    ) -> Result<StateMachine, Refusal> {
        let nothing = update.definition.is_none()
            && update.role_arn.is_none()
            && update.logging.is_none()
            && update.tracing.is_none()
            && update.encryption.is_none();
        let arn = machine_arn(caller, &update.arn)?;
        if nothing {
            return Err(Refusal::MissingRequiredParameter);
        }
        update.role_arn.as_deref().map(valid_role).transpose()?;
        self.valid_logging(caller, update.logging.as_ref()).await?;
        update.tracing.as_ref().map(valid_tracing).transpose()?;
        update.encryption.as_ref().map(valid_encryption).transpose()?;
        let kind = definitions::kind(self.registered(&arn).await?.settings.express);
        let compiled = update.definition.as_deref().map(|definition| compile(definition, kind)).transpose()?;
        let publishes = update.publish.is_some();
        let change = Change {
            definition: update.definition.map(Arc::from),
            role_arn: update.role_arn.map(Arc::from),
            logging: update.logging,
            tracing: update.tracing,
            encryption: update.encryption,
            revision: clock::uuid(),
            publish: update.publish,
        };
        let now = self.machine_ask(&arn, Command::Update(change)).await?;
        if let Some(compiled) = compiled {
            self.keep_definition(&now, compiled);
        }
        let published = now.version_of_now().filter(|_| publishes).map(|version| version_arn(&arn, version.number));
        Ok(StateMachine { published, ..shown(&now) })
    }

    /// A machine, one of its versions, or the machine by one of its Maps.
    pub async fn state_machine(&self, caller: &Caller, arn: &str) -> Result<StateMachine, Refusal> {
        let arn = MachineArn::parse(caller, arn)?;
        let now = self.registered_as(&arn).await?;
        let reference = |place: u64| reference(keys::machine(&now.arn), place);
        match &arn.part {
            Part::Whole => {
                let variable_references = self.variable_references(&reference(now.settings_at)).await;
                Ok(StateMachine { variable_references, ..shown(&now) })
            }
            Part::Version(number) => {
                let version = now.version(*number).ok_or_else(|| arn.missing())?;
                let reference = reference(version.settings_at);
                let revision = definitions::read(self.store(), &reference).await.map_err(Refusal::internal)?;
                let variable_references = self.variable_references(&reference).await;
                Ok(StateMachine { variable_references, ..shown_version(&now, version, revision) })
            }
            Part::Alias(_) => Err(arn.missing()),
            Part::Label(label) => {
                let reference = reference(now.settings_at);
                let compiled =
                    self.inner.world.definitions.get(self.store(), &reference).await.map_err(Refusal::internal)?;
                if !has_label(&compiled, label) {
                    return Err(arn.missing());
                }
                Ok(StateMachine {
                    arn: arn.text(),
                    label: Some(label.to_string()),
                    variable_references: compiled.variable_references().clone(),
                    ..shown(&now)
                })
            }
        }
    }

    /// The machine with the settings that an execution runs with.
    pub async fn state_machine_for_execution(&self, caller: &Caller, arn: &str) -> Result<StateMachine, Refusal> {
        let head = self.execution_head(caller, arn).await?;
        let Revision { settings, at, name } =
            definitions::read(self.store(), &head.definition).await.map_err(Refusal::internal)?;
        let machine = head.machine.rsplit(':').next().unwrap_or_default();
        let (machine, label) = match machine.split_once('/') {
            Some((machine, label)) => (machine, Some(label.to_owned())),
            None => (machine, None),
        };
        let variable_references = self.variable_references(&head.definition).await;
        let described = described(&head.machine, machine, at, settings);
        let map_run_arn = head.map_run.as_deref().map(str::to_owned);
        Ok(StateMachine { revision: name, label, map_run_arn, variable_references, ..described })
    }

    /// None where the definition is of an earlier version of ours and cannot be read any more: it can still be shown.
    async fn variable_references(&self, reference: &Arc<str>) -> asl::VariableReferences {
        let compiled = self.inner.world.definitions.get(self.store(), reference).await;
        compiled.map(|compiled| compiled.variable_references().clone()).unwrap_or_default()
    }

    /// Deletes a state machine, its versions and its aliases; one that does not exist is deleted already. What runs is
    /// aborted, and until all of it has ended the machine is there and takes nothing new.
    pub async fn state_machine_delete(&self, caller: &Caller, arn: &str) -> Result<(), Refusal> {
        let arn = MachineArn::parse(caller, arn)?;
        match &arn.part {
            Part::Whole => (),
            // No machine has such a name.
            Part::Version(_) | Part::Alias(_) => return Ok(()),
            Part::Label(_) => return Err(labelled()),
        }
        let running = self.running(&arn.machine, 1).await?;
        let executions = if running.is_empty() { Executions::None } else { Executions::Running };
        self.ask(keys::machine(&arn.machine), Ask::Machine(Command::Delete { executions })).await?;
        Ok(())
    }

    /// Aborts what runs of a machine that has been deleting since then, and lets the machine go when all has ended. Told
    /// again after a restart.
    pub(crate) async fn sweep(self, arn: Arc<str>, deleting: Timestamp) {
        const AGAIN_AFTER: Duration = Duration::from_millis(100);
        const AT_ONCE: u32 = 256;
        loop {
            match self.running(&arn, AT_ONCE).await {
                Ok(running) if running.is_empty() => {
                    let vanish = Ask::Machine(Command::Vanish { deleting });
                    if self.inner.world.ask(keys::machine(&arn), vanish).await.is_ok() {
                        return;
                    }
                }
                Ok(running) => {
                    let stop = || Ask::Execution(engine::Command::Stop { failure: engine::Failure::default() });
                    join_all(running.into_iter().map(|id| self.inner.world.ask(id, stop()))).await;
                }
                Err(refusal) => tracing::error!(machine = %arn, %refusal, "cannot read what runs of a deleted machine"),
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// What is logged is logged to a group of the caller's that is there.
    async fn valid_logging(&self, caller: &Caller, logging: Option<&Json>) -> Result<(), Refusal> {
        let Some(destination) = logging.map(log_destination).transpose()?.flatten() else { return Ok(()) };
        let own = destination.account == &*caller.account.0 && destination.region == &*caller.region.0;
        match self.log_group(caller, destination.group).await {
            Ok(_) if own => Ok(()),
            Ok(_) | Err(Refusal::Log(LogRefusal::GroupMissing)) => Err(no_log_destination()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Some of the executions that run.
    async fn running(&self, arn: &str, limit: u32) -> Result<Vec<Id>, Refusal> {
        let list = keys::executions_of(arn, HeadStatus::Running);
        let rows = self.store().index(list, None, Direction::Forward, limit).await?;
        Ok(rows.iter().filter_map(|row| keys::id_of(&row.at.key)).collect())
    }

    /// What an execution of `arn` begins with. An alias leaves it to chance.
    pub(crate) async fn startable(&self, arn: &MachineArn) -> Result<Startable, Refusal> {
        let machine = self.registered_as(arn).await?;
        if machine.deleting.is_some() {
            return Err(Refusal::StateMachineDeleting(machine.arn.to_string()));
        }
        let (version, alias_arn) = match &arn.part {
            Part::Whole => (None, None),
            Part::Version(number) => (Some(*number), None),
            Part::Alias(name) => {
                let alias = machine.alias(name).ok_or_else(|| arn.missing())?;
                (Some(alias.choose(clock::entropy())), Some(alias_arn(&machine.arn, name).into()))
            }
            Part::Label(_) => return Err(labelled()),
        };
        let (settings_at, role_arn) = match version {
            None => (machine.settings_at, machine.settings.role_arn.clone()),
            Some(number) => {
                let version = machine.version(number).ok_or_else(|| arn.missing())?;
                (version.settings_at, version.role_arn.clone())
            }
        };
        let definition = reference(keys::machine(&machine.arn), settings_at);
        let version_arn = version.map(|number| version_arn(&machine.arn, number).into());
        Ok(Startable { machine, definition, role_arn, version_arn, alias_arn })
    }

    /// Aborts what began to run of a machine that was being deleted.
    pub(crate) fn abort_of_deleted(&self, execution: Id) {
        let stop = engine::Command::Stop { failure: engine::Failure::default() };
        self.inner.world.tell(execution, Ask::Execution(stop));
    }

    /// Why nothing of this machine may run any more, if it is so: what was being started when it was deleted is not among
    /// what was aborted.
    pub(crate) async fn deleted_since(&self, started: &Registered) -> Option<Refusal> {
        match self.registered(&started.arn).await {
            Ok(now) if now.deleting.is_some() => Some(Refusal::StateMachineDeleting(now.arn.to_string())),
            Ok(now) if now.created == started.created => None,
            Ok(_) => Some(Refusal::StateMachineDoesNotExist(started.arn.to_string())),
            Err(refusal @ Refusal::StateMachineDoesNotExist(_)) => Some(refusal),
            // It cannot be read now; that is no reason to abort anything.
            Err(_) => None,
        }
    }

    /// By name, ascending.
    pub async fn state_machine_list(&self, caller: &Caller, page: Page) -> Result<Paged<StateMachineSummary>, Refusal> {
        let question = format!("machines {} {}", caller.account, caller.region);
        let now = self.inner.world.now();
        let after = page.token.map(|token| token::read(&question, &token, now)).transpose()?;
        let rows = self
            .store()
            .index(keys::machines(caller), after.map(Bytes::from), Direction::Forward, page.limit + 1)
            .await?;
        let more = rows.len() > page.limit as usize;
        let rows = &rows[..rows.len().min(page.limit as usize)];
        let next = rows.last().filter(|_| more).map(|row| token::write(&question, &row.at.key, now));
        let items = rows.iter().map(|row| {
            let row: Row = serde_json::from_slice(&row.value).map_err(Refusal::internal)?;
            Ok(StateMachineSummary {
                arn: row.arn.to_string(),
                name: row.name.to_string(),
                kind: definitions::kind(row.express),
                created: row.created,
            })
        });
        Ok(Paged { items: items.collect::<Result<_, Refusal>>()?, next })
    }

    pub async fn tags(&self, caller: &Caller, arn: &str) -> Result<Vec<(String, String)>, Refusal> {
        if is_activity(arn) {
            return self.activity_tags(caller, arn).await;
        }
        let arn = taggable_arn(caller, arn)?;
        Ok(self.registered(&arn).await.map_err(|refusal| not_found(refusal, &arn))?.tags.clone())
    }

    /// Adds tags; a key that is there gets the new value.
    pub async fn tag(&self, caller: &Caller, arn: &str, tags: Vec<(String, String)>) -> Result<(), Refusal> {
        if is_activity(arn) {
            return self.activity_tag(caller, arn, tags).await;
        }
        let arn = taggable_arn(caller, arn)?;
        let tags = valid_tags(&arn, tags)?;
        self.machine_ask(&arn, Command::Tag(tags)).await.map_err(|refusal| not_found(refusal, &arn))?;
        Ok(())
    }

    pub async fn untag(&self, caller: &Caller, arn: &str, keys: Vec<String>) -> Result<(), Refusal> {
        if is_activity(arn) {
            return self.activity_untag(caller, arn, keys).await;
        }
        let arn = taggable_arn(caller, arn)?;
        self.machine_ask(&arn, Command::Untag(keys)).await.map_err(|refusal| not_found(refusal, &arn))?;
        Ok(())
    }

    /// The machine as it is now: from memory, or asked of its shard, which remembers it from then on.
    pub(crate) async fn registered(&self, arn: &str) -> Result<Arc<Registered>, Refusal> {
        let id = keys::machine(arn);
        let known = self.inner.world.machines.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        match known {
            Some(known) => Ok(known),
            None => self.machine_ask(arn, Command::Look).await,
        }
    }

    /// The same; where there is none, what was asked for is told.
    pub(crate) async fn registered_as(&self, arn: &MachineArn) -> Result<Arc<Registered>, Refusal> {
        self.registered(&arn.machine).await.map_err(|refusal| match refusal {
            Refusal::StateMachineDoesNotExist(_) => arn.missing(),
            other => other,
        })
    }

    pub(crate) async fn machine_ask(&self, arn: &str, command: Command) -> Result<Arc<Registered>, Refusal> {
        match self.ask(keys::machine(arn), Ask::Machine(command)).await {
            Ok(Reply::Machine(Some(now))) => Ok(now),
            Ok(_) => Err(Refusal::StateMachineDoesNotExist(arn.to_owned())),
            Err(Refused::Machine(refusal)) => Err(told(arn, refusal)),
            Err(refused) => Err(refused.into()),
        }
    }

    fn keep_definition(&self, now: &Registered, compiled: Arc<asl::Machine>) {
        self.inner.world.definitions.keep(reference(keys::machine(&now.arn), now.settings_at), compiled);
    }
}

pub(crate) fn told(arn: &str, refusal: machine::Refusal) -> Refusal {
    match refusal {
        machine::Refusal::DoesNotExist => Refusal::StateMachineDoesNotExist(arn.to_owned()),
        machine::Refusal::AlreadyExists => Refusal::StateMachineAlreadyExists(arn.to_owned()),
        machine::Refusal::Deleting => Refusal::StateMachineDeleting(arn.to_owned()),
        machine::Refusal::TooManyTags => Refusal::TooManyTags(arn.to_owned()),
        machine::Refusal::TooManyVersions => Refusal::QuotaExceeded(format!(
            "The maximum number of versions of a state machine is {}. Delete versions before publishing others.",
            limits::VERSIONS_MAX
        )),
        machine::Refusal::TooManyAliases => Refusal::QuotaExceeded(format!(
            "The maximum number of aliases of a state machine is {}. Delete aliases before creating others.",
            limits::ALIASES_MAX
        )),
        machine::Refusal::OtherRevision { wanted, present } => Refusal::Conflict(format!(
            "Failed to publish the State Machine version for revision {wanted}. The current State Machine revision is {present}."
        )),
        machine::Refusal::VersionInUse(aliases) => Refusal::Conflict(format!(
            "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [{}]",
            aliases.join(", ")
        )),
        machine::Refusal::AliasDiffers => Refusal::Conflict(
            "Failed to create alias because an alias with the same name and a different routing configuration already exists."
                .to_owned(),
        ),
        machine::Refusal::NotThere => Refusal::ReferenceNotFound,
    }
}

fn compile(definition: &str, kind: MachineKind) -> Result<Arc<asl::Machine>, Refusal> {
    let parsed = asl::parse(definition, kind);
    parsed.machine.map(Arc::new).ok_or(Refusal::InvalidDefinition(parsed.diagnostics))
}

/// Whether a Map in distributed mode has this label.
fn has_label(compiled: &asl::Machine, label: &str) -> bool {
    let states = compiled.blocks.iter().flat_map(|block| block.states.values());
    states.filter_map(label_of).any(|known| known == label)
}

fn label_of(state: &asl::State) -> Option<&str> {
    match &state.body {
        asl::Body::Map(asl::Map { mode: asl::MapMode::Distributed(distributed), .. }) => distributed.label.as_deref(),
        _ => None,
    }
}

fn shown(now: &Registered) -> StateMachine {
    StateMachine {
        status: status(now),
        created: now.created,
        revision: now.revision.clone(),
        ..described(&now.arn, &now.name, now.updated, now.settings.clone())
    }
}

fn shown_version(now: &Registered, version: &Version, revision: Revision) -> StateMachine {
    StateMachine {
        status: status(now),
        created: version.created,
        revision: version.revision.clone(),
        description: version.description.clone(),
        ..described(&version_arn(&now.arn, version.number), &now.name, revision.at, revision.settings)
    }
}

/// A machine as its settings tell it; `at` is when they became what they are.
fn described(arn: &str, name: &str, at: Timestamp, settings: Settings) -> StateMachine {
    StateMachine {
        arn: arn.to_owned(),
        name: name.to_owned(),
        status: MachineStatus::Active,
        definition: settings.definition.to_string(),
        role_arn: settings.role_arn.to_string(),
        kind: definitions::kind(settings.express),
        logging: settings.logging,
        tracing: settings.tracing,
        encryption: settings.encryption,
        created: at,
        updated: at,
        revision: None,
        description: None,
        published: None,
        label: None,
        map_run_arn: None,
        variable_references: asl::VariableReferences::default(),
    }
}

fn status(now: &Registered) -> MachineStatus {
    if now.deleting.is_some() { MachineStatus::Deleting } else { MachineStatus::Active }
}

/// Checks that an ARN is a state machine's, and the caller's: another's does not exist for them. Its versions and aliases
/// are no state machines.
pub(crate) fn machine_arn(caller: &Caller, arn: &str) -> Result<Arc<str>, Refusal> {
    MachineArn::parse(caller, arn)?.whole()
}

/// Tags hang on state machines themselves; a version or an alias is not found.
fn taggable_arn(caller: &Caller, arn: &str) -> Result<Arc<str>, Refusal> {
    match states_arn(arn)?.resource_parts() {
        ("stateMachine", name) if !name.contains(':') => {
            machine_arn(caller, arn).map_err(|refusal| not_found(refusal, arn))
        }
        _ => Err(Refusal::ResourceNotFound(arn.to_owned())),
    }
}

fn not_found(refusal: Refusal, arn: &str) -> Refusal {
    match refusal {
        Refusal::StateMachineDoesNotExist(_) => Refusal::ResourceNotFound(arn.to_owned()),
        other => other,
    }
}

pub(crate) fn states_arn(arn: &str) -> Result<Arn<'_>, Refusal> {
    let parsed = Arn::parse(arn).ok_or_else(|| Refusal::InvalidArn(format!("Invalid ARN prefix: {arn}")))?;
    match parsed.service {
        "states" => Ok(parsed),
        _ => Err(Refusal::InvalidArn(format!("Invalid ARN prefix: {arn}"))),
    }
}

pub(crate) fn wrong_resource(kind: &str) -> Refusal {
    Refusal::InvalidArn(format!("Resource type not valid in this context: {kind}"))
}

pub(crate) fn owned(caller: &Caller, arn: &Arn<'_>) -> bool {
    arn.account == &*caller.account.0 && arn.region == &*caller.region.0
}

/// Names of state machines and executions (`CreateStateMachine`, name).
pub(crate) fn valid_name(name: &str) -> Result<(), Refusal> {
    let forbidden = |char: char| {
        char.is_whitespace()
            || char.is_control()
            || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(char)
            || matches!(char, '\u{fffe}' | '\u{ffff}')
    };
    let count = name.chars().count();
    if count == 0 || count > 80 || name.contains(forbidden) {
        return Err(Refusal::InvalidName(name.to_owned()));
    }
    Ok(())
}

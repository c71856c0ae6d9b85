//! Use cases about state machines and their tags.

use std::sync::{Arc, PoisonError};

use asl::MachineKind;
use base::{Arn, Caller, Json, Timestamp, limits};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Direction, IndexKey, IndexRow};

use crate::definitions::{self, reference};
use crate::machine::{Change, Command, Registered, Settings};
use crate::page::{Page, Paged};
use crate::refusal::Refusal;
use crate::shard::{Ask, Reply};
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
}

/// A state machine as it stands.
#[derive(Debug, Clone)]
pub struct StateMachine {
    pub arn: String,
    pub name: String,
    pub definition: String,
    pub role_arn: String,
    pub kind: MachineKind,
    pub logging: Option<Json>,
    pub tracing: Option<Json>,
    pub encryption: Option<Json>,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Set by the first update.
    pub revision: Option<String>,
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

impl Runtime {
    /// Creates a state machine; the same request again gives the same one.
    pub async fn state_machine_create(
        &self,
        caller: &Caller,
        create: StateMachineCreate,
    ) -> Result<StateMachine, Refusal> {
        valid_name(&create.name)?;
        if create.kind == MachineKind::Express {
            return Err(Refusal::StateMachineTypeNotSupported);
        }
        if create.tags.len() > limits::TAGS_MAX {
            return Err(Refusal::TooManyTags(base::arn::state_machine(caller, &create.name)));
        }
        let compiled = compile(&create.definition, create.kind)?;
        let arn: Arc<str> = base::arn::state_machine(caller, &create.name).into();
        let settings = Settings {
            definition: create.definition.into(),
            role_arn: create.role_arn.into(),
            express: create.kind == MachineKind::Express,
            logging: create.logging,
            tracing: create.tracing,
            encryption: create.encryption,
        };
        let command = Command::Create { name: create.name.into(), arn: arn.clone(), settings, tags: create.tags };
        let now = self.machine_ask(&arn, command).await?;
        self.keep_definition(&now, compiled);
        Ok(shown(now))
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
        let kind = definitions::kind(self.registered(&arn).await?.settings.express);
        let compiled = update.definition.as_deref().map(|definition| compile(definition, kind)).transpose()?;
        let change = Change {
            definition: update.definition.map(Arc::from),
            role_arn: update.role_arn.map(Arc::from),
            logging: update.logging,
            tracing: update.tracing,
            encryption: update.encryption,
            revision: clock::uuid(),
        };
        let now = self.machine_ask(&arn, Command::Update(change)).await?;
        if let Some(compiled) = compiled {
            self.keep_definition(&now, compiled);
        }
        Ok(shown(now))
    }

    pub async fn state_machine(&self, caller: &Caller, arn: &str) -> Result<StateMachine, Refusal> {
        let arn = machine_arn(caller, arn)?;
        Ok(shown(self.registered(&arn).await?))
    }

    /// The machine with the definition and the role that an execution runs with.
    pub async fn state_machine_for_execution(&self, caller: &Caller, arn: &str) -> Result<StateMachine, Refusal> {
        let head = self.execution_head(caller, arn).await?;
        let (definition, kind) = definitions::read(self.store(), &head.definition).await.map_err(Refusal::internal)?;
        let machine = self.registered(&head.machine).await.ok();
        let name = head.machine.rsplit(':').next().unwrap_or_default().to_owned();
        let settings = machine.as_ref().map(|machine| machine.settings.clone());
        Ok(StateMachine {
            arn: head.machine.to_string(),
            name,
            definition: definition.to_string(),
            role_arn: settings.as_ref().map(|settings| settings.role_arn.to_string()).unwrap_or_default(),
            kind,
            logging: settings.as_ref().and_then(|settings| settings.logging.clone()),
            tracing: settings.as_ref().and_then(|settings| settings.tracing.clone()),
            encryption: settings.and_then(|settings| settings.encryption),
            created: machine.as_ref().map_or(head.started, |machine| machine.created),
            updated: machine.as_ref().map_or(head.started, |machine| machine.updated),
            revision: machine.and_then(|machine| machine.revision),
        })
    }

    /// Deletes a state machine; one that does not exist is deleted already.
    pub async fn state_machine_delete(&self, caller: &Caller, arn: &str) -> Result<(), Refusal> {
        let arn = machine_arn(caller, arn)?;
        self.ask(keys::machine(&arn), Ask::Machine(Command::Delete)).await?;
        Ok(())
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
        let arn = taggable_arn(caller, arn)?;
        Ok(self.registered(&arn).await.map_err(|refusal| not_found(refusal, &arn))?.tags)
    }

    /// Adds tags; a key that is there gets the new value.
    pub async fn tag(&self, caller: &Caller, arn: &str, tags: Vec<(String, String)>) -> Result<(), Refusal> {
        let arn = taggable_arn(caller, arn)?;
        if tags.len() > limits::TAGS_MAX {
            return Err(Refusal::TooManyTags(arn.to_string()));
        }
        self.machine_ask(&arn, Command::Tag(tags)).await.map_err(|refusal| not_found(refusal, &arn))?;
        Ok(())
    }

    pub async fn untag(&self, caller: &Caller, arn: &str, keys: Vec<String>) -> Result<(), Refusal> {
        let arn = taggable_arn(caller, arn)?;
        self.machine_ask(&arn, Command::Untag(keys)).await.map_err(|refusal| not_found(refusal, &arn))?;
        Ok(())
    }

    /// The machine as it is now: from memory, or asked of its shard, which remembers it from then on.
    pub(crate) async fn registered(&self, arn: &str) -> Result<Registered, Refusal> {
        let id = keys::machine(arn);
        let known = self.inner.world.machines.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        match known {
            Some(known) => Ok(known),
            None => self.machine_ask(arn, Command::Look).await,
        }
    }

    async fn machine_ask(&self, arn: &str, command: Command) -> Result<Registered, Refusal> {
        match self.ask(keys::machine(arn), Ask::Machine(command)).await {
            Ok(Reply::Machine(Some(now))) => Ok(*now),
            Ok(_) => Err(Refusal::StateMachineDoesNotExist(arn.to_owned())),
            Err(crate::Refused::Machine(machine::Refusal::DoesNotExist)) => {
                Err(Refusal::StateMachineDoesNotExist(arn.to_owned()))
            }
            Err(crate::Refused::Machine(machine::Refusal::AlreadyExists)) => {
                Err(Refusal::StateMachineAlreadyExists(arn.to_owned()))
            }
            Err(crate::Refused::Machine(machine::Refusal::TooManyTags)) => Err(Refusal::TooManyTags(arn.to_owned())),
            Err(refused) => Err(refused.into()),
        }
    }

    fn keep_definition(&self, now: &Registered, compiled: Arc<asl::Machine>) {
        self.inner.world.definitions.keep(definition_of(now), compiled);
    }
}

/// How executions name the machine's present definition.
pub(crate) fn definition_of(now: &Registered) -> Arc<str> {
    reference(keys::machine(&now.arn), now.definition_at)
}

fn compile(definition: &str, kind: MachineKind) -> Result<Arc<asl::Machine>, Refusal> {
    let parsed = asl::parse(definition, kind);
    parsed.machine.map(Arc::new).ok_or(Refusal::InvalidDefinition(parsed.diagnostics))
}

fn shown(now: Registered) -> StateMachine {
    StateMachine {
        arn: now.arn.to_string(),
        name: now.name.to_string(),
        definition: now.settings.definition.to_string(),
        role_arn: now.settings.role_arn.to_string(),
        kind: definitions::kind(now.settings.express),
        logging: now.settings.logging,
        tracing: now.settings.tracing,
        encryption: now.settings.encryption,
        created: now.created,
        updated: now.updated,
        revision: now.revision,
    }
}

/// Checks that an ARN is a state machine's, and the caller's: another's does not exist for them.
pub(crate) fn machine_arn(caller: &Caller, arn: &str) -> Result<Arc<str>, Refusal> {
    let parsed = states_arn(arn)?;
    match parsed.resource_parts() {
        ("stateMachine", name) if !name.is_empty() => (),
        (other, _) => return Err(wrong_resource(other)),
    }
    owned(caller, &parsed).then(|| arn.into()).ok_or_else(|| Refusal::StateMachineDoesNotExist(arn.to_owned()))
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

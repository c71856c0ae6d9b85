//! Use cases about the aliases of a state machine: names that lead to one version, or to two by weight.

use std::sync::Arc;

use base::{Caller, Timestamp};

use crate::Runtime;
use crate::machine::{Alias, Command, Registered, Route};
use crate::page::{Page, Paged};
use crate::qualified::{MachineArn, Part, alias_arn, labelled, version_arn};
use crate::refusal::{Refusal, ValidationReason};

/// `CreateStateMachineAlias`. The machine is that of the versions it leads to.
#[derive(Debug, Clone)]
pub struct AliasCreate {
    pub name: String,
    pub description: Option<String>,
    pub routing: Vec<Routing>,
}

/// `UpdateStateMachineAlias`: what is not given stays.
#[derive(Debug, Clone)]
pub struct AliasUpdate {
    pub arn: String,
    pub description: Option<String>,
    pub routing: Option<Vec<Routing>>,
}

/// Of a hundred executions, so many run this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    pub version_arn: String,
    pub weight: u8,
}

/// `DescribeStateMachineAlias`.
#[derive(Debug, Clone)]
pub struct StateMachineAlias {
    pub arn: String,
    pub name: String,
    pub description: Option<String>,
    pub routing: Vec<Routing>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl Runtime {
    /// Creates an alias; the same request again gives the same one.
    pub async fn alias_create(&self, caller: &Caller, create: AliasCreate) -> Result<StateMachineAlias, Refusal> {
        let (machine, routes) = routes(caller, &create.routing)?;
        let name: Arc<str> = create.name.into();
        let command = Command::CreateAlias { name: name.clone(), description: create.description, routes };
        let now = self.machine_ask(&machine, command).await.map_err(not_found)?;
        shown(&now, &name)
    }

    pub async fn alias_update(&self, caller: &Caller, update: AliasUpdate) -> Result<StateMachineAlias, Refusal> {
        let (machine, name) = parse(caller, &update.arn)?;
        if update.description.is_none() && update.routing.is_none() {
            return Err(Refusal::ValidationFor {
                reason: ValidationReason::MissingParameter,
                why: "Either the description or the routing configuration must be specified".to_owned(),
            });
        }
        let routes = match update.routing {
            None => None,
            Some(routing) => {
                let (led_to, routes) = routes(caller, &routing)?;
                if led_to != machine {
                    return Err(refused_routing("must contain versions of the alias's state machine", &arns(&routing)));
                }
                Some(routes)
            }
        };
        let command = Command::UpdateAlias { name: name.clone(), description: update.description, routes };
        let now = self.machine_ask(&machine, command).await.map_err(not_found)?;
        shown(&now, &name)
    }

    pub async fn alias(&self, caller: &Caller, arn: &str) -> Result<StateMachineAlias, Refusal> {
        let (machine, name) = parse(caller, arn)?;
        shown(&*self.registered(&machine).await.map_err(not_found)?, &name)
    }

    /// Deletes an alias; one that does not exist is deleted already.
    pub async fn alias_delete(&self, caller: &Caller, arn: &str) -> Result<(), Refusal> {
        let (machine, name) = parse(caller, arn)?;
        match self.machine_ask(&machine, Command::DeleteAlias(name)).await {
            Ok(_) | Err(Refusal::StateMachineDoesNotExist(_)) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Oldest first: all of a machine, or those that lead to one of its versions.
    pub async fn alias_list(
        &self,
        caller: &Caller,
        arn: &str,
        page: Page,
    ) -> Result<Paged<StateMachineAlias>, Refusal> {
        let arn = MachineArn::parse(caller, arn)?;
        let now = self.registered_as(&arn).await?;
        if now.deleting.is_some() {
            return Err(Refusal::StateMachineDeleting(now.arn.to_string()));
        }
        let version = match &arn.part {
            Part::Whole => None,
            Part::Version(number) => Some(now.version(*number).ok_or(Refusal::ReferenceNotFound)?.number),
            Part::Alias(_) => return Err(arn.missing()),
            Part::Label(_) => return Err(labelled()),
        };
        let aliases = now.aliases.iter().filter(|alias| version.is_none_or(|version| alias.leads_to(version)));
        let page = self.paged(&format!("aliases {}", arn.text()), aliases, |alias| alias.created_at, page)?;
        Ok(page.map(|alias| described(&now.arn, alias)))
    }
}

/// The machine that all of the routing leads to, and how (`CreateStateMachineAlias`, routingConfiguration).
fn routes(caller: &Caller, routing: &[Routing]) -> Result<(Arc<str>, Vec<Route>), Refusal> {
    let received = arns(routing);
    let mut versions = vec![];
    for arn in &received {
        match MachineArn::parse(caller, arn).map_err(not_found)? {
            MachineArn { machine, part: Part::Version(number) } => versions.push((machine, number)),
            MachineArn { part: Part::Whole | Part::Alias(_) | Part::Label(_), .. } => {
                return Err(refused_routing("must contain state machine version ARNs", &received));
            }
        }
    }
    let Some((machine, _)) = versions.first().cloned() else {
        return Err(refused_routing("must contain state machine version ARNs", &received));
    };
    let distinct = versions.iter().enumerate().all(|(at, version)| !versions[..at].contains(version));
    if !distinct {
        return Err(refused_routing("must contain distinct state machine version ARNs", &received));
    }
    if versions.iter().any(|(other, _)| *other != machine) {
        return Err(refused_routing("must contain versions of one state machine", &received));
    }
    let weights: Vec<u8> = routing.iter().map(|route| route.weight).collect();
    if weights.iter().map(|weight| u32::from(*weight)).sum::<u32>() != 100 {
        let weights: Vec<String> = weights.iter().map(u8::to_string).collect();
        let why = format!("Sum of routing configuration weights must equal 100. Received: [{}]", weights.join(", "));
        return Err(Refusal::ValidationFor { reason: ValidationReason::Routing, why });
    }
    let routes = versions.into_iter().zip(weights).map(|((_, version), weight)| Route { version, weight });
    Ok((machine, routes.collect()))
}

fn arns(routing: &[Routing]) -> Vec<&str> {
    routing.iter().map(|route| &*route.version_arn).collect()
}

fn refused_routing(why: &str, received: &[&str]) -> Refusal {
    Refusal::ValidationFor {
        reason: ValidationReason::Routing,
        why: format!("Routing configuration {why}. Received: [{}]", received.join(", ")),
    }
}

/// The machine and the name that an alias's ARN names.
fn parse(caller: &Caller, text: &str) -> Result<(Arc<str>, Arc<str>), Refusal> {
    let arn = MachineArn::parse(caller, text).map_err(not_found)?;
    match arn.part {
        Part::Alias(name) => Ok((arn.machine, name)),
        // A number is never an alias's name.
        Part::Version(_) => Err(Refusal::ReferenceNotFound),
        Part::Whole => Err(Refusal::InvalidArn(format!("Not a state machine alias ARN: {text}"))),
        Part::Label(_) => Err(labelled()),
    }
}

/// A machine that is not there has no versions to lead to, and no aliases.
fn not_found(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::StateMachineDoesNotExist(_) => Refusal::ReferenceNotFound,
        other => other,
    }
}

fn shown(now: &Registered, name: &str) -> Result<StateMachineAlias, Refusal> {
    now.alias(name).map(|alias| described(&now.arn, alias)).ok_or(Refusal::ReferenceNotFound)
}

fn described(machine: &str, alias: &Alias) -> StateMachineAlias {
    let routing = alias
        .routes
        .iter()
        .map(|route| Routing { version_arn: version_arn(machine, route.version), weight: route.weight });
    StateMachineAlias {
        arn: alias_arn(machine, &alias.name),
        name: alias.name.to_string(),
        description: alias.description.clone(),
        routing: routing.collect(),
        created: alias.created,
        updated: alias.updated,
    }
}

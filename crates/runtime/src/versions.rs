//! Use cases about the versions of a state machine.

use base::{Caller, Timestamp};

use crate::machine::{Command, Publish, Version};
use crate::machines::machine_arn;
use crate::page::{Page, Paged};
use crate::qualified::{MachineArn, Part, labelled, version_arn};
use crate::refusal::Refusal;
use crate::shard::{Ask, Refused};
use crate::{Runtime, keys, token};

/// `PublishStateMachineVersion`.
#[derive(Debug, Clone)]
pub struct VersionPublish {
    pub machine_arn: String,
    /// Only if this is the present revision.
    pub revision: Option<String>,
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSummary {
    pub arn: String,
    pub created: Timestamp,
}

impl Runtime {
    /// Gives the present revision a number; one that has a number keeps it.
    pub async fn version_publish(&self, caller: &Caller, publish: VersionPublish) -> Result<VersionSummary, Refusal> {
        let arn = machine_arn(caller, &publish.machine_arn)?;
        let description = publish.description;
        let command = Command::Publish { revision: publish.revision, publish: Publish { description } };
        let now = self.machine_ask(&arn, command).await?;
        let published = now.version_of_now().ok_or(Refusal::Unknown)?;
        Ok(summary(&arn, published))
    }

    /// Newest first. A machine that does not exist has none (`ListStateMachineVersions`, Errors).
    pub async fn version_list(&self, caller: &Caller, arn: &str, page: Page) -> Result<Paged<VersionSummary>, Refusal> {
        let arn = MachineArn::parse(caller, arn)?;
        let now = match (&arn.part, self.registered(&arn.machine).await) {
            (Part::Whole, Ok(now)) => Some(now),
            (Part::Label(_), _) => return Err(labelled()),
            (_, Ok(_) | Err(Refusal::StateMachineDoesNotExist(_))) => None,
            (_, Err(refusal)) => return Err(refusal),
        };
        let versions = now.iter().flat_map(|now| now.versions.iter().rev());
        let page =
            self.paged(&format!("versions {}", arn.text()), versions, |version| u64::MAX - version.number, page)?;
        Ok(page.map(|version| summary(&arn.machine, version)))
    }

    /// Deletes a version that no alias leads to; one that does not exist is deleted already.
    pub async fn version_delete(&self, caller: &Caller, arn: &str) -> Result<(), Refusal> {
        let arn = MachineArn::parse(caller, arn)?;
        let Part::Version(number) = arn.part else {
            return Err(Refusal::InvalidArn(format!("Not a state machine version ARN: {}", arn.text())));
        };
        match self.ask(keys::machine(&arn.machine), Ask::Machine(Command::DeleteVersion(number))).await {
            Ok(_) => Ok(()),
            Err(Refused::Machine(refusal)) => Err(crate::machines::told(&arn.machine, refusal)),
            Err(refused) => Err(refused.into()),
        }
    }

    /// One page of what is in memory as a whole, in ascending order of `place`, which tells one item from all others.
    pub(crate) fn paged<T>(
        &self,
        question: &str,
        all: impl Iterator<Item = T>,
        place: impl Fn(&T) -> u64,
        page: Page,
    ) -> Result<Paged<T>, Refusal> {
        let now = self.inner.world.now();
        let after = match page.token {
            None => None,
            Some(token) => {
                let place = token::read(question, &token, now)?;
                Some(u64::from_be_bytes(place.try_into().map_err(|_| Refusal::InvalidToken)?))
            }
        };
        let mut rest = all.skip_while(|item| after.is_some_and(|after| place(item) <= after)).peekable();
        let items: Vec<T> = rest.by_ref().take(page.limit as usize).collect();
        let more = rest.peek().is_some();
        let next = items.last().filter(|_| more).map(|last| token::write(question, &place(last).to_be_bytes(), now));
        Ok(Paged { items, next })
    }
}

fn summary(machine: &str, version: &Version) -> VersionSummary {
    VersionSummary { arn: version_arn(machine, version.number), created: version.created }
}

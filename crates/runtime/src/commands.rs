//! Use cases of Run Command: scripts on managed instances.

use std::collections::{BTreeMap, BTreeSet};

use base::{Caller, Timestamp};
use bytes::Bytes;
use store::{Direction, IndexKey, IndexRow, Timer};

use crate::directories::Changing;
use crate::page::{Page, Paged};
use crate::refusal::{CommandRefusal, Refusal};
use crate::shard::{Ask, Refused, Reply};
use crate::value::RunHead;
use crate::{Runtime, clock, keys, token};

/// `SendCommand`.
#[derive(Debug, Clone, Default)]
pub struct CommandSend {
    /// Made up when not given. A task gives one made from its attempt, so that sending twice is sending once.
    pub command_id: Option<String>,
    pub document_name: String,
    pub document_version: Option<String>,
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Named directly or by `Targets` with the key `InstanceIds`.
    pub instance_ids: Vec<String>,
    /// Other ways to name instances.
    pub targets: Vec<fleet::Target>,
    /// How long until it must have been delivered.
    pub timeout_seconds: Option<u64>,
    pub comment: Option<String>,
    pub max_concurrency: Option<String>,
    pub max_errors: Option<String>,
    /// What the document's text has to come to.
    pub document_hash: Option<DocumentHash>,
    /// Where outputs go besides our own keeping.
    pub destinations: fleet::Destinations,
    /// Whom to tell of what becomes of it, and as whom.
    pub notification: Option<fleet::Notification>,
    pub service_role: Option<String>,
    /// Who is told when all invocations have ended.
    pub waiter: Option<fleet::Waiter>,
}

/// `DocumentHash`, of its `DocumentHashType`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentHash {
    Sha256(String),
    Sha1(String),
}

impl DocumentHash {
    /// Whether `text` comes to it.
    pub fn is_of(&self, text: &str) -> bool {
        match self {
            DocumentHash::Sha256(hash) => document::sha256(text).eq_ignore_ascii_case(hash),
            DocumentHash::Sha1(hash) => document::sha1(text).eq_ignore_ascii_case(hash),
        }
    }
}

/// Which commands or invocations are wanted; newest first.
#[derive(Debug, Clone, Default)]
pub struct CommandFilter {
    pub command_id: Option<String>,
    pub instance_id: Option<String>,
    pub invoked_after: Option<Timestamp>,
    pub invoked_before: Option<Timestamp>,
    pub status: Option<StatusWanted>,
    pub document_name: Option<String>,
}

/// A `Status` or `StatusDetails` as AWS writes it, of commands or of their invocations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusWanted {
    OfCommand(String),
    OfInvocation(String),
}

impl StatusWanted {
    pub fn has(&self, run: &fleet::Run) -> bool {
        match self {
            StatusWanted::OfCommand(status) => [run.status().status(), run.status().details()].contains(&&**status),
            StatusWanted::OfInvocation(_) => run.invocations().iter().any(|invocation| self.has_invocation(invocation)),
        }
    }

    /// Whether a run with this head may have it.
    fn may_be(&self, head: &RunHead) -> bool {
        let Some(status) = head.status else { return true };
        match self {
            StatusWanted::OfCommand(wanted) => [status.status(), status.details()].contains(&&**wanted),
            StatusWanted::OfInvocation(wanted) => {
                head.invocations.iter().any(|status| [status.status(), status.details()].contains(&&**wanted))
            }
        }
    }

    /// Whether it is this invocation's; that of commands is every invocation's.
    pub fn has_invocation(&self, invocation: &fleet::Invocation) -> bool {
        match self {
            StatusWanted::OfCommand(_) => true,
            StatusWanted::OfInvocation(wanted) => {
                let status = invocation.status();
                [status.status(), status.details()].contains(&&**wanted)
            }
        }
    }
}

/// Timers that a run's effects set and clear, as rows.
pub(crate) fn alarms(effects: &[fleet::Effect], step: &mut store::Step) {
    for effect in effects {
        match effect {
            fleet::Effect::SetTimer { timer, due } => step.timers_set.push(Timer { due: *due, timer: *timer }),
            fleet::Effect::ClearTimer { timer, due } => step.timers_cleared.push(Timer { due: *due, timer: *timer }),
            fleet::Effect::Offer { .. }
            | fleet::Effect::Go { .. }
            | fleet::Effect::Cancel { .. }
            | fleet::Effect::Acknowledge { .. }
            | fleet::Effect::Notify { .. }
            | fleet::Effect::AcquireSlot { .. }
            | fleet::Effect::ReleaseSlot { .. }
            | fleet::Effect::Announce { .. }
            | fleet::Effect::DeliverOutput { .. } => (),
        }
    }
}

/// Puts a run into the lists of the account and of each instance that it comes to. The rows only name it: its state is
/// read from itself.
pub(crate) fn index(caller: &Caller, key: &Bytes, events: &[fleet::Event], step: &mut store::Step) {
    for event in events {
        let lists: Vec<Bytes> = match event {
            fleet::Event::Sent { .. } => {
                let of = event.instances().into_iter().map(|instance| keys::runs_of(caller, &instance.0));
                std::iter::once(keys::runs(caller)).chain(of).collect()
            }
            fleet::Event::Withdrawn { next, .. } => vec![keys::runs_of(caller, &next.0)],
            _ => continue,
        };
        let row = |list: Bytes| IndexRow { at: IndexKey { list, key: key.clone() }, value: Bytes::new() };
        step.index_put.extend(lists.into_iter().map(row));
    }
}

/// How a command stands on an instance: none when it is there no more.
pub(crate) type AtWork = (fleet::InstanceId, Option<fleet::InvocationStatus>);

/// Where a step has changed what is under way.
pub(crate) fn at_work(run: &fleet::Run, events: &[fleet::Event]) -> Vec<AtWork> {
    let touched: BTreeSet<&fleet::InstanceId> = events.iter().flat_map(fleet::Event::instances).collect();
    let standing = |instance: &fleet::InstanceId| {
        let status = run.invocation(instance).map(fleet::Invocation::status);
        (instance.clone(), status.filter(|status| !status.is_terminal()))
    };
    touched.into_iter().map(standing).collect()
}

/// Where it is under way.
pub(crate) fn all_at_work(run: &fleet::Run) -> Vec<AtWork> {
    let open = run.invocations().iter().filter(|invocation| !invocation.status().is_terminal());
    open.map(|invocation| (invocation.instance.clone(), Some(invocation.status()))).collect()
}

impl Runtime {
    /// Sends a command. The same `command_id` again gives the same command.
    pub async fn command_send(&self, caller: &Caller, send: CommandSend) -> Result<fleet::Run, Refusal> {
        // Before anything is looked at that may have changed since: what was sent must not be called refused.
        if let Some(command_id) = &send.command_id {
            match self.command(caller, command_id).await {
                Err(Refusal::Command(CommandRefusal::InvalidCommandId(_))) => (),
                sent => return sent,
            }
        }
        let (name, version) = (&send.document_name, send.document_version.as_deref());
        let planned = self.document_plan(caller, name, version, &send.parameters).await?;
        check_hash(&send, &planned.found.text)?;
        self.check_notification(&send)?;
        self.check_output(&send.destinations)?;
        match (&*send.instance_ids, &*send.targets) {
            ([], []) => return Err(Refusal::Validation(NO_TARGETS.to_owned())),
            ([_, ..], [_, ..]) => return Err(Refusal::Validation(BOTH_TARGETS.to_owned())),
            ([_, ..], []) | ([], [_, ..]) => (),
        }
        let places = self.command_places(caller, &send.instance_ids, &send.targets, &planned).await?;
        let command_id = send.command_id.unwrap_or_else(clock::uuid);
        let named = send.instance_ids.iter().map(|instance_id| fleet::InstanceId::from(&**instance_id)).collect();
        let mut sending = fleet::Send::new(fleet::CommandId::from(&*command_id), named, planned.plan);
        sending.places = places;
        sending.document_name = send.document_name;
        sending.document_version = send.document_version.unwrap_or(sending.document_version);
        sending.parameters = send.parameters;
        sending.comment = send.comment.unwrap_or_default();
        if let Some(seconds) = send.timeout_seconds {
            sending.timeout_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        }
        sending.max_concurrency =
            rate(send.max_concurrency.as_deref(), fleet::Rate::parse_concurrency, sending.max_concurrency)?;
        sending.max_errors = rate(send.max_errors.as_deref(), fleet::Rate::parse_errors, sending.max_errors)?;
        sending.targets = send.targets;
        sending.destinations = send.destinations;
        sending.notification = send.notification;
        sending.service_role = send.service_role.unwrap_or_default();
        sending.waiter = send.waiter;
        let ask = Ask::Send { caller: caller.clone(), send: Box::new(sending) };
        match self.ask(keys::run(caller, &command_id), ask).await {
            Ok(Reply::Run(run)) => Ok(*run),
            Ok(_) => Err(Refusal::Unknown),
            Err(refused) => Err(refused.into()),
        }
    }

    /// A bucket that is nowhere is refused. Whether an endpoint has one shows when the output is brought there.
    fn check_output(&self, destinations: &fleet::Destinations) -> Result<(), CommandRefusal> {
        let bucket = &destinations.bucket;
        match bucket.is_empty() || self.inner.world.buckets.has(bucket) {
            true => Ok(()),
            false => Err(CommandRefusal::InvalidOutputFolder(format!(
                "The S3 bucket {bucket} doesn't exist: no folder of that name and no S3 endpoint is in the configuration."
            ))),
        }
    }

    /// Notifications need somebody who publishes them, a topic, and a role to do it as (`SendCommand`, Errors).
    fn check_notification(&self, send: &CommandSend) -> Result<(), CommandRefusal> {
        let Some(notification) = &send.notification else { return Ok(()) };
        if !is_topic(&notification.arn) {
            return Err(CommandRefusal::InvalidNotificationConfig(
                "One or more configuration items isn't valid. Verify that a valid Amazon Resource Name (ARN) was provided \
                 for an Amazon SNS topic.",
            ));
        }
        if !send.service_role.as_deref().is_some_and(is_role) {
            return Err(CommandRefusal::InvalidRole);
        }
        match self.inner.world.announcer {
            Some(_) => Ok(()),
            None => Err(CommandRefusal::InvalidNotificationConfig(
                "This server has no Amazon SNS to publish notifications to. Name one in the section [sns] of its \
                 configuration.",
            )),
        }
    }

    pub async fn command_cancel(
        &self,
        caller: &Caller,
        command_id: &str,
        instance_ids: Vec<String>,
    ) -> Result<(), Refusal> {
        let instances = instance_ids.iter().map(|id| fleet::InstanceId::from(&**id)).collect();
        match self.ask(keys::run(caller, command_id), Ask::Run(fleet::Command::Cancel { instances })).await {
            Ok(_) => Ok(()),
            Err(Refused::Missing) => Err(CommandRefusal::InvalidCommandId(command_id.to_owned()).into()),
            Err(refused) => Err(refused.into()),
        }
    }

    /// The same for an operator, who may only try it, and says why: that stands in the server's log.
    pub async fn command_cancel_by(
        &self,
        caller: &Caller,
        command_id: &str,
        instance_ids: Vec<String>,
        how: Changing,
    ) -> Result<fleet::Run, Refusal> {
        how.check()?;
        let run = self.command(caller, command_id).await?;
        let is_known = |id: &&String| run.invocation(&fleet::InstanceId::from(&***id)).is_some();
        let strangers: Vec<_> = instance_ids.iter().filter(|id| !is_known(id)).cloned().collect();
        if !strangers.is_empty() {
            return Err(CommandRefusal::InvalidInstanceId(strangers).into());
        }
        if how.dry_run {
            return Ok(run);
        }
        self.command_cancel(caller, command_id, instance_ids).await?;
        tracing::info!(command = command_id, account = %caller.account, reason = how.reason, "command cancelled");
        self.command(caller, command_id).await
    }

    pub async fn command(&self, caller: &Caller, command_id: &str) -> Result<fleet::Run, Refusal> {
        match self.ask(keys::run(caller, command_id), Ask::LookAtRun).await {
            Ok(Reply::Run(run)) => Ok(*run),
            Ok(_) | Err(Refused::Missing) => Err(CommandRefusal::InvalidCommandId(command_id.to_owned()).into()),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Commands that match, newest first; a face shows commands or their invocations from them.
    pub async fn command_list(
        &self,
        caller: &Caller,
        filter: CommandFilter,
        page: Page,
    ) -> Result<Paged<fleet::Run>, Refusal> {
        if let Some(command_id) = &filter.command_id {
            let run = self.command(caller, command_id).await?;
            let items = if matches(&filter, &run) { vec![run] } else { vec![] };
            return Ok(Paged { items, next: None });
        }
        let question = format!("commands {} {} {filter:?}", caller.account, caller.region);
        let now = self.inner.world.now();
        let invalid = |_| Refusal::Command(CommandRefusal::InvalidNextToken);
        let mut after =
            page.token.map(|token| token::read(&question, &token, now)).transpose().map_err(invalid)?.map(Bytes::from);
        let list = match &filter.instance_id {
            Some(instance_id) => keys::runs_of(caller, instance_id),
            None => keys::runs(caller),
        };
        let mut items = vec![];
        loop {
            let rows = self.store().index(list.clone(), after.clone(), Direction::Forward, page.limit + 1).await?;
            let Some(last) = rows.last() else { return Ok(Paged { items, next: None }) };
            let end = last.at.key.clone();
            for row in rows {
                if items.len() == page.limit as usize {
                    let next = after.as_ref().map(|key| token::write(&question, key, now));
                    return Ok(Paged { items, next });
                }
                after = Some(row.at.key.clone());
                let Some(id) = keys::id_of(&row.at.key) else { continue };
                if !self.may_match(id, &filter).await? {
                    continue;
                }
                if let Ok(Reply::Run(run)) = self.ask(id, Ask::LookAtRun).await
                    && matches(&filter, &run)
                {
                    items.push(*run);
                }
            }
            after = Some(end);
        }
    }

    /// Looks at what is kept beside a run first: reading a large one to see that it is not wanted would cost too much.
    async fn may_match(&self, id: base::Id, filter: &CommandFilter) -> Result<bool, Refusal> {
        let Some(status) = &filter.status else { return Ok(true) };
        let Some(head) = self.store().head(id).await? else { return Ok(false) };
        let head: RunHead = serde_json::from_slice(&head.header).map_err(Refusal::internal)?;
        Ok(status.may_be(&head))
    }
}

fn matches(filter: &CommandFilter, run: &fleet::Run) -> bool {
    let Some((send, at)) = run.sent() else { return false };
    filter.invoked_after.is_none_or(|after| at > after)
        && filter.invoked_before.is_none_or(|before| at < before)
        && filter.status.as_ref().is_none_or(|status| status.has(run))
        && filter.document_name.as_deref().is_none_or(|name| send.document_name == name)
        && filter.instance_id.as_deref().is_none_or(|id| run.invocation(&fleet::InstanceId::from(id)).is_some())
}

const NO_TARGETS: &str = "You must specify either InstanceIds or Targets.";
const BOTH_TARGETS: &str = "You can specify InstanceIds or Targets, but not both.";

fn check_hash(send: &CommandSend, text: &str) -> Result<(), CommandRefusal> {
    match &send.document_hash {
        Some(hash) if !hash.is_of(text) => Err(CommandRefusal::DocumentHashMismatch(send.document_name.clone())),
        Some(_) | None => Ok(()),
    }
}

/// A standard topic: those whose names end with `.fifo` are not for Run Command (User Guide, "Monitoring Systems Manager
/// status changes using Amazon SNS notifications").
fn is_topic(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    match &*parts {
        ["arn", partition, "sns", region, account, name] => {
            let named = |text: &str| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            };
            partition.starts_with("aws")
                && named(region)
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && named(name)
        }
        _ => false,
    }
}

/// `arn:aws:iam::111111111111:role/name`
fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match &*parts {
        ["arn", partition, "iam", "", account, role] => {
            partition.starts_with("aws")
                && account.len() == 12
                && role.strip_prefix("role/").is_some_and(|name| !name.is_empty())
        }
        _ => false,
    }
}

fn rate(
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<fleet::Rate>,
    default: fleet::Rate,
) -> Result<fleet::Rate, Refusal> {
    match text {
        None => Ok(default),
        Some(text) => {
            parse(text).ok_or_else(|| Refusal::Validation(format!("'{text}' is neither a number nor a percentage")))
        }
    }
}

impl From<fleet::Refusal> for Refusal {
    fn from(refusal: fleet::Refusal) -> Refusal {
        match refusal {
            fleet::Refusal::DuplicateInstanceId(_) => CommandRefusal::DuplicateInstanceId.into(),
            fleet::Refusal::InvalidInstanceId(id) => CommandRefusal::InvalidInstanceId(vec![id.to_string()]).into(),
            other => Refusal::Validation(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_roles_have_arns() {
        for (arn, expected) in [
            ("arn:aws:sns:us-east-1:111111111111:night", true),
            ("arn:aws-cn:sns:cn-north-1:111111111111:n_1", true),
            ("arn:aws:sns:us-east-1:111111111111:night.fifo", false),
            ("arn:aws:sqs:us-east-1:111111111111:night", false),
            ("arn:aws:sns:us-east-1:1:night", false),
            ("night", false),
            ("", false),
        ] {
            assert_eq!(is_topic(arn), expected, "{arn}");
        }
        assert!(is_role("arn:aws:iam::111111111111:role/service-role/a:b"));
        assert!(
            !is_role("arn:aws:iam::111111111111:user/a")
                && !is_role("admin")
                && !is_role("arn:aws:iam::111111111111:role/")
        );
    }

    #[test]
    fn a_hash_is_of_one_text() {
        let hash = |text: &str| DocumentHash::Sha256(document::sha256(text));
        assert!(hash("a").is_of("a") && !hash("a").is_of("b"));
        assert!(DocumentHash::Sha1(document::sha1("a").to_uppercase()).is_of("a"));
    }
}

//! What is asked of a run, what happened to it, and what it asks of the world.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ::document::{Plan, Script, Verdict};
use base::{Id, Timestamp};
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::rate::Rate;
use crate::run::Alarm;
use crate::status::CommandStatus;

/// A command's identity: a UUID, which AWS calls `CommandId`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub Arc<str>);

/// An agent's host, as in `mi-0123456789abcdef0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub Arc<str>);

/// One try to run a command on one instance: `COMMAND.INSTANCE.NUMBER`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub Arc<str>);

impl AttemptId {
    pub fn new(command: &CommandId, instance: &InstanceId, number: u32) -> AttemptId {
        AttemptId(format!("{command}.{instance}.{number}").into())
    }

    /// The command and the instance that this attempt belongs to, if it is one of ours.
    pub fn parts(&self) -> Option<(CommandId, InstanceId)> {
        let (command, rest) = self.0.split_once('.')?;
        let (instance, _number) = rest.rsplit_once('.')?;
        Some((CommandId::from(command), InstanceId::from(instance)))
    }

    /// Which try it is, from 1; 0 when it is none of ours.
    pub fn number(&self) -> u32 {
        self.0.rsplit_once('.').and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
    }

    /// Another try of the same invocation, if this is one of ours.
    pub fn with_number(&self, number: u32) -> Option<AttemptId> {
        let (command, instance) = self.parts()?;
        Some(AttemptId::new(&command, &instance, number))
    }
}

macro_rules! text_id {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                $name(text.into())
            }
        }
    )*};
}
text_id!(CommandId, InstanceId, AttemptId);

/// The task that waits for a run's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    #[serde(with = "id_text")]
    pub execution: Id,
    pub task: u64,
}

/// Something asked of a run. May be refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Makes the run. Boxed because it is large and rare.
    Send(Box<Send>),
    AgentAccepted {
        attempt: AttemptId,
    },
    AgentStarted {
        attempt: AttemptId,
    },
    AgentFinished {
        attempt: AttemptId,
        outcome: Outcome,
    },
    /// What an agent that came back knows of an attempt. Asked of the attempt that [`Run::attempt_at`] names,
    /// before the agent is sent [`Run::outstanding_for`] it.
    ///
    /// [`Run::attempt_at`]: crate::Run::attempt_at
    /// [`Run::outstanding_for`]: crate::Run::outstanding_for
    AgentReported {
        attempt: AttemptId,
        state: AttemptState,
    },
    /// The agent has been unheard of for [`limits::LOST_AFTER_SECONDS`].
    AgentLost {
        instance: InstanceId,
    },
    /// The instance is one no longer: nobody will take what it has not begun.
    Deregistered {
        instance: InstanceId,
    },
    /// The offer cannot be made, and never will be.
    Hindered {
        attempt: AttemptId,
        failure: Failure,
    },
    Fire {
        timer: u64,
    },
    /// Ends what has not ended: on these instances, or on all when none is named.
    Cancel {
        instances: Vec<InstanceId>,
    },
    Notified {
        waiter: Waiter,
    },
    /// The place has a slot of its group.
    SlotGranted {
        place: u32,
    },
    /// The slot that the place had, or waited for, is given back.
    SlotReleased {
        place: u32,
    },
    /// Whoever [`Send::notification`] names has been told, or cannot be told.
    Announced {
        number: u64,
    },
    /// The output of an invocation is where [`Destinations`] want it, or cannot be brought there.
    OutputDelivered {
        instance: InstanceId,
        problem: Option<String>,
    },
}

/// A SendCommand. [`Send::new`] fills in AWS's defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredSend")]
pub struct Send {
    pub command: CommandId,
    /// Named one by one. Shown; what counts is [`Send::places`].
    pub instances: Vec<InstanceId>,
    /// As they were asked for. Shown, and otherwise without meaning here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// Where it runs: one invocation each.
    pub places: Vec<Place>,
    pub plan: Arc<Plan>,
    /// As it was asked for; shown, and otherwise without meaning here.
    pub document_name: String,
    pub document_version: String,
    pub parameters: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub comment: String,
    pub timeout_seconds: u32,
    pub max_concurrency: Rate,
    pub max_errors: Rate,
    #[serde(default)]
    pub waiter: Option<Waiter>,
    #[serde(default)]
    pub destinations: Destinations,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<Notification>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service_role: String,
    /// More instances were targeted than one command may have: it went to none of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rate_exceeded: bool,
}

/// `Targets`: a key and its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub key: String,
    pub values: Vec<String>,
}

/// Where one invocation runs: on its first candidate, and on the next ones while none before has begun it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// At least one.
    pub candidates: Vec<InstanceId>,
    /// The agent group that it was chosen from, or whose limit counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    /// The group lets only so many run at a time: a slot of it is needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
    /// The document is for no platform of this place: it ends there without being sent (`InvalidPlatform`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfit: bool,
}

impl Place {
    pub fn on(instance: InstanceId) -> Place {
        Place { candidates: vec![instance], group: None, limited: false, unfit: false }
    }
}

/// Where outputs go besides our own keeping.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Destinations {
    /// `OutputS3BucketName`; none when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bucket: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key_prefix: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// `CloudWatchLogGroupName`, where it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
}

impl Destinations {
    /// Whether outputs go nowhere else.
    pub fn is_empty(&self) -> bool {
        self.bucket.is_empty() && self.log_group.is_none()
    }
}

/// A status that somebody wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Grows by one with each of a run.
    pub number: u64,
    pub at: Timestamp,
    /// Whose status it is; the command's when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// In AWS's words.
    pub status: String,
    pub details: String,
}

/// `NotificationConfig`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    pub arn: String,
    pub events: Vec<NotificationEvent>,
    pub per: Per,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotificationEvent {
    All,
    InProgress,
    Success,
    TimedOut,
    Cancelled,
    Failed,
}

/// `NotificationType`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Per {
    Command,
    Invocation,
}

/// A [`Send`] as any version has stored it.
#[derive(Deserialize)]
struct StoredSend {
    command: CommandId,
    instances: Vec<InstanceId>,
    #[serde(default)]
    targets: Vec<Target>,
    places: Option<Vec<Place>>,
    plan: Option<Arc<Plan>>,
    /// Before there were plans.
    script: Option<Script>,
    document_name: String,
    document_version: String,
    parameters: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    comment: String,
    timeout_seconds: u32,
    max_concurrency: Rate,
    max_errors: Rate,
    #[serde(default)]
    waiter: Option<Waiter>,
    #[serde(default)]
    destinations: Destinations,
    #[serde(default)]
    notification: Option<Notification>,
    #[serde(default)]
    service_role: String,
    #[serde(default)]
    rate_exceeded: bool,
}

impl From<StoredSend> for Send {
    fn from(stored: StoredSend) -> Send {
        let plan = stored.plan.unwrap_or_else(|| Arc::new(stored.script.map(Plan::shell).unwrap_or_default()));
        Send {
            places: stored.places.unwrap_or_else(|| stored.instances.iter().cloned().map(Place::on).collect()),
            command: stored.command,
            instances: stored.instances,
            targets: stored.targets,
            plan,
            document_name: stored.document_name,
            document_version: stored.document_version,
            parameters: stored.parameters,
            comment: stored.comment,
            timeout_seconds: stored.timeout_seconds,
            max_concurrency: stored.max_concurrency,
            max_errors: stored.max_errors,
            waiter: stored.waiter,
            destinations: stored.destinations,
            notification: stored.notification,
            service_role: stored.service_role,
            rate_exceeded: stored.rate_exceeded,
        }
    }
}

impl Send {
    pub fn new(command: CommandId, instances: Vec<InstanceId>, plan: Plan) -> Send {
        Send {
            command,
            places: instances.iter().cloned().map(Place::on).collect(),
            instances,
            targets: vec![],
            plan: Arc::new(plan),
            document_name: crate::document::RUN_SHELL_SCRIPT.to_owned(),
            document_version: "$DEFAULT".to_owned(),
            parameters: BTreeMap::new(),
            comment: String::new(),
            timeout_seconds: limits::TIMEOUT_SECONDS_DEFAULT,
            max_concurrency: Rate::CONCURRENCY_DEFAULT,
            max_errors: Rate::ERRORS_DEFAULT,
            waiter: None,
            destinations: Destinations::default(),
            notification: None,
            service_role: String::new(),
            rate_exceeded: false,
        }
    }
}

/// Where an attempt stands on its host, as its agent knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptState {
    /// It has not begun and will not without another offer.
    NeverStarted,
    /// Accepted, not begun.
    Accepted,
    Running,
    /// The result follows.
    Finished,
    /// It may have begun, and nobody can know how it ended.
    Indeterminate,
    /// The agent does not know this attempt.
    Unknown,
}

/// How an attempt ended, and what it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredOutcome")]
pub struct Outcome {
    pub ended: Ended,
    #[serde(default)]
    pub stdout: String,
    #[serde(default)]
    pub stderr: String,
    /// Whether more was written than is kept.
    #[serde(default)]
    pub stdout_truncated: bool,
    #[serde(default)]
    pub stderr_truncated: bool,
    /// The host's clock. None when it never began.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    pub verdict: Verdict,
    /// Each step of the plan, where it has more than one; else the attempt is the step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepOutcome>,
}

/// An [`Outcome`] as any version has stored it.
#[derive(Deserialize)]
struct StoredOutcome {
    ended: Ended,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
    #[serde(default)]
    stdout_truncated: bool,
    #[serde(default)]
    stderr_truncated: bool,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    finished_at: Option<Timestamp>,
    /// None before there was judgement: the exit code said all.
    verdict: Option<Verdict>,
    #[serde(default)]
    steps: Vec<StepOutcome>,
}

impl From<StoredOutcome> for Outcome {
    fn from(stored: StoredOutcome) -> Outcome {
        Outcome {
            verdict: stored.verdict.unwrap_or_else(|| stored.ended.verdict()),
            ended: stored.ended,
            stdout: stored.stdout,
            stderr: stored.stderr,
            stdout_truncated: stored.stdout_truncated,
            stderr_truncated: stored.stderr_truncated,
            started_at: stored.started_at,
            finished_at: stored.finished_at,
            steps: stored.steps,
        }
    }
}

/// How one of several steps ended, and the first part of what it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome {
    pub name: String,
    pub ended: StepEnded,
    #[serde(default)]
    pub verdict: Verdict,
    #[serde(default)]
    pub stdout: String,
    #[serde(default)]
    pub stderr: String,
    #[serde(default)]
    pub stdout_truncated: bool,
    #[serde(default)]
    pub stderr_truncated: bool,
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepEnded {
    ExitCode(i64),
    Failure(Failure),
    /// It was not run, and that is well.
    Skipped(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// The script ran to its end. Whether that is a failure is the verdict's to say; by itself anything but 0 is.
    ExitCode(i64),
    Failure(Failure),
}

impl Ended {
    /// As it is judged where nobody says otherwise.
    pub fn verdict(&self) -> Verdict {
        match self {
            Ended::ExitCode(0) => Verdict::Normal,
            Ended::ExitCode(_) | Ended::Failure(_) => Verdict::Abnormal,
        }
    }
}

/// Why an attempt did not run to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: FailureCode,
    pub cause: String,
    /// What a shell would show, where there is such a thing: 128 + signal.
    #[serde(default)]
    pub exit_code: Option<i64>,
}

impl Outcome {
    /// An end of which nothing is known but its reason.
    pub fn failed(code: FailureCode, cause: impl Into<String>) -> Outcome {
        Outcome::of(Ended::Failure(Failure { code, cause: cause.into(), exit_code: None }))
    }

    /// An end without output.
    pub fn of(ended: Ended) -> Outcome {
        let verdict = ended.verdict();
        Outcome {
            ended,
            stdout: String::new(),
            stderr: String::new(),
            stdout_truncated: false,
            stderr_truncated: false,
            started_at: None,
            finished_at: None,
            verdict,
            steps: vec![],
        }
    }

    /// The failure as the state machine sees it; none when it was judged to have ended well, or with a warning.
    pub fn failure(&self) -> Option<Failure> {
        match &self.ended {
            Ended::ExitCode(_) if self.verdict < Verdict::Abnormal => None,
            Ended::ExitCode(0) => Some(Failure {
                code: FailureCode::Abnormal,
                cause: "script exited with 0 and was judged abnormal".to_owned(),
                exit_code: Some(0),
            }),
            Ended::ExitCode(code) => Some(Failure {
                code: FailureCode::ExitCode,
                cause: format!("script exited with {code}"),
                exit_code: Some(*code),
            }),
            Ended::Failure(failure) => Some(failure.clone()),
        }
    }

    /// AWS's `ResponseCode`: −1 where there is no exit code.
    pub fn response_code(&self) -> i64 {
        match &self.ended {
            Ended::ExitCode(code) => *code,
            Ended::Failure(failure) => failure.exit_code.unwrap_or(-1),
        }
    }
}

macro_rules! failure_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The names of failures. `Agent.Indeterminate` is retried only by a Retry that names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum FailureCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl FailureCode {
            pub const ALL: &[FailureCode] = &[$(FailureCode::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(FailureCode::$name => $text,)*
                }
            }

            /// Reads a name; one that a later agent made up is [`FailureCode::Failed`].
            pub fn parse(text: &str) -> FailureCode {
                match text {
                    $($text => FailureCode::$name,)*
                    _ => FailureCode::Failed,
                }
            }
        }
    };
}

failure_codes! {
    /// The script exited with another code than 0.
    ExitCode = "Agent.ExitCode",
    /// The script was killed by a signal that the agent did not send.
    Killed = "Agent.Killed",
    /// It ran for longer than its execution timeout and was killed.
    TimedOut = "Agent.TimedOut",
    /// Nobody accepted it in time. It never began.
    DeliveryTimedOut = "Agent.DeliveryTimedOut",
    /// It may have begun; nobody can know how it ended.
    Indeterminate = "Agent.Indeterminate",
    /// It was cancelled, before it began or while it ran.
    Cancelled = "Agent.Cancelled",
    /// It was never sent, because too many others failed.
    Terminated = "Agent.Terminated",
    /// The agent could not take it. It never began.
    Undeliverable = "Agent.Undeliverable",
    ScriptMissing = "Agent.ScriptMissing",
    NotExecutable = "Agent.NotExecutable",
    WorkingDirectoryMissing = "Agent.WorkingDirectoryMissing",
    StartFailed = "Agent.StartFailed",
    /// The host's own rules do not allow it. It never began.
    AccessDenied = "Agent.AccessDenied",
    UserMissing = "Agent.UserMissing",
    ContentMissing = "Agent.ContentMissing",
    /// It used more memory or processor time than it may, and was killed.
    LimitExceeded = "Agent.LimitExceeded",
    /// Its file or its output was judged abnormal, whatever its exit code.
    Abnormal = "Agent.Abnormal",
    /// The document is for another platform. It never began.
    InvalidPlatform = "Agent.InvalidPlatform",
    /// It may have begun, and its agent has not been heard of since.
    Lost = "Agent.Lost",
    /// For a reason that only the cause tells.
    Failed = "Agent.Failed",
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that happened. Stored: variants and fields are added, never altered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Sent {
        at: Timestamp,
        send: Box<Send>,
    },
    /// The agent is asked to take it; `timer` wakes the run when it has not by `due`.
    Offered {
        at: Timestamp,
        instance: InstanceId,
        attempt: AttemptId,
        timer: u64,
        due: Timestamp,
        /// Where there are other candidates: when the time for delivery ends. `due` is then the next look at them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The agent has it on disk; from here on it may begin. `timer` is the backstop.
    Accepted {
        at: Timestamp,
        instance: InstanceId,
        timer: u64,
        due: Timestamp,
    },
    Started {
        at: Timestamp,
        instance: InstanceId,
        timer: u64,
        due: Timestamp,
    },
    /// The agent will not begin it without another offer, which is made with the same attempt.
    Returned {
        at: Timestamp,
        instance: InstanceId,
        timer: u64,
        due: Timestamp,
    },
    /// Its agent is unheard of: delayed where nothing has begun, else indeterminate until more is known.
    Lost {
        at: Timestamp,
        instance: InstanceId,
        /// The backstop, moved to where patience ends, if that is earlier.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alarm: Option<Alarm>,
    },
    Found {
        at: Timestamp,
        instance: InstanceId,
        /// The backstop, moved back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alarm: Option<Alarm>,
    },
    /// The offer is taken back, and the next candidate is asked.
    Withdrawn {
        at: Timestamp,
        instance: InstanceId,
        next: InstanceId,
    },
    /// An attempt has ended, and another is made when `timer` goes off.
    AttemptEnded {
        at: Timestamp,
        instance: InstanceId,
        /// Without its output.
        outcome: Arc<Outcome>,
        timer: u64,
        due: Timestamp,
    },
    /// The place needs a slot of its group before it is offered.
    SlotAsked {
        at: Timestamp,
        place: u32,
        /// When its time for delivery ends; none in what was recorded before it had an end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alarm: Option<Alarm>,
    },
    SlotGranted {
        at: Timestamp,
        place: u32,
    },
    SlotReleased {
        at: Timestamp,
        place: u32,
    },
    /// A status that is to be announced.
    StatusReached {
        announcement: Announcement,
    },
    Announced {
        at: Timestamp,
        number: u64,
    },
    /// The output of an ended invocation is where it was wanted, or for this reason is not.
    OutputDelivered {
        at: Timestamp,
        instance: InstanceId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// What may have begun is asked to end.
    CancelRequested {
        at: Timestamp,
        instance: InstanceId,
    },
    /// The command as a whole is asked to end.
    CancelRequestedWhole {
        at: Timestamp,
    },
    /// The invocation has ended, by the word of its agent or by ours.
    Finished {
        at: Timestamp,
        instance: InstanceId,
        decider: Decider,
        outcome: Arc<Outcome>,
    },
    /// A result came after the end had been decided. Recorded, not applied.
    ReportedLate {
        at: Timestamp,
        instance: InstanceId,
        outcome: Arc<Outcome>,
    },
    /// Every invocation has ended.
    Ended {
        at: Timestamp,
        status: CommandStatus,
    },
    Notified {
        at: Timestamp,
    },
}

impl Event {
    /// The instances that it is about; none when it is about the command as a whole.
    pub fn instances(&self) -> Vec<&InstanceId> {
        match self {
            Event::Sent { send, .. } => send.places.iter().filter_map(|place| place.candidates.first()).collect(),
            Event::Withdrawn { instance, next, .. } => vec![instance, next],
            Event::Offered { instance, .. }
            | Event::Accepted { instance, .. }
            | Event::Started { instance, .. }
            | Event::Returned { instance, .. }
            | Event::Lost { instance, .. }
            | Event::Found { instance, .. }
            | Event::AttemptEnded { instance, .. }
            | Event::CancelRequested { instance, .. }
            | Event::Finished { instance, .. }
            | Event::ReportedLate { instance, .. }
            | Event::OutputDelivered { instance, .. } => vec![instance],
            Event::SlotAsked { .. }
            | Event::SlotGranted { .. }
            | Event::SlotReleased { .. }
            | Event::StatusReached { .. }
            | Event::Announced { .. }
            | Event::CancelRequestedWhole { .. }
            | Event::Ended { .. }
            | Event::Notified { .. } => vec![],
        }
    }
}

/// Who said how an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decider {
    Agent,
    Server,
}

/// Something the world is asked to do. Delivered at least once, after the commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the agent to take it. May be repeated.
    Offer {
        instance: InstanceId,
        attempt: AttemptId,
        plan: Arc<Plan>,
        expires_at: Timestamp,
    },
    /// Let the agent begin. May be repeated.
    Go {
        instance: InstanceId,
        attempt: AttemptId,
    },
    /// Let the agent end it.
    Cancel {
        instance: InstanceId,
        attempt: AttemptId,
    },
    /// Let the agent forget it. An answer, never owed: the agent repeats its result until it hears this.
    Acknowledge {
        instance: InstanceId,
        attempt: AttemptId,
    },
    SetTimer {
        timer: u64,
        due: Timestamp,
    },
    ClearTimer {
        timer: u64,
        due: Timestamp,
    },
    /// Tell the waiter that the run has ended; answered with [`Command::Notified`].
    Notify {
        waiter: Waiter,
    },
    /// Have a slot of the group for this place; answered with [`Command::SlotGranted`] when there is one.
    AcquireSlot {
        place: u32,
        group: Arc<str>,
    },
    /// Give back the slot that this place has or waits for; answered with [`Command::SlotReleased`].
    ReleaseSlot {
        place: u32,
        group: Arc<str>,
    },
    /// Tell whom [`Send::notification`] names; answered with [`Command::Announced`].
    Announce {
        announcement: Announcement,
    },
    /// Bring what the attempt has written to the run's [`Destinations`]; answered with [`Command::OutputDelivered`].
    DeliverOutput {
        instance: InstanceId,
        attempt: AttemptId,
    },
}

/// Why a command was refused. The run is untouched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("command has already been sent")]
    AlreadySent,
    #[error("command has not been sent")]
    NotSent,
    #[error("no instance is named")]
    NoInstances,
    #[error("{count} instances are named, and at most {} are allowed", limits::INSTANCES_MAX)]
    TooManyInstances { count: usize },
    #[error("instance {0} is named twice")]
    DuplicateInstanceId(InstanceId),
    #[error("instance {0} is not part of this command")]
    InvalidInstanceId(InstanceId),
    #[error(
        "TimeoutSeconds is {seconds}, and {} to {} are allowed",
        limits::TIMEOUT_SECONDS_MIN,
        limits::TIMEOUT_SECONDS_MAX
    )]
    InvalidTimeout { seconds: u32 },
    #[error("script has {bytes} bytes, and at most {} are allowed", limits::SCRIPT_BYTES_MAX)]
    ScriptTooLong { bytes: usize },
    #[error("comment is longer than {} characters", limits::COMMENT_CHARS_MAX)]
    CommentTooLong,
    #[error("attempt {0} is not outstanding")]
    UnknownAttempt(AttemptId),
    #[error("timer {0} is not outstanding")]
    UnknownTimer(u64),
    #[error("waiter is not this command's")]
    UnknownWaiter,
    #[error("place {0} is not part of this command")]
    UnknownPlace(u32),
    #[error("{count} places are asked for, and at most {} are allowed", limits::PLACES_MAX)]
    TooManyPlaces { count: usize },
}

/// An [`Id`] in its 32 hexadecimal digits.
mod id_text {
    use base::Id;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(id: &Id, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Id).map_err(D::Error::custom)
    }
}

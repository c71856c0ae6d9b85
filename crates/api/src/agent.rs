//! The agent protocol: what a server and the agent on a host say to each other.
//!
//! The agent connects out to `GET /api/v1/agents/connect` as a WebSocket. Each text frame is one JSON
//! message, [`FromAgent`] or [`ToAgent`], told apart by its `type`.
//!
//! ```text
//! agent                                             server
//!                                               ◄──  Challenge { its nonce, its key, its signature over both nonces }
//!   Hello { attempts: what the journal knows }  ──►
//!                                               ◄──  Welcome, or Refused and the connection closes
//!                                               ◄──  what is still owed: Offer, Go, Cancel, Acknowledged
//!
//!                                               ◄──  Offer        may be repeated until Accepted
//!   (a worker is free; the accept is on disk)
//!   Accepted                                    ──►
//!                                               ◄──  Go           may be repeated until Started
//!   (the start is on disk; the script begins)
//!   Started                                     ──►
//!   (the script ends; the result is on disk)
//!   Finished                                    ──►               repeated until Acknowledged
//!                                               ◄──  Acknowledged
//!   (the journal forgets the attempt)
//! ```
//!
//! A host registers once, by `POST /api/v1/agents/register` with [`Register`]. From then on its agent knows the server's
//! key and says nothing before the challenge shows it; its hello proves its own. What is signed is in the crate
//! `identity`. The agent's nonce comes with the request, in the header [`NONCE_HEADER`].
//!
//! **Invariant:** an attempt begins at most once. Nothing begins without `Go`, an attempt's start is on the
//! agent's disk before the script runs, and what is on disk is never begun again. Every message may therefore
//! be lost, doubled or late.
//!
//! **Invariant:** each side tells only what it has made durable.
//!
//! **Additive:** fields and messages are added, never changed. A reader ignores fields it does not know, and
//! reads a message it does not know as `Unknown`. What an old reader could not survive raises [`PROTOCOL`].

use std::fmt;

use base::Timestamp;
use document::{Plan, Script, Stream, Verdict};
use serde::{Deserialize, Serialize};

pub use document::Variable;

/// The protocol's version, told in [`Hello`].
pub const PROTOCOL: u32 = 2;

/// Where agents connect.
pub const CONNECT_PATH: &str = "/api/v1/agents/connect";

/// Where hosts register.
pub const REGISTER_PATH: &str = "/api/v1/agents/register";

/// The header that carries the agent's nonce.
pub const NONCE_HEADER: &str = "x-dandori-nonce";

/// Bytes of one message.
pub const MESSAGE_BYTES_MAX: usize = 1_048_576;

/// Characters of a standard output and a standard error that [`Finished`] holds.
pub const STDOUT_CHARS_MAX: usize = 24_000;
pub const STDERR_CHARS_MAX: usize = 8_000;

/// Whether a server takes an agent of this id, as Systems Manager has them: `mi-` and 17 letters or digits, or `i-` and 8
/// or 17.
pub fn valid_instance_id(id: &str) -> bool {
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match (id.strip_prefix("i-"), id.strip_prefix("mi-")) {
        (Some(rest), _) => matches!(rest.len(), 8 | 17) && is_word(rest),
        (None, Some(rest)) => rest.len() == 17 && is_word(rest),
        (None, None) => false,
    }
}

/// An instance id of a host that has no other: `mi-` and 17 hexadecimal digits, of bits drawn by chance.
pub fn made_up_instance_id(high: u64, low: u64) -> String {
    format!("mi-{high:016x}{:x}", low & 0xf)
}

/// A host wants to be an instance. `POST` [`REGISTER_PATH`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    pub activation_id: String,
    pub activation_code: String,
    /// With which the agent will prove itself: 32 bytes in base 64.
    pub public_key: String,
    /// Tells this machine from others.
    #[serde(default)]
    pub machine: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub agent_version: String,
    #[serde(default)]
    pub platform_type: String,
    #[serde(default)]
    pub platform_name: String,
    #[serde(default)]
    pub platform_version: String,
    #[serde(default)]
    pub computer_name: String,
}

/// The code is a secret.
impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").field("activation_id", &self.activation_id).finish_non_exhaustive()
    }
}

/// Who the host is from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    pub instance_id: String,
    pub account: String,
    pub region: String,
}

/// The answer to [`Register`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterAnswer {
    #[serde(flatten)]
    pub registered: Registered,
    /// The server's: the agent keeps it, and speaks with nobody else.
    pub server_key: String,
    /// The server's, over the registration.
    pub signature: String,
}

/// What an agent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromAgent {
    /// Always first. Who is there, and what its journal holds.
    Hello(Hello),
    /// The offer is on the agent's disk and a worker is kept free for it. Nothing has begun.
    Accepted { attempt: String },
    /// The script has begun, or is about to: the start is on disk.
    Started { attempt: String, started_at: Timestamp },
    /// The attempt has ended and its result is on disk. Said again after each `Welcome` until acknowledged.
    Finished(Finished),
    /// What a step has written. Answered with `OutputTaken`.
    Output(Output),
    /// Answered with `Content`.
    Fetch(Fetch),
    /// This agent's next key. Answered with `KeyRotated` when it is durable.
    RotateKey(RotateKey),
    /// Still here. Answered with `Pong`.
    Ping,
    /// A message of a later version. Ignored.
    #[serde(other)]
    Unknown,
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToAgent {
    /// Always first. Who is there.
    Challenge(Challenge),
    /// The answer to `Hello`: the agent may work.
    Welcome(Welcome),
    /// The answer to `Hello`: the agent may not. The connection closes; the agent tries again later.
    Refused {
        code: String,
        message: String,
    },
    /// Asks whether the agent will take this attempt. Repeating it changes nothing.
    Offer(Offer),
    /// Begin. Only for an attempt that was accepted; repeating it changes nothing.
    Go {
        attempt: String,
    },
    /// End the attempt: if it has not begun it never will, if it runs it is killed. Answered with `Finished`
    /// unless the agent does not know the attempt.
    Cancel {
        attempt: String,
    },
    /// The server needs nothing more of this attempt: forget it. One that has not begun never will.
    Acknowledged {
        attempt: String,
    },
    OutputTaken(OutputTaken),
    Content(Content),
    /// How the agent is to work from now on.
    Settings(Settings),
    /// A message with the server's signature: an agent that knows the server's key takes no `Offer` without.
    Signed(Signed),
    /// The answer to `RotateKey`: from now on this key proves the agent, and the one before does not.
    KeyRotated {
        public_key: String,
    },
    /// The answer to `Ping`.
    Pong,
    /// A message of a later version. Ignored.
    #[serde(other)]
    Unknown,
}

/// The server shows who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    pub nonce: String,
    pub server_key: String,
    /// Over both nonces. Empty when the agent sent none.
    #[serde(default)]
    pub signature: String,
}

/// A message of the server, with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The text of a [`ToAgent`], as it was signed.
    pub message: String,
    /// Grows with each signed message of a connection: what was heard before is not taken again.
    pub number: u64,
    pub signature: String,
}

/// An agent's next key, named by its present one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateKey {
    pub key: String,
    pub next: String,
    pub signature: String,
}

/// On whose behalf an agent comes, and what it shows for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub account: String,
    pub region: String,
    /// Drawn at the agent's start: tells two agents apart that have the same data.
    #[serde(default)]
    pub life: String,
    /// None of an agent that was never registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// That the agent has a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub key: String,
    pub signature: String,
}

/// Who the agent is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`] as the agent speaks it.
    pub protocol: u32,
    /// `mi-` and 17 hexadecimal digits, or what the operator chose.
    pub instance_id: String,
    /// What people call this agent.
    pub name: String,
    pub agent_version: String,
    /// `Linux`, as Systems Manager writes it.
    pub platform_type: String,
    /// As in `Debian GNU/Linux`.
    pub platform_name: String,
    /// As in `12`.
    pub platform_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    pub computer_name: String,
    /// Differs after each start of the host.
    pub boot_id: String,
    /// Grows by one with each start of the agent. A smaller one than before is a copied or restored disk.
    pub incarnation: u64,
    /// Attempts that it runs at a time, by its own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<u32>,
    /// Every attempt in the agent's journal, and no other: what is missing here the agent does not know.
    pub attempts: Vec<AttemptReport>,
    /// Without them it comes on behalf of whoever has the server to themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Box<Credentials>>,
}

/// What an agent knows about one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReport {
    pub attempt: String,
    pub state: AttemptState,
}

/// Where an attempt stands on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// It has not begun and will not without another offer.
    NeverStarted,
    /// Accepted, not begun: `Go` begins it.
    Accepted,
    Running,
    /// It has ended; `Finished` follows.
    Finished,
    /// It may have begun, and there is not even a result that says so: the journal is damaged. Where the
    /// journal can still say it, the attempt is `Finished` with the failure `Agent.Indeterminate`.
    Indeterminate,
    /// A state of a later version.
    #[serde(other)]
    Unknown,
}

/// What the agent needs to know of the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The server's clock: times in offers are read against it.
    pub server_time: Timestamp,
    /// An agent unheard of for so long is lost.
    pub lost_after_seconds: u64,
    /// How often the agent pings.
    pub ping_seconds: u64,
    #[serde(default)]
    pub settings: Settings,
}

/// What operators have set for this agent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Attempts at a time; the agent's own number when none, and never more than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<u32>,
    /// Takes nothing new: what it has goes on to its end.
    #[serde(default)]
    pub draining: bool,
}

/// One attempt, with all that the agent needs to run it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredOffer")]
pub struct Offer {
    pub attempt: String,
    /// The document's name, for the host's own rules about what may run on it.
    pub document: String,
    pub plan: Plan,
    /// Values of the plan's secrets, by the variable's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Variable>,
    /// Not begun by then, it never will. The server's clock.
    pub expires_at: Timestamp,
}

/// A secret is never printed.
impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Offer { attempt, document, plan, secrets, expires_at } = self;
        let secrets: Vec<&str> = secrets.iter().map(|secret| &*secret.name).collect();
        f.debug_struct("Offer")
            .field("attempt", attempt)
            .field("document", document)
            .field("plan", plan)
            .field("secrets", &secrets)
            .field("expires_at", expires_at)
            .finish()
    }
}

/// An offer as any version of an agent has put it on disk.
#[derive(Deserialize)]
struct StoredOffer {
    attempt: String,
    #[serde(default)]
    document: String,
    plan: Option<Plan>,
    #[serde(default)]
    secrets: Vec<Variable>,
    /// Before there were plans: one shell script.
    #[serde(default)]
    script: String,
    #[serde(default)]
    working_directory: String,
    #[serde(default)]
    execution_timeout_seconds: u32,
    #[serde(default)]
    environment: Vec<Variable>,
    expires_at: Timestamp,
}

impl From<StoredOffer> for Offer {
    fn from(stored: StoredOffer) -> Offer {
        let script = Script {
            text: stored.script,
            working_directory: stored.working_directory,
            execution_timeout_seconds: stored.execution_timeout_seconds,
            environment: stored.environment,
        };
        Offer {
            attempt: stored.attempt,
            document: stored.document,
            plan: stored.plan.unwrap_or_else(|| Plan::shell(script)),
            secrets: stored.secrets,
            expires_at: stored.expires_at,
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    pub attempt: String,
    #[serde(flatten)]
    pub ended: Ended,
    /// The first part of what the script wrote, as UTF-8; what is not UTF-8 is replaced.
    #[serde(default)]
    pub stdout: String,
    #[serde(default)]
    pub stderr: String,
    /// Whether the script wrote more than is kept.
    #[serde(default)]
    pub stdout_truncated: bool,
    #[serde(default)]
    pub stderr_truncated: bool,
    /// The host's clock. None when it never began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How the whole was judged.
    #[serde(default)]
    pub verdict: Verdict,
    /// Each step that the plan has, where it has more than one; else the attempt is the step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepFinished>,
}

/// How one of several steps ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFinished {
    /// As the plan names it.
    pub name: String,
    #[serde(flatten)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnded {
    ExitCode(i64),
    Failure(Failure),
    /// It was not run, and that is well: another platform, or an earlier step ended the document.
    Skipped(String),
}

/// A part of what a step has written, in order and without gaps. Said from the beginning, while the step runs and
/// after, until [`OutputTaken`] says that all of it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    pub attempt: String,
    /// The step's place in the plan, from 0.
    pub step: u32,
    pub stream: Stream,
    /// Bytes of this stream before these.
    pub offset: u64,
    /// At most [`OUTPUT_BYTES_MAX`] bytes, in Base64.
    pub data: String,
    /// Nothing follows: the step has ended and this is the end of what was kept.
    #[serde(default)]
    pub end: bool,
    /// The agent kept no more than this, and more was written.
    #[serde(default)]
    pub cut: bool,
}

/// So many bytes of a stream are kept by the server: the agent goes on from there, whatever it believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputTaken {
    pub attempt: String,
    pub step: u32,
    pub stream: Stream,
    pub offset: u64,
    /// All of it is there and durable, or nothing more is wanted: the agent need keep no copy.
    #[serde(default)]
    pub done: bool,
}

/// Bytes of one [`Output`], and of what an agent says ahead of what was taken.
pub const OUTPUT_BYTES_MAX: usize = 65_536;
pub const OUTPUT_AHEAD_MAX: u64 = 262_144;

/// Asks for content that a step of the plan downloads: the server reads it for the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    pub attempt: String,
    pub step: u32,
    /// Which file of the source, from 0.
    pub file: u32,
    pub offset: u64,
}

/// A part of what was asked for by [`Fetch`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub attempt: String,
    pub step: u32,
    pub file: u32,
    /// The file's path relative to the source, without `..`.
    pub name: String,
    pub offset: u64,
    /// In Base64.
    pub data: String,
    /// This file ends here.
    pub file_end: bool,
    /// No file follows this one.
    pub last: bool,
    /// Why there is none of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// `"exit_code": 3`, or `"failure": { "code": "Agent.TimedOut", … }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The script ran to its end. Anything but 0 is a failure.
    ExitCode(i64),
    /// It did not run, or not to its end.
    Failure(Failure),
}

/// Why an attempt did not run to its end. `code` is one of [`failure`]; a reader lets others pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: String,
    pub message: String,
    /// What a shell would show for this end, where there is such a thing: 128 + signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
}

/// The codes of [`Failure`].
pub mod failure {
    /// The script was killed by a signal that the agent did not send.
    pub const KILLED: &str = "Agent.Killed";
    /// It ran for longer than its execution timeout and was killed.
    pub const TIMED_OUT: &str = "Agent.TimedOut";
    /// It did not begin in time, and never will.
    pub const DELIVERY_TIMED_OUT: &str = "Agent.DeliveryTimedOut";
    /// It was cancelled, before it began or while it ran.
    pub const CANCELLED: &str = "Agent.Cancelled";
    /// It may have begun; nobody can know how it ended.
    pub const INDETERMINATE: &str = "Agent.Indeterminate";
    /// The agent cannot take it (its disk is full, its journal broken). It never began.
    pub const UNDELIVERABLE: &str = "Agent.Undeliverable";
    /// The script's file or its interpreter is not there.
    pub const SCRIPT_MISSING: &str = "Agent.ScriptMissing";
    /// The script or its interpreter may not be run.
    pub const NOT_EXECUTABLE: &str = "Agent.NotExecutable";
    /// Its working directory is not there, or is no directory.
    pub const WORKING_DIRECTORY_MISSING: &str = "Agent.WorkingDirectoryMissing";
    /// It could not be started for another reason.
    pub const START_FAILED: &str = "Agent.StartFailed";
    /// The host's own rules do not allow it. It never began.
    pub const ACCESS_DENIED: &str = "Agent.AccessDenied";
    /// There is no such user on the host, or the agent may not become that user.
    pub const USER_MISSING: &str = "Agent.UserMissing";
    /// What a step downloads could not be had.
    pub const CONTENT_MISSING: &str = "Agent.ContentMissing";
    /// It used more memory or processor time than it may, and was killed.
    pub const LIMIT_EXCEEDED: &str = "Agent.LimitExceeded";
    /// By its file or its output it was judged abnormal, whatever its exit code.
    pub const ABNORMAL: &str = "Agent.Abnormal";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_agent(text: &str) -> FromAgent {
        serde_json::from_str(text).expect("a message")
    }

    fn text(message: &impl Serialize) -> String {
        serde_json::to_string(message).expect("a message has a text")
    }

    #[test]
    fn no_secret_of_an_offer_is_printed() {
        let plan = r#"{"type":"offer","attempt":"a","document":"d","plan":{"steps":[]},"secrets":[{"name":"PASSWORD","value":"canary"}],"expires_at":0}"#;
        let offer: ToAgent = serde_json::from_str(plan).expect("an offer");
        let printed = format!("{offer:?}");
        assert!(printed.contains("PASSWORD") && !printed.contains("canary"), "{printed}");
    }

    #[test]
    fn messages_are_told_apart_by_their_type() {
        assert_eq!(text(&FromAgent::Ping), r#"{"type":"ping"}"#);
        assert_eq!(text(&ToAgent::Go { attempt: "c.i.1".into() }), r#"{"type":"go","attempt":"c.i.1"}"#);
    }

    #[test]
    fn an_instance_id_is_as_long_as_it_should_be() {
        let made_up = made_up_instance_id(u64::MAX, 0x1f);
        assert_eq!(made_up, "mi-fffffffffffffffff");
        for id in [&made_up, "mi-0123456789abcdef_", "i-01234567", "i-0123456789abcdef0"] {
            assert!(valid_instance_id(id), "{id}");
        }
        for id in [
            "mi-1",
            "mi-01234567",
            "i-012345678",
            "mi-0123456789abcde/0",
            "x-0123456789abcdef0",
            "mi-0123456789abcdef01",
        ] {
            assert!(!valid_instance_id(id), "{id}");
        }
    }

    #[test]
    fn an_end_is_an_exit_code_or_a_failure() {
        let exited = from_agent(r#"{"type":"finished","attempt":"a","exit_code":3,"stderr":"no"}"#);
        let FromAgent::Finished(finished) = &exited else { panic!("{exited:?}") };
        assert_eq!((&finished.ended, finished.stderr.as_str()), (&Ended::ExitCode(3), "no"));
        assert_eq!(from_agent(&text(&exited)), exited);

        let failed = from_agent(
            r#"{"type":"finished","attempt":"a","failure":{"code":"Agent.TimedOut","message":"after 1 s"}}"#,
        );
        assert_eq!(from_agent(&text(&failed)), failed);
    }

    #[test]
    fn what_a_later_version_says_is_let_pass() {
        assert_eq!(from_agent(r#"{"type":"sang","song":"ra"}"#), FromAgent::Unknown);
        assert_eq!(
            from_agent(r#"{"type":"accepted","attempt":"a","mood":"good"}"#),
            FromAgent::Accepted { attempt: "a".into() }
        );
        let report: AttemptReport = serde_json::from_str(r#"{"attempt":"a","state":"pondering"}"#).expect("a report");
        assert_eq!(report.state, AttemptState::Unknown);
    }
}

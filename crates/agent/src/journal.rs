//! The journal: what this host knows of its attempts, on disk.
//!
//! ```text
//! DATA/identity.json            who this agent is, and how often it was started
//! DATA/lock                     held by the one agent that uses this directory
//! DATA/attempts/ID/             one attempt; ID is a hash, because names never become paths
//!     offer.json  secrets.json  what to run; what is secret in it, until it begins
//!     content/0/                what the first step downloads, fetched before it was accepted
//!     accepted                  everything above is on disk
//!     starting                  the first step has begun, or is about to; created once, by one process
//!     script.json               the script's process, so that it can be killed when its supervisor is gone
//!     steps/0/                  the first step: its script, all that it wrote (stdout, stderr), how it ended (step.json)
//!     exit.json                 how the whole ended; created once
//!     supervisor.log  work/     the supervisor's last words; the directory of scripts that name no other
//! DATA/drain                    nothing new is taken
//! DATA/status.json              how the agent stands, for people
//! DATA/trash/                   attempts on their way out
//! ```
//!
//! **Invariant:** a file is written aside, flushed and then put in place, and its directory is flushed. Who sees
//! a file sees all of it, and everything it follows from. Of `starting`, which is flushed while a script waits for it, only
//! the name has to outlive the host: whoever began in an earlier start of the host does not run any more.
//!
//! **Invariant:** `starting` and `exit.json` are created, never replaced: the first word stands.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use api::agent::{
    Ended, Failure, Finished, FromAgent, MESSAGE_BYTES_MAX, Offer, STDERR_CHARS_MAX, STDOUT_CHARS_MAX, StepEnded,
    StepFinished, Variable,
};
use base::{Id, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use document::{Stream, Verdict};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::enrolment::{self, Registration};
use crate::host::{self, Process};
use crate::policy::PolicyFile;
use crate::spool::{Kept, OUTPUT_BYTES_MAX_DEFAULT};

/// Bytes of the longest character.
const CHAR_BYTES_MAX: u64 = 4;

/// Characters of output that all steps of one result share, standard output and standard error together; fewer where
/// the message would be too long, down to none.
const HEAD_CHARS: [usize; 4] = [96_000, 32_000, 8_000, 0];

/// Bytes of a result as it is told, with room for what is around it.
const RESULT_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 64 * 1024;

/// Characters of a supervisor's last words that are told.
const LOG_CHARS_MAX: usize = 1_024;

/// The attempts of one agent.
#[derive(Debug, Clone)]
pub struct Journal {
    data: PathBuf,
    boot_id: String,
}

/// Who this agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub instance_id: String,
    /// Grows by one with each start.
    pub incarnation: u64,
    /// None of an agent that never registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
}

/// Why an agent cannot be who it is asked to be.
#[derive(Debug, thiserror::Error)]
pub enum IdentifyError {
    #[error("use the instance id {asked:?}: it must be mi- and 17 letters, digits or underscores, or i- and 8 or 17")]
    Form { asked: String },
    #[error("use the instance id {asked}: {} belongs to {kept}; leave the id out, or use another directory", data.display())]
    Other { asked: String, kept: String, data: PathBuf },
    #[error("keep the identity in {}", data.display())]
    Disk {
        data: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Held by the one agent that uses a directory; let go when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// What stands in the journal about one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is promised.
    Nothing,
    /// Accepted; it has not begun.
    Accepted,
    /// It began, and its supervisor is alive.
    Running(Process),
    /// It began, its supervisor is gone and left no result.
    Indeterminate,
    Finished,
}

/// `offer.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) instance_id: String,
    /// Without its secrets, which stand beside it.
    pub(crate) offer: Offer,
    #[serde(default)]
    pub(crate) host: Host,
}

/// What the agent tells those who run its attempts about their host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Bytes that all steps of an attempt may keep of what they write.
    pub output_bytes_max: u64,
    /// Below which groups of processes may be made, where there is such a place.
    pub groups: Option<PathBuf>,
    /// Which file has the host's own rules.
    pub policy: PolicyFile,
}

impl Default for Host {
    fn default() -> Host {
        Host { output_bytes_max: OUTPUT_BYTES_MAX_DEFAULT, groups: None, policy: PolicyFile::default() }
    }
}

/// `starting`: who began it, and when.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Starting {
    pub(crate) boot_id: String,
    pub(crate) supervisor: Process,
    pub(crate) at: Timestamp,
    /// Whether it was created so that nobody else can: then nothing has begun.
    #[serde(default)]
    pub(crate) prevented: bool,
}

/// `exit.json`: how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit {
    #[serde(flatten)]
    pub(crate) ended: Ended,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Timestamp,
    /// Whether a script wrote more than the files hold.
    pub(crate) stdout_truncated: bool,
    pub(crate) stderr_truncated: bool,
    #[serde(default)]
    pub(crate) verdict: Verdict,
    /// Every step of the plan. None in a result of earlier versions, which have one script and its first output.
    #[serde(default)]
    pub(crate) steps: Vec<StepExit>,
}

/// `step.json`: how a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepExit {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) ended: StepEnded,
    pub(crate) verdict: Verdict,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    /// None where it wrote nowhere, because it was not run.
    pub(crate) stdout: Option<Kept>,
    pub(crate) stderr: Option<Kept>,
}

impl StepExit {
    fn kept(&self, stream: Stream) -> Option<Kept> {
        match stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        }
    }
}

/// How far a stream of a step has come on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub step: u32,
    pub stream: Stream,
    pub bytes: u64,
    /// It has ended; whether it was cut.
    pub ended: Option<bool>,
}

impl Journal {
    /// Opens the journal in `data`, which no other agent may use: `AddrInUse` when one does.
    pub fn open(data: &Path, boot_id: String) -> io::Result<(Journal, Lock)> {
        let private = |directory: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        private(data)?;
        // Supervisors and scripts see these paths from directories of their own.
        let data = &fs::canonicalize(data)?;
        let journal = Journal { data: data.clone(), boot_id };
        private(&journal.attempts())?;
        private(&journal.trash())?;
        let file = File::create(data.join("lock"))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(io::ErrorKind::AddrInUse, "another agent has it open"),
            TryLockError::Error(error) => error,
        })?;
        for left in fs::read_dir(journal.trash())? {
            fs::remove_dir_all(left?.path())?;
        }
        // What was being fetched when an earlier agent ended was promised to nobody.
        for entry in fs::read_dir(journal.attempts())? {
            let directory = entry?.path();
            if !directory.join("offer.json").exists() && !directory.join("starting").exists() {
                remove_if_there(&directory)?;
            }
        }
        Ok((journal, Lock { _file: file }))
    }

    /// Who this agent is, made up at the first start and never changed; counts this start.
    pub fn identify(&self, asked: Option<String>) -> Result<Identity, IdentifyError> {
        if let Some(asked) = asked.as_ref().filter(|asked| !api::agent::valid_instance_id(asked)) {
            return Err(IdentifyError::Form { asked: asked.clone() });
        }
        let on_disk = |source| IdentifyError::Disk { data: self.data.clone(), source };
        let path = self.data.join("identity.json");
        let before: Option<Identity> = read_json(&path).map_err(on_disk)?;
        let incarnation = before.as_ref().map_or(0, |identity| identity.incarnation) + 1;
        let registration = before.as_ref().and_then(|identity| identity.registration.clone());
        let instance_id = match (asked, before.map(|identity| identity.instance_id)) {
            (Some(asked), Some(kept)) if asked != kept => {
                return Err(IdentifyError::Other { asked, kept, data: self.data.clone() });
            }
            (_, Some(kept)) => kept,
            (Some(asked), None) => asked,
            (None, None) => made_up_instance_id().map_err(on_disk)?,
        };
        let identity = Identity { instance_id, incarnation, registration };
        self.keep_identity(&identity).map_err(on_disk)?;
        Ok(identity)
    }

    /// Who this agent is, if it is anybody yet.
    pub fn identity(&self) -> io::Result<Option<Identity>> {
        read_json(&self.data.join("identity.json"))
    }

    pub fn keep_identity(&self, identity: &Identity) -> io::Result<()> {
        replace(&self.data.join("identity.json"), &to_json(identity)?)
    }

    /// Whether a new key was asked for.
    pub fn rotation_requested(&self) -> bool {
        enrolment::rotation_requested(&self.data)
    }

    pub(crate) fn rotation_ended(&self) -> io::Result<()> {
        match fs::remove_file(self.data.join(enrolment::ROTATE_REQUEST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Keeps an offer for good. When this returns, the attempt is accepted. What was fetched for it stays with it.
    pub fn accept(&self, instance_id: &str, host: &Host, offer: &Offer) -> io::Result<()> {
        let directory = self.directory(&offer.attempt);
        if directory.join("accepted").exists() {
            return Ok(());
        }
        if !directory.join(CONTENT).exists() {
            self.prepare(&offer.attempt)?;
        }
        let (mut offer, host) = (offer.clone(), host.clone());
        let secrets = std::mem::take(&mut offer.secrets);
        if !secrets.is_empty() {
            write_flushed(&directory.join(SECRETS), &to_json(&secrets)?, 0o600)?;
        }
        let stored = Stored { instance_id: instance_id.to_owned(), offer, host };
        let offer = write(&directory.join("offer.json"), &to_json(&stored)?, 0o600)?;
        at_once(|| offer.sync_data(), || flush_directory(&self.attempts()))?;
        // Only that it is there says anything.
        File::create(directory.join("accepted"))?;
        flush_directory(&directory)
    }

    /// Makes a new place for an attempt. Nothing is promised yet.
    pub fn prepare(&self, attempt: &str) -> io::Result<()> {
        let directory = self.directory(attempt);
        // What an earlier try left is not accepted and has not begun.
        self.forget(attempt)?;
        private(&directory)?;
        private(&directory.join("work"))
    }

    /// Keeps a part of what a step downloads, for an attempt that is not accepted yet. Gives how many bytes it has.
    pub fn keep_content(&self, part: &api::agent::Content) -> io::Result<u64> {
        let directory = content_directory(&self.directory(&part.attempt), part.step as usize);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        if let Some(failure) = &part.failure {
            write_flushed(&directory.join("failure.json"), &to_json(failure)?, 0o600)?;
            return Ok(0);
        }
        let data = BASE64.decode(&part.data).map_err(io::Error::other)?;
        let path = directory.join(part.file.to_string());
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        file.write_all(&data)?;
        if part.file_end {
            file.sync_data()?;
            let mut names =
                OpenOptions::new().create(true).append(true).mode(0o600).open(directory.join("names.jsonl"))?;
            let mut line = to_json(&part.name)?;
            line.push(b'\n');
            names.write_all(&line)?;
            names.sync_data()?;
        }
        if part.file_end && part.last {
            flush_directory(&directory)?;
        }
        Ok(data.len() as u64)
    }

    /// Every attempt in the journal that means anything.
    pub fn survey(&self) -> io::Result<Vec<(Offer, Standing)>> {
        let mut found = vec![];
        for entry in fs::read_dir(self.attempts())? {
            let directory = entry?.path();
            match read_json::<Stored>(&directory.join("offer.json")) {
                Ok(Some(stored)) => {
                    let standing = self.standing(&stored.offer.attempt)?;
                    found.push((stored.offer, standing));
                }
                // Nothing was promised about it: `accepted` comes last.
                Ok(None) => (),
                Err(error) => tracing::error!(directory = %directory.display(), %error, "an attempt cannot be read"),
            }
        }
        Ok(found)
    }

    /// Where an attempt stands right now.
    pub fn standing(&self, attempt: &str) -> io::Result<Standing> {
        let directory = self.directory(attempt);
        // The result is looked for last: a supervisor that writes it and goes must not look lost in between.
        let starting = began(&directory)?;
        let alive =
            starting.as_ref().filter(|starting| starting.boot_id == self.boot_id && starting.supervisor.is_alive());
        let finished = directory.join("exit.json").exists();
        Ok(match (finished, alive, &starting) {
            (true, _, _) => Standing::Finished,
            (false, Some(starting), _) => Standing::Running(starting.supervisor),
            (false, None, Some(_)) => Standing::Indeterminate,
            (false, None, None) if directory.join("accepted").exists() => Standing::Accepted,
            (false, None, None) => Standing::Nothing,
        })
    }

    /// Sees to it that the attempt can never begin. False when it may have begun already.
    pub fn prevent(&self, attempt: &str) -> io::Result<bool> {
        let directory = self.directory(attempt);
        // What has begun stays so: nothing has to be written to find that out.
        Ok(began(&directory)?.is_none() && (claim(&directory, &self.boot_id, true)? || began(&directory)?.is_none()))
    }

    /// Ends an attempt whose supervisor cannot. A result that is already there stands.
    pub fn conclude(&self, attempt: &str, failure: Failure) -> io::Result<()> {
        let directory = self.directory(attempt);
        let steps = self.steps_left(&directory, &failure)?;
        let cut = |of: fn(&StepExit) -> Option<Kept>| steps.iter().filter_map(of).any(|kept| kept.cut);
        let exit = Exit {
            ended: Ended::Failure(failure),
            started_at: began(&directory)?.map(|starting| starting.at),
            finished_at: host::now(),
            stdout_truncated: cut(|step| step.stdout),
            stderr_truncated: cut(|step| step.stderr),
            verdict: Verdict::Abnormal,
            steps,
        };
        conclude(&directory, &exit)
    }

    /// The steps that a supervisor has left: those that had ended, and those that nobody knows more of than this failure.
    fn steps_left(&self, directory: &Path, failure: &Failure) -> io::Result<Vec<StepExit>> {
        let Some(stored) = read_json::<Stored>(&directory.join("offer.json"))? else { return Ok(vec![]) };
        let left = |(at, step): (usize, &document::Step)| {
            let own = step_directory(directory, at);
            if let Some(ended) = read_json(&own.join("step.json")).ok().flatten() {
                return ended;
            }
            let kept =
                |name: &str| own.join(name).exists().then(|| Kept { bytes: file_len(&own.join(name)), cut: false });
            StepExit {
                name: step.name.clone(),
                ended: StepEnded::Failure(failure.clone()),
                verdict: Verdict::Abnormal,
                started_at: None,
                finished_at: None,
                stdout: kept("stdout"),
                stderr: kept("stderr"),
            }
        };
        // What an earlier version began has its output elsewhere.
        let ours = !directory.join("stdout").exists();
        Ok(stored.offer.plan.steps.iter().enumerate().filter(|_| ours).map(left).collect())
    }

    /// The result of a finished attempt, as it is told.
    pub fn result(&self, attempt: &str) -> io::Result<Finished> {
        let directory = self.directory(attempt);
        let exit: Exit = read_json(&directory.join("exit.json"))?.ok_or(io::ErrorKind::NotFound)?;
        if exit.steps.is_empty() {
            return told_whole(attempt, &directory, exit);
        }
        for chars in HEAD_CHARS {
            let finished = told_in_steps(attempt, &directory, &exit, chars)?;
            if to_json(&FromAgent::Finished(finished.clone()))?.len() <= RESULT_BYTES_MAX || chars == 0 {
                return Ok(finished);
            }
        }
        unreachable!("the last of HEAD_CHARS is 0")
    }

    /// How far the streams of an attempt's steps have come on disk, in order.
    pub fn written(&self, attempt: &str) -> io::Result<Vec<Written>> {
        let directory = self.directory(attempt);
        let exit: Option<Exit> = read_json(&directory.join("exit.json"))?;
        let mut written = vec![];
        for at in 0.. {
            let own = step_directory(&directory, at);
            let ended = match &exit {
                Some(exit) => exit.steps.get(at).cloned(),
                None => read_json(&own.join("step.json"))?,
            };
            // Steps run in order; one that was skipped has no directory.
            if ended.is_none() && !own.exists() {
                break;
            }
            for (stream, name) in [(Stream::Stdout, "stdout"), (Stream::Stderr, "stderr")] {
                let far = match &ended {
                    Some(ended) => ended.kept(stream).map(|kept| (kept.bytes, Some(kept.cut))),
                    None => Some((file_len(&own.join(name)), None)),
                };
                let step = u32::try_from(at).unwrap_or(u32::MAX);
                written.extend(far.map(|(bytes, ended)| Written { step, stream, bytes, ended }));
            }
        }
        Ok(written)
    }

    /// A part of what a step wrote.
    pub fn read_output(
        &self,
        attempt: &str,
        step: u32,
        stream: Stream,
        offset: u64,
        bytes: usize,
    ) -> io::Result<Vec<u8>> {
        if bytes == 0 {
            return Ok(vec![]);
        }
        let name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        let file = File::open(step_directory(&self.directory(attempt), step as usize).join(name))?;
        let mut part = vec![0; bytes];
        file.read_exact_at(&mut part, offset)?;
        Ok(part)
    }

    /// Whether the host's own people want nothing new to be taken.
    pub fn drains(&self) -> bool {
        drains(&self.data)
    }

    /// Tells people of this host how the agent stands.
    pub fn note_status(&self, status: &Status) -> io::Result<()> {
        let path = self.data.join(STATUS);
        let aside = aside(&path);
        fs::write(&aside, to_json(status)?)?;
        fs::rename(&aside, &path)
    }

    /// When it began, if it did.
    pub fn began_at(&self, attempt: &str) -> io::Result<Option<Timestamp>> {
        Ok(began(&self.directory(attempt))?.map(|starting| starting.at))
    }

    /// The script's process, where its supervisor came to note it in this boot.
    pub fn script_process(&self, attempt: &str) -> Option<Process> {
        let directory = self.directory(attempt);
        let starting = began(&directory).ok()??;
        if starting.boot_id != self.boot_id {
            return None;
        }
        read_json(&directory.join("script.json")).ok()?
    }

    /// What the supervisor said about why it could not start.
    pub fn supervisor_words(&self, attempt: &str) -> String {
        read_head(&self.supervisor_log(attempt), LOG_CHARS_MAX).map(|(words, _)| words).unwrap_or_default()
    }

    pub(crate) fn supervisor_log(&self, attempt: &str) -> PathBuf {
        self.directory(attempt).join("supervisor.log")
    }

    /// Removes an attempt that has ended or has not begun. False when it runs.
    pub fn forget_unless_running(&self, attempt: &str) -> io::Result<bool> {
        if self.directory(attempt).exists()
            && !self.prevent(attempt)?
            && matches!(self.standing(attempt)?, Standing::Running(_))
        {
            return Ok(false);
        }
        self.forget(attempt).map(|()| true)
    }

    /// Removes an attempt: as a whole or not at all, so that no part of it is ever taken for another story.
    pub fn forget(&self, attempt: &str) -> io::Result<()> {
        let (directory, trash) = (self.directory(attempt), self.trash().join(file_name(attempt)));
        remove_if_there(&trash)?;
        match fs::rename(&directory, &trash) {
            Ok(()) => (),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        at_once(|| flush_directory(&self.trash()), || flush_directory(&self.attempts()))?;
        remove_if_there(&trash)
    }

    pub(crate) fn directory(&self, attempt: &str) -> PathBuf {
        self.attempts().join(file_name(attempt))
    }

    fn attempts(&self) -> PathBuf {
        self.data.join("attempts")
    }

    fn trash(&self) -> PathBuf {
        self.data.join("trash")
    }
}

const DRAIN: &str = "drain";
const STATUS: &str = "status.json";

/// How an agent stands, for people of its host: it says so when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    pub process: Option<Process>,
    pub version: String,
    pub instance_id: String,
    pub server: String,
    /// Since when the server has let it in, if it has.
    pub connected_since: Option<Timestamp>,
    pub draining: bool,
    /// How far the server's clock is ahead.
    pub ahead_ms: i64,
    /// Where it has the host's rules from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyFile>,
}

/// How the agent of this directory stands, as it last said.
pub fn status(data: &Path) -> io::Result<Option<Status>> {
    read_json(&data.join(STATUS))
}

/// Whether the agent of this directory is to take nothing new.
pub fn drains(data: &Path) -> bool {
    data.join(DRAIN).exists()
}

/// Has the agent of this directory take nothing new, or take work again.
pub fn drain(data: &Path, drains: bool) -> io::Result<()> {
    let path = data.join(DRAIN);
    if drains {
        return write_flushed(&path, b"", 0o600);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Every attempt in this directory, whoever has it open.
pub fn survey(data: &Path) -> io::Result<Vec<(Offer, Standing)>> {
    Journal { data: data.to_owned(), boot_id: host::boot_id()? }.survey()
}

/// Where secrets stand until they are used.
const SECRETS: &str = "secrets.json";

/// The values of an attempt's secrets. An earlier version kept them in the offer.
pub(crate) fn read_secrets(directory: &Path, stored: &Stored) -> io::Result<Vec<Variable>> {
    Ok(read_json(&directory.join(SECRETS))?.unwrap_or_else(|| stored.offer.secrets.clone()))
}

pub(crate) fn forget_secrets(directory: &Path) {
    match fs::remove_file(directory.join(SECRETS)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let _nobody_hears = writeln!(io::stderr(), "failed to remove what is secret: {error}");
        }
        _ => (),
    }
}

/// A step's own directory.
pub(crate) fn step_directory(attempt: &Path, at: usize) -> PathBuf {
    attempt.join("steps").join(at.to_string())
}

/// For whoever reads along, and for whoever finds no supervisor.
pub(crate) fn note_step(attempt: &Path, at: usize, exit: &StepExit) {
    let path = step_directory(attempt, at).join("step.json");
    let aside = aside(&path);
    let noted = to_json(exit).and_then(|bytes| fs::write(&aside, bytes)).and_then(|()| fs::rename(&aside, &path));
    if let Err(error) = noted {
        let _nobody_hears = writeln!(io::stderr(), "failed to note how a step ended: {error}");
    }
}

/// What was fetched for a step, before the attempt was accepted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    /// Each file's name and where it is.
    pub(crate) files: Vec<(String, PathBuf)>,
    /// Why there is none of it.
    pub(crate) failure: Option<Failure>,
}

/// Where what was fetched stands.
const CONTENT: &str = "content";

fn content_directory(attempt: &Path, step: usize) -> PathBuf {
    attempt.join(CONTENT).join(step.to_string())
}

pub(crate) fn content(attempt: &Path, step: usize) -> io::Result<Content> {
    let directory = content_directory(attempt, step);
    let names = match fs::read_to_string(directory.join("names.jsonl")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    let file = |(at, line)| Ok((serde_json::from_str::<String>(line)?, directory.join(usize::to_string(&at))));
    let files = names.lines().enumerate().map(file).collect::<io::Result<_>>()?;
    Ok(Content { files, failure: read_json(&directory.join("failure.json"))? })
}

/// A result as earlier versions left it: one script.
fn told_whole(attempt: &str, directory: &Path, exit: Exit) -> io::Result<Finished> {
    let (stdout, stdout_cut) = read_head(&directory.join("stdout"), STDOUT_CHARS_MAX)?;
    let (stderr, stderr_cut) = read_head(&directory.join("stderr"), STDERR_CHARS_MAX)?;
    Ok(Finished {
        attempt: attempt.to_owned(),
        ended: exit.ended,
        stdout,
        stderr,
        stdout_truncated: exit.stdout_truncated || stdout_cut,
        stderr_truncated: exit.stderr_truncated || stderr_cut,
        started_at: exit.started_at,
        finished_at: Some(exit.finished_at),
        verdict: exit.verdict,
        steps: vec![],
    })
}

/// A result with the first part of what each step wrote; `chars` characters for all of them.
fn told_in_steps(attempt: &str, directory: &Path, exit: &Exit, chars: usize) -> io::Result<Finished> {
    // Three parts in four are for the standard output, as the limits of one step are.
    let share = chars / exit.steps.len().max(1);
    let (stdout_chars, stderr_chars) = (STDOUT_CHARS_MAX.min(share / 4 * 3), STDERR_CHARS_MAX.min(share / 4));
    let mut steps = vec![];
    for (at, step) in exit.steps.iter().enumerate() {
        let own = step_directory(directory, at);
        let (stdout, stdout_cut) = read_head(&own.join("stdout"), stdout_chars)?;
        let (stderr, stderr_cut) = read_head(&own.join("stderr"), stderr_chars)?;
        steps.push(StepFinished {
            name: step.name.clone(),
            ended: step.ended.clone(),
            verdict: step.verdict,
            stdout,
            stderr,
            stdout_truncated: stdout_cut || step.stdout.is_some_and(|kept| kept.cut),
            stderr_truncated: stderr_cut || step.stderr.is_some_and(|kept| kept.cut),
            started_at: step.started_at,
            finished_at: step.finished_at,
        });
    }
    let (stdout, stdout_cut) = joined(steps.iter().map(|step| &*step.stdout), STDOUT_CHARS_MAX.min(chars));
    let (stderr, stderr_cut) = joined(steps.iter().map(|step| &*step.stderr), STDERR_CHARS_MAX.min(chars));
    Ok(Finished {
        attempt: attempt.to_owned(),
        ended: exit.ended.clone(),
        stdout,
        stderr,
        stdout_truncated: stdout_cut || steps.iter().any(|step| step.stdout_truncated),
        stderr_truncated: stderr_cut || steps.iter().any(|step| step.stderr_truncated),
        started_at: exit.started_at,
        finished_at: Some(exit.finished_at),
        verdict: exit.verdict,
        // The attempt is the step, where there is only one.
        steps: if steps.len() > 1 { steps } else { vec![] },
    })
}

/// What all steps wrote, one after the other, and whether that was more than `chars` characters.
fn joined<'a>(texts: impl Iterator<Item = &'a str>, chars: usize) -> (String, bool) {
    let mut all: String = texts.collect();
    let cut = cut_to(&mut all, chars);
    (all, cut)
}

fn private(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(directory)
}

fn made_up_instance_id() -> io::Result<String> {
    Ok(api::agent::made_up_instance_id(host::random()?, host::random()?))
}

/// A free-form id as a name that is safe on any file system.
fn file_name(attempt: &str) -> String {
    Id::of("attempt", attempt).to_string()
}

/// Creates `starting` for this process. False when another was first.
pub(crate) fn claim_start(directory: &Path, boot_id: &str) -> io::Result<bool> {
    claim(directory, boot_id, false)
}

fn claim(directory: &Path, boot_id: &str, prevented: bool) -> io::Result<bool> {
    let starting = Starting { boot_id: boot_id.to_owned(), supervisor: Process::current(), at: host::now(), prevented };
    // Who began it is of use while the host stays up; that it began is said by the name alone.
    let lasts = if prevented { Lasts::Content } else { Lasts::Name };
    create(&directory.join("starting"), &to_json(&starting)?, lasts)
}

/// Who began it, if anyone did.
pub(crate) fn began(directory: &Path) -> io::Result<Option<Starting>> {
    let path = directory.join("starting");
    let starting = match read_json(&path) {
        // Of an earlier start of the host, which ended before its content came to the disk.
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) => {
            Some(Starting { at: host::modified(&path)?, ..Starting::default() })
        }
        other => other?,
    };
    Ok(starting.filter(|starting| !starting.prevented))
}

/// Creates `exit.json`. A result that is already there stands.
pub(crate) fn conclude(directory: &Path, exit: &Exit) -> io::Result<()> {
    create(&directory.join("exit.json"), &to_json(exit)?, Lasts::Content).map(|_| ())
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn to_json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

/// Puts `bytes` in the place of whatever was at `path`.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = aside(path);
    write_flushed(&aside, bytes, 0o600)?;
    fs::rename(&aside, path)?;
    flush_directory(parent(path))
}

/// What of a new file is there after a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasts {
    Name,
    Content,
}

/// Creates `path` with `bytes` in it, unless it is there: then false.
fn create(path: &Path, bytes: &[u8], lasts: Lasts) -> io::Result<bool> {
    let aside = aside(path);
    let file = write(&aside, bytes, 0o600)?;
    if lasts == Lasts::Content {
        file.sync_data()?;
    }
    // A link, unlike a rename, fails when the name is taken.
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    let created = match linked {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    flush_directory(parent(path))?;
    Ok(created)
}

/// Beside `path`, and this process's own.
fn aside(path: &Path) -> PathBuf {
    path.with_extension(format!("tmp-{}", std::process::id()))
}

fn write_flushed(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    write(path, bytes, mode)?.sync_data()
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Two flushes together: the disk does them as one.
fn at_once(one: impl FnOnce() -> io::Result<()>, other: impl FnOnce() -> io::Result<()> + Send) -> io::Result<()> {
    thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        one.and(other.join().unwrap_or_else(|_| Err(io::Error::other("a flush ended early"))))
    })
}

fn flush_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn parent(path: &Path) -> &Path {
    path.parent().expect("journal files stand in a directory")
}

fn remove_if_there(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn file_len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// The first `chars` characters of a file, and whether there were more.
fn read_head(path: &Path, chars: usize) -> io::Result<(String, bool)> {
    let mut bytes = vec![];
    match File::open(path) {
        // One more than is told, to know of it.
        Ok(file) => file.take((chars as u64 + 1) * CHAR_BYTES_MAX).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    let cut = cut_to(&mut text, chars);
    Ok((text, cut))
}

/// Cuts a text to so many characters. Tells whether there were more.
fn cut_to(text: &mut String, chars: usize) -> bool {
    let end = text.char_indices().nth(chars).map(|(end, _)| end);
    end.into_iter().for_each(|end| text.truncate(end));
    end.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of the test's own, removed at its end.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Directory {
            Directory(std::env::temp_dir().join(format!("agent-journal-{:x}", host::random().expect("random"))))
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn offer(attempt: &str) -> Offer {
        Offer {
            attempt: attempt.to_owned(),
            document: "AWS-RunShellScript".to_owned(),
            plan: document::Plan::shell(document::Script {
                text: "true\n".to_owned(),
                working_directory: String::new(),
                execution_timeout_seconds: 1,
                environment: vec![],
            }),
            secrets: vec![],
            expires_at: Timestamp(0),
        }
    }

    fn standings(journal: &Journal) -> Vec<Standing> {
        journal.survey().expect("survey").into_iter().map(|(_, standing)| standing).collect()
    }

    fn lost() -> Failure {
        Failure { code: api::agent::failure::INDETERMINATE.to_owned(), message: "lost".to_owned(), exit_code: None }
    }

    #[test]
    fn an_attempt_is_accepted_begun_ended_and_forgotten() {
        let data = Directory::new();
        let (journal, _lock) = Journal::open(&data.0, "boot".to_owned()).expect("open");
        assert_eq!(journal.standing("a").expect("standing"), Standing::Nothing);
        journal.accept("mi-1", &Host::default(), &offer("a")).expect("accept");
        journal.accept("mi-1", &Host::default(), &offer("a")).expect("accept again");
        assert_eq!(standings(&journal), [Standing::Accepted]);
        assert!(claim_start(&journal.directory("a"), "boot").expect("claim"));
        assert_eq!(standings(&journal), [Standing::Running(Process::current())]);
        journal.conclude("a", lost()).expect("conclude");
        assert_eq!(standings(&journal), [Standing::Finished]);
        journal.forget("a").expect("forget");
        journal.forget("a").expect("forget again");
        assert_eq!(standings(&journal), []);
    }

    #[test]
    fn only_one_begins() {
        let data = Directory::new();
        let (journal, _lock) = Journal::open(&data.0, "boot".to_owned()).expect("open");
        journal.accept("mi-1", &Host::default(), &offer("a")).expect("accept");
        assert!(journal.prevent("a").expect("prevent"));
        assert!(!claim_start(&journal.directory("a"), "boot").expect("claim"));
        assert!(journal.prevent("a").expect("prevent"));
        assert_eq!(standings(&journal), [Standing::Accepted]);

        journal.accept("mi-1", &Host::default(), &offer("b")).expect("accept");
        assert!(claim_start(&journal.directory("b"), "boot").expect("claim"));
        assert!(!journal.prevent("b").expect("prevent"));
        assert!(!journal.forget_unless_running("b").expect("forget"));
        assert!(journal.forget_unless_running("a").expect("forget"));
        assert!(journal.forget_unless_running("a").expect("forget again"));
    }

    #[test]
    fn what_ran_before_the_host_started_is_indeterminate() {
        let data = Directory::new();
        let (journal, lock) = Journal::open(&data.0, "boot 1".to_owned()).expect("open");
        journal.accept("mi-1", &Host::default(), &offer("a")).expect("accept");
        assert!(claim_start(&journal.directory("a"), "boot 1").expect("claim"));
        drop(lock);
        let (journal, _lock) = Journal::open(&data.0, "boot 2".to_owned()).expect("open");
        assert_eq!(standings(&journal), [Standing::Indeterminate]);
    }

    #[test]
    fn a_beginning_of_which_only_the_name_is_left_is_indeterminate() {
        let data = Directory::new();
        let (journal, lock) = Journal::open(&data.0, "boot 1".to_owned()).expect("open");
        journal.accept("mi-1", &Host::default(), &offer("a")).expect("accept");
        assert!(claim_start(&journal.directory("a"), "boot 1").expect("claim"));
        drop(lock);
        for left in [&b""[..], &[0; 64]] {
            fs::write(journal.directory("a").join("starting"), left).expect("write");
            let (journal, _lock) = Journal::open(&data.0, "boot 2".to_owned()).expect("open");
            assert_eq!(standings(&journal), [Standing::Indeterminate]);
            assert!(!claim_start(&journal.directory("a"), "boot 2").expect("claim"));
            assert!(!journal.prevent("a").expect("prevent"));
            assert!(journal.began_at("a").expect("began").is_some_and(|at| at.0 > 0));
        }
        journal.conclude("a", lost()).expect("conclude");
        assert_eq!(standings(&journal), [Standing::Finished]);
    }

    #[test]
    fn the_first_result_stands() {
        let data = Directory::new();
        let (journal, _lock) = Journal::open(&data.0, "boot".to_owned()).expect("open");
        journal.accept("mi-1", &Host::default(), &offer("a")).expect("accept");
        let exit = Exit {
            ended: Ended::ExitCode(0),
            started_at: Some(Timestamp(1)),
            finished_at: Timestamp(2),
            stdout_truncated: false,
            stderr_truncated: false,
            verdict: Verdict::Normal,
            steps: vec![],
        };
        conclude(&journal.directory("a"), &exit).expect("conclude");
        journal.conclude("a", lost()).expect("conclude again");
        assert_eq!(journal.result("a").expect("result").ended, Ended::ExitCode(0));
    }

    #[test]
    fn what_earlier_versions_left_is_read() {
        let data = Directory::new();
        let (journal, _lock) = Journal::open(&data.0, "boot".to_owned()).expect("open");
        let directory = journal.directory("a");
        private(&directory).expect("a directory");
        let put = |name: &str, text: &str| fs::write(directory.join(name), text).expect("a file");
        put(
            "offer.json",
            r#"{"instance_id":"mi-1","offer":{"attempt":"a","script":"echo hi","working_directory":"/tmp",
            "execution_timeout_seconds":7,"environment":[{"name":"A","value":"b"}],"expires_at":5}}"#,
        );
        put("accepted", "{}");
        let (offer, standing) = journal.survey().expect("survey").remove(0);
        assert_eq!(standing, Standing::Accepted);
        let script = offer.plan.first_script().expect("a script");
        assert_eq!((&*script.text, &*script.working_directory, script.environment.len()), ("echo hi", "/tmp", 1));
        assert_eq!(offer.plan.execution_timeout_seconds(), 7);

        put("stdout", "hi\n");
        put("stderr", "");
        put(
            "exit.json",
            r#"{"exit_code":3,"started_at":1,"finished_at":2,"stdout_truncated":false,"stderr_truncated":true}"#,
        );
        let told = journal.result("a").expect("a result");
        assert_eq!((&told.ended, &*told.stdout, told.stderr_truncated), (&Ended::ExitCode(3), "hi\n", true));
        assert_eq!((told.steps, journal.written("a").expect("streams")), (vec![], vec![]));
    }

    #[test]
    fn a_result_of_many_steps_fits_into_a_message() {
        let data = Directory::new();
        let (journal, _lock) = Journal::open(&data.0, "boot".to_owned()).expect("open");
        let mut many = offer("a");
        many.plan.steps = vec![many.plan.steps[0].clone(); 200];
        journal.accept("mi-1", &Host::default(), &many).expect("accept");
        let directory = journal.directory("a");
        for at in 0..200 {
            fs::create_dir_all(step_directory(&directory, at)).expect("a directory");
            // The costliest: six bytes each in JSON.
            fs::write(step_directory(&directory, at).join("stdout"), vec![1; 200_000]).expect("a file");
        }
        journal.conclude("a", lost()).expect("conclude");
        let told = journal.result("a").expect("a result");
        assert_eq!(told.steps.len(), 200);
        assert!(told.steps.iter().all(|step| step.stdout_truncated));
        assert!(to_json(&FromAgent::Finished(told)).expect("a text").len() < MESSAGE_BYTES_MAX);
    }

    #[test]
    fn what_was_not_accepted_in_full_means_nothing() {
        let data = Directory::new();
        let (journal, _lock) = Journal::open(&data.0, "boot".to_owned()).expect("open");
        journal.accept("mi-1", &Host::default(), &offer("a")).expect("accept");
        fs::remove_file(journal.directory("a").join("accepted")).expect("remove");
        assert_eq!(standings(&journal), [Standing::Nothing]);
        journal.accept("mi-1", &Host::default(), &offer("a")).expect("accept again");
        assert_eq!(standings(&journal), [Standing::Accepted]);
    }

    #[test]
    fn names_never_become_paths() {
        let data = Directory::new();
        let (journal, _lock) = Journal::open(&data.0, "boot".to_owned()).expect("open");
        for attempt in ["../../etc", "/etc/passwd", "a/b", "", ".", "\0", &"x".repeat(5000)] {
            journal.accept("mi-1", &Host::default(), &offer(attempt)).expect("accept");
            assert_eq!(journal.directory(attempt).parent(), Some(&*data.0.join("attempts")));
        }
        assert_eq!(journal.survey().expect("survey").len(), 7);
    }

    #[test]
    fn one_agent_at_a_time() {
        let data = Directory::new();
        let (_journal, _lock) = Journal::open(&data.0, "boot".to_owned()).expect("open");
        assert!(Journal::open(&data.0, "boot".to_owned()).is_err());
    }

    #[test]
    fn an_identity_is_made_once_and_counts_starts() {
        let data = Directory::new();
        let (journal, _lock) = Journal::open(&data.0, "boot".to_owned()).expect("open");
        let first = journal.identify(None).expect("identify");
        assert_eq!((first.instance_id.len(), &first.instance_id[..3], first.incarnation), (20, "mi-", 1));
        assert_eq!(journal.identify(None).expect("identify"), Identity { incarnation: 2, ..first });
    }

    #[test]
    fn an_identity_is_checked_before_it_is_kept_and_never_replaced() {
        let data = Directory::new();
        let (journal, _lock) = Journal::open(&data.0, "boot".to_owned()).expect("open");
        let identify = |asked: &str| journal.identify(Some(asked.to_owned()));
        for wrong in
            ["", "typo", "web-12345678", "mi-", "mi-1234567", "mi-123456789012345678", "i-1234567/", "i-1234567é"]
        {
            assert!(matches!(identify(wrong), Err(IdentifyError::Form { .. })), "{wrong}");
        }
        assert!(!data.0.join("identity.json").exists());

        let ours = Identity { instance_id: "i-12345678".to_owned(), incarnation: 1, registration: None };
        assert_eq!(identify("i-12345678").expect("identify"), ours);
        let refused = identify("mi-12345678901234567").expect_err("another identity").to_string();
        for told in ["i-12345678", "mi-12345678901234567", &data.0.display().to_string()] {
            assert!(refused.contains(told), "{refused}");
        }
        assert_eq!(identify("i-12345678").expect("identify"), Identity { incarnation: 2, ..ours });
    }
}

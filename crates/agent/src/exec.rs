//! The last thing before a job: a process that becomes another user, takes on limits, and then is the job's program.
//!
//! A process of its own, because a process that has other threads cannot become another user safely. It is this program
//! again, with a hidden word; nothing in it outlives the `exec`.
//!
//! **Invariant:** the program runs with every limit and every right that was asked for, or does not run.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use api::agent::{Failure, failure};
use document::Limits;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{AccessFlags, Gid, Uid, access, setgid, setgroups, setuid};
use serde::{Deserialize, Serialize};

use crate::journal::{read_json, to_json};
use crate::steps::because;

/// The hidden word with which this program starts it, before the order's path.
pub const EXEC: &str = "agent-exec";

/// Seconds of processor time between the signal that says it is used up and the one that ends it.
const CPU_GRACE_SECONDS: u64 = 5;

/// Beside the order: why the program could not be started.
const FAILED: &str = "exec-failed.json";

/// What the process is to become: `exec.json`. The environment is the process's own already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) user: Option<User>,
    #[serde(default)]
    pub(crate) limits: Limits,
    /// Whether the group of processes holds its memory and its number: then not each process does.
    #[serde(default)]
    pub(crate) group: Option<PathBuf>,
}

/// Who the process is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: PathBuf,
    pub(crate) shell: PathBuf,
}

/// Becomes what the order in this file says. What the hidden subcommand does.
pub fn exec(order: &Path) -> ExitCode {
    // Opened with the rights that we still have; whoever the program runs as never sees it.
    let report =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(order.with_file_name(FAILED));
    let failure = match read_json::<Order>(order) {
        Ok(Some(order)) => become_it(&order),
        Ok(None) => because(failure::START_FAILED, "what to start is gone"),
        Err(error) => because(failure::START_FAILED, format!("what to start cannot be read: {error}")),
    };
    match report.and_then(|report| write(report, &failure)) {
        Ok(()) => (),
        Err(_) => drop(writeln!(io::stderr(), "{}", failure.message)),
    }
    ExitCode::from(126)
}

fn write(mut report: File, failure: &Failure) -> io::Result<()> {
    report.write_all(&to_json(failure)?)
}

/// Why the program did not start, if it did not.
pub(crate) fn failure_of(order: &Path) -> Option<Failure> {
    read_json(&order.with_file_name(FAILED)).ok().flatten()
}

/// Returns only when it could not be done.
fn become_it(order: &Order) -> Failure {
    if let Some(group) = &order.group
        && let Err(error) = fs::write(group.join("cgroup.procs"), "0")
    {
        return because(failure::START_FAILED, format!("cgroup {} cannot be entered: {error}", group.display()));
    }
    if let Err(error) = limit(&order.limits, order.group.is_some()) {
        return because(failure::START_FAILED, format!("its limits cannot be set: {error}"));
    }
    if let Some(user) = &order.user {
        if let Err(error) = become_user(user) {
            return because(failure::USER_MISSING, format!("the agent may not become user {}: {error}", user.name));
        }
        if access(".", AccessFlags::X_OK).is_err() {
            let message = format!("user {} may not enter the working directory", user.name);
            return because(failure::WORKING_DIRECTORY_MISSING, message);
        }
    }
    let error = Command::new(&order.program).args(&order.arguments).exec();
    not_started(&order.program.display().to_string(), &error)
}

/// What it means that a program could not be executed.
pub(crate) fn not_started(program: &str, error: &io::Error) -> Failure {
    let code = match error.kind() {
        io::ErrorKind::NotFound => failure::SCRIPT_MISSING,
        io::ErrorKind::PermissionDenied => failure::NOT_EXECUTABLE,
        _ => failure::START_FAILED,
    };
    because(code, format!("{program} could not be started: {error}"))
}

fn limit(limits: &Limits, grouped: bool) -> nix::Result<()> {
    if let Some(seconds) = limits.cpu_seconds {
        setrlimit(Resource::RLIMIT_CPU, seconds, seconds.saturating_add(CPU_GRACE_SECONDS))?;
    }
    if let Some(mib) = limits.memory_mib.filter(|_| !grouped) {
        let bytes = mib.saturating_mul(1024 * 1024);
        setrlimit(Resource::RLIMIT_AS, bytes, bytes)?;
    }
    if let Some(processes) = limits.processes.filter(|_| !grouped) {
        setrlimit(Resource::RLIMIT_NPROC, processes, processes)?;
    }
    Ok(())
}

fn become_user(user: &User) -> nix::Result<()> {
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    // In this order: who is another user may not change groups any more.
    setgroups(&groups)?;
    setgid(Gid::from_raw(user.gid))?;
    setuid(Uid::from_raw(user.uid))
}

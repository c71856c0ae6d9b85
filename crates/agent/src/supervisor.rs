//! The supervisor: a process of its own for each script, which outlives the agent that started it.
//!
//! It puts `starting` on disk, runs the script in a process group of its own, keeps the first part of what the
//! script writes, ends it when it runs too long or when it is told to (`SIGTERM`), kills what is left of the
//! group, and puts `exit.json` on disk. It tries that until it succeeds, is told to end, or has no directory.
//!
//! **It does not know** the agent or the server. Its only words are one line on its standard output when
//! `starting` is on disk, which nobody needs to hear.
//!
//! **Invariant:** a script with the file `starting` is begun by the process that created it, or not at all.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use api::agent::{Ended, Failure, Offer, failure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::host::{self, Process};
use crate::journal::{self, Exit, STDERR_BYTES_MAX, STDOUT_BYTES_MAX, Stored};

/// How long a script has between `SIGTERM` and `SIGKILL`.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How long output is still read when the script is gone but something that left its group keeps the pipe.
const DRAIN_GRACE: Duration = Duration::from_millis(500);

/// How long to wait before trying again to write a result that could not be written.
const RESULT_RETRY: Duration = Duration::from_secs(1);

/// How often a script file that another process still holds is tried again.
const BUSY_TRIES_MAX: u32 = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// What a supervisor says on its standard output when `starting` is on disk.
pub const STARTING: &str = "starting";

/// Runs the attempt in `directory` to its end. What the hidden subcommand does.
pub fn supervise(directory: &Path) -> ExitCode {
    // A session of its own: what ends the agent's session does not end this. Fails when it has one already.
    let _has_one = nix::unistd::setsid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(supervise_to_end(directory))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_hears = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn supervise_to_end(directory: &Path) -> io::Result<()> {
    // Before `starting`: from then on a SIGTERM ends the script, not us.
    let mut cancel = signal(SignalKind::terminate())?;
    let stored: Stored = journal::read_json(&directory.join("offer.json"))?.ok_or(io::ErrorKind::NotFound)?;
    if !journal::claim_start(directory, &host::boot_id()?)? {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "attempt was begun by another process"));
    }
    let _nobody_hears = writeln!(io::stdout(), "{STARTING}").and_then(|()| io::stdout().flush());

    let started_at = host::now();
    let (ended, outputs) = match spawn(directory, &stored) {
        Ok(script) => run_to_end(directory, script, &stored.offer, &mut cancel).await,
        Err(failure) => (Ended::Failure(failure), Outputs::default()),
    };
    let exit = Exit {
        ended,
        started_at: Some(started_at),
        finished_at: host::now(),
        stdout_truncated: outputs.stdout_truncated,
        stderr_truncated: outputs.stderr_truncated,
    };
    // Heard from here on: an earlier SIGTERM was for the script.
    let mut told_to_end = signal(SignalKind::terminate())?;
    // A full disk must not cost a result: while we live, the attempt is running.
    while let Err(error) = journal::conclude(directory, &exit) {
        let _nobody_hears = writeln!(io::stderr(), "failed to write the result: {error}");
        // Where there is no directory any more, nobody would find the result.
        if !directory.try_exists().unwrap_or(true) {
            return Err(error);
        }
        tokio::select! {
            _ = told_to_end.recv() => return Err(error),
            () = sleep(RESULT_RETRY) => (),
        }
    }
    Ok(())
}

/// Why a script is ended.
#[derive(Debug, Clone, Copy)]
enum Cause {
    TimedOut,
    Cancelled,
}

#[derive(Debug, Default)]
struct Outputs {
    stdout_truncated: bool,
    stderr_truncated: bool,
}

async fn run_to_end(
    directory: &Path,
    mut script: Child,
    offer: &Offer,
    cancel: &mut tokio::signal::unix::Signal,
) -> (Ended, Outputs) {
    let group = Pid::from_raw(script.id() as i32);
    note_script(directory, group);
    let stdout = script.stdout.take().map(|pipe| capture(pipe, directory.join("stdout"), STDOUT_BYTES_MAX));
    let stderr = script.stderr.take().map(|pipe| capture(pipe, directory.join("stderr"), STDERR_BYTES_MAX));
    let mut gone = wait_uncollected(group);

    let cause = tokio::select! {
        biased;
        _ = &mut gone => None,
        _ = cancel.recv() => Some(Cause::Cancelled),
        () = sleep(Duration::from_secs(u64::from(offer.plan.execution_timeout_seconds()))) => Some(Cause::TimedOut),
    };
    if cause.is_some() {
        let _already_gone = killpg(group, Signal::SIGTERM);
        if timeout(KILL_GRACE, &mut gone).await.is_err() {
            let _already_gone = killpg(group, Signal::SIGKILL);
            let _closed = gone.await;
        }
    }
    // The script is not collected yet, so its number still means its group, and nobody else's.
    let _nothing_left = killpg(group, Signal::SIGKILL);
    let status = script.wait();
    let outputs = Outputs { stdout_truncated: drained(stdout).await, stderr_truncated: drained(stderr).await };
    (ended(status, cause, offer), outputs)
}

fn ended(status: io::Result<ExitStatus>, cause: Option<Cause>, offer: &Offer) -> Ended {
    let status = match status {
        Ok(status) => status,
        Err(error) => {
            return Ended::Failure(because(failure::INDETERMINATE, format!("script could not be waited for: {error}")));
        }
    };
    let exit_code = status.code().map(i64::from).or(status.signal().map(|signal| 128 + i64::from(signal)));
    let (code, message) = match (cause, status.code(), status.signal()) {
        (Some(Cause::TimedOut), _, _) => (
            failure::TIMED_OUT,
            format!("script ran for longer than {} seconds", offer.plan.execution_timeout_seconds()),
        ),
        (Some(Cause::Cancelled), _, _) => (failure::CANCELLED, "cancelled while it ran".to_owned()),
        (None, Some(code), _) => return Ended::ExitCode(i64::from(code)),
        (None, None, Some(signal)) => (failure::KILLED, format!("script was killed by {}", signal_name(signal))),
        (None, None, None) => (failure::KILLED, format!("script ended as {status}")),
    };
    Ended::Failure(Failure { code: code.to_owned(), message, exit_code })
}

fn spawn(directory: &Path, stored: &Stored) -> Result<Child, Failure> {
    let offer = &stored.offer;
    let Some(script) = offer.plan.first_script() else {
        return Err(because(failure::START_FAILED, "this agent runs shell scripts only".to_owned()));
    };
    let path = directory.join("script");
    let working_directory = match &*script.working_directory {
        "" => directory.join("work"),
        named => Path::new(named).to_owned(),
    };
    if !working_directory.is_dir() {
        let message = format!("working directory {} does not exist", working_directory.display());
        return Err(because(failure::WORKING_DIRECTORY_MISSING, message));
    }
    if !path.is_file() {
        return Err(because(failure::SCRIPT_MISSING, "script file is gone".to_owned()));
    }

    // A script that names its interpreter gets it, as under amazon-ssm-agent.
    let names_interpreter = script.text.starts_with("#!");
    let mut command = if names_interpreter { Command::new(&path) } else { Command::new("/bin/sh") };
    if !names_interpreter {
        command.arg(&path);
    }
    command
        .current_dir(&working_directory)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // The agent's own settings, its keys among them, are not the script's.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"DANDORI_")) {
        command.env_remove(name);
    }
    command.env("AWS_SSM_INSTANCE_ID", &stored.instance_id).env("DANDORI_ATTEMPT", &offer.attempt);
    for variable in &script.environment {
        let nameable =
            !variable.name.is_empty() && !variable.name.contains(['=', '\0']) && !variable.value.contains('\0');
        if !nameable {
            return Err(because(
                failure::START_FAILED,
                format!("environment variable {:?} cannot be set", variable.name),
            ));
        }
        command.env(&variable.name, &variable.value);
    }
    spawn_patiently(&mut command).map_err(|error| {
        let code = match error.kind() {
            io::ErrorKind::NotFound => failure::SCRIPT_MISSING,
            io::ErrorKind::PermissionDenied => failure::NOT_EXECUTABLE,
            _ => failure::START_FAILED,
        };
        let interpreter = script.text.lines().next().filter(|_| names_interpreter).unwrap_or("/bin/sh");
        because(code, format!("{interpreter} could not be started: {error}"))
    })
}

/// A file just written is busy while a process that was forked meanwhile has yet to let go of it.
fn spawn_patiently(command: &mut Command) -> io::Result<Child> {
    for _ in 0..BUSY_TRIES_MAX {
        match command.spawn() {
            Err(error) if error.raw_os_error() == Some(Errno::ETXTBSY as i32) => thread::sleep(BUSY_PAUSE),
            other => return other,
        }
    }
    command.spawn()
}

/// For whoever finds this supervisor gone and the script still there.
fn note_script(directory: &Path, group: Pid) {
    let process = Process::of(group.as_raw());
    let noted = journal::to_json(&process).and_then(|bytes| std::fs::write(directory.join("script.json"), bytes));
    if let Err(error) = noted {
        let _nobody_hears = writeln!(io::stderr(), "failed to note the script's process: {error}");
    }
}

/// Tells when `pid` has ended, and leaves it uncollected.
fn wait_uncollected(pid: Pid) -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
        let _nobody_waits = tell.send(());
    });
    told
}

/// Copies the first `bytes_max` bytes to a file and lets the rest go by. Tells whether there was a rest.
fn capture(mut pipe: impl Read + Send + 'static, path: std::path::PathBuf, bytes_max: u64) -> oneshot::Receiver<bool> {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        let mut file = File::create(path);
        let (mut buffer, mut room, mut lost) = ([0; 16_384], bytes_max, false);
        loop {
            let count = match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let kept = count.min(usize::try_from(room).unwrap_or(usize::MAX));
            let written = file.as_mut().is_ok_and(|file| file.write_all(&buffer[..kept]).is_ok());
            room -= kept as u64;
            lost |= kept < count || (!written && kept > 0);
        }
        if let Ok(file) = &file {
            // Before the result is: what it stands on must be there after a power cut too.
            let _best_effort = file.sync_data();
        }
        let _nobody_waits = tell.send(lost);
    });
    told
}

async fn drained(capture: Option<oneshot::Receiver<bool>>) -> bool {
    match capture {
        None => false,
        // Something that left the group still holds the pipe: what it writes is not the script's.
        Some(told) => timeout(DRAIN_GRACE, told).await.is_ok_and(|told| told.unwrap_or(true)),
    }
}

fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

fn because(code: &str, message: String) -> Failure {
    Failure { code: code.to_owned(), message, exit_code: None }
}

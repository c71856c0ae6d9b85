//! One program of a step: made ready, run in a process group of its own, and ended when it takes too long, when it is
//! told to, or when it is over and left something behind.
//!
//! **Invariant:** arguments, variables and what is on the standard input are data: no shell ever reads them.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use api::agent::{Ended, Failure, Variable, failure};
use document::{Job, Limits, Program, Script};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{self, Pid};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::cgroup::Cgroup;
use crate::exec::{self, EXEC, Order, User};
use crate::host::Process;
use crate::journal;
use crate::spool::Spool;
use crate::steps::because;

/// How long a script has between `SIGTERM` and `SIGKILL`.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How long output is still read when the script is gone but something that left its group keeps the pipe.
const DRAIN_GRACE: Duration = Duration::from_millis(500);

/// How often a script file that another process still holds is tried again.
const BUSY_TRIES_MAX: u32 = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Where this program is, whatever has been put in its place since.
const OURSELVES: &str = "/proc/self/exe";

/// Where a program runs, and what every program is told.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// The attempt's directory.
    pub(crate) attempt: &'a Path,
    /// The step's own directory in it.
    pub(crate) step: PathBuf,
    /// What the step has, unless it names another.
    pub(crate) work: PathBuf,
    pub(crate) variables: Vec<Variable>,
    pub(crate) secrets: Arc<Vec<Variable>>,
    /// Below which groups of processes may be made.
    pub(crate) groups: Option<&'a Path>,
}

/// What a program writes to.
#[derive(Debug, Clone)]
pub(crate) struct Spools {
    pub(crate) stdout: Spool,
    pub(crate) stderr: Spool,
}

/// A program with nothing left to do but to start it.
#[derive(Debug)]
pub(crate) struct Ready {
    command: Command,
    timeout_seconds: u32,
    /// What people call it.
    what: &'static str,
    /// What is said not to start.
    named: String,
    order: Option<PathBuf>,
    limits: Limits,
    group: Option<Cgroup>,
    pub(crate) working_directory: PathBuf,
}

/// Why a program is ended.
#[derive(Debug, Clone, Copy)]
enum Cause {
    TimedOut,
    Cancelled,
}

/// `aws:runShellScript`
pub(crate) fn shell(place: &Place<'_>, script: &Script) -> Result<Ready, Failure> {
    let path = place.file("script", &script.text, 0o700)?;
    // A script that names its interpreter gets it, as under amazon-ssm-agent.
    let (program, arguments, named) = if script.text.starts_with("#!") {
        (path, vec![], script.text.lines().next().unwrap_or_default().to_owned())
    } else {
        (PathBuf::from("/bin/sh"), vec![path_text(&path)?], "/bin/sh".to_owned())
    };
    place.script(script, &program, arguments, named)
}

/// `aws:runPowerShellScript`: with PowerShell Core, where it is there.
pub(crate) fn powershell(place: &Place<'_>, script: &Script) -> Result<Ready, Failure> {
    let path = place.file("script.ps1", &script.text, 0o700)?;
    let arguments = ["-NoLogo", "-NoProfile", "-NonInteractive", "-File"].map(str::to_owned);
    let arguments = arguments.into_iter().chain([path_text(&path)?]).collect();
    place.script(script, Path::new("pwsh"), arguments, "pwsh".to_owned())
}

/// `dandori:runJob`
pub(crate) fn job(place: &Place<'_>, job: &Job) -> Result<Ready, Failure> {
    let user = job.user.as_deref().map(find_user).transpose()?.flatten();
    let (program, arguments, named) = match &job.program {
        Program::File(path) if path.is_empty() => {
            return Err(because(failure::SCRIPT_MISSING, "no program is named"));
        }
        // As in a command line: a bare name is looked for, any other is relative to the working directory.
        Program::File(path) => (PathBuf::from(path), job.arguments.clone(), path.clone()),
        Program::Script(text) => {
            let path = place.file("script", text, 0o700)?;
            if let Some(user) = &user {
                place.let_in(user, &path)?;
            }
            let first = text.lines().next().unwrap_or_default().to_owned();
            let path_given = path_text(&path)?;
            match text.starts_with("#!") {
                true => (path, job.arguments.clone(), first),
                false => {
                    let arguments = [path_given].into_iter().chain(job.arguments.iter().cloned()).collect();
                    (PathBuf::from("/bin/sh"), arguments, "/bin/sh".to_owned())
                }
            }
        }
    };
    if let Some(nul) = job.arguments.iter().chain(job.stdin.iter()).chain([&named]).find(|text| text.contains('\0')) {
        return Err(because(failure::START_FAILED, format!("{nul:?} holds a NUL, which no program can be given")));
    }
    let working_directory = place.working_directory(&job.working_directory)?;
    if let Some(user) = user.as_ref().filter(|_| job.working_directory.is_empty()) {
        place.let_in(user, &working_directory)?;
    }
    let limited = job.limits != Limits::default();
    let group = place.groups.filter(|_| limited).and_then(|groups| Cgroup::create(groups, place.attempt, &job.limits));
    let mut command = if limited || user.is_some() {
        let group = group.as_ref().map(|group| group.path().to_owned());
        let order = Order { program, arguments, user: user.clone(), limits: job.limits.clone(), group };
        let written = journal::to_json(&order).and_then(|bytes| fs::write(place.order(), bytes));
        written.map_err(|error| because(failure::START_FAILED, format!("job could not be written: {error}")))?;
        let mut command = Command::new(OURSELVES);
        command.arg(EXEC).arg(place.order());
        command
    } else {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    };
    let order = (limited || user.is_some()).then(|| place.order());
    match &user {
        Some(user) => as_user(&mut command, user),
        None => without_ours(&mut command),
    }
    place.variables(&mut command, &job.environment)?;
    for secret in &job.secrets {
        let given = place.secrets.iter().find(|given| given.name == secret.name);
        let given = given.ok_or_else(|| {
            because(failure::START_FAILED, format!("the value of secret {} was not given", secret.name))
        })?;
        set(&mut command, given)?;
    }
    command.current_dir(&working_directory).stdin(place.stdin(job.stdin.as_deref())?);
    Ok(Ready {
        command,
        timeout_seconds: job.execution_timeout_seconds,
        what: "job",
        named,
        order,
        limits: job.limits.clone(),
        group,
        working_directory,
    })
}

impl Place<'_> {
    fn script(&self, script: &Script, program: &Path, arguments: Vec<String>, named: String) -> Result<Ready, Failure> {
        let working_directory = self.working_directory(&script.working_directory)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&working_directory).stdin(Stdio::null());
        without_ours(&mut command);
        self.variables(&mut command, &script.environment)?;
        Ok(Ready {
            command,
            timeout_seconds: script.execution_timeout_seconds,
            what: "script",
            named,
            order: None,
            limits: Limits::default(),
            group: None,
            working_directory,
        })
    }

    /// A file of the step's own.
    fn file(&self, name: &str, text: &str, mode: u32) -> Result<PathBuf, Failure> {
        let path = self.step.join(name);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| because(failure::START_FAILED, format!("script could not be written: {error}")))?;
        Ok(path)
    }

    fn working_directory(&self, named: &str) -> Result<PathBuf, Failure> {
        let directory = if named.is_empty() { self.work.clone() } else { self.work.join(named) };
        if directory.is_dir() {
            return Ok(directory);
        }
        let message = format!("working directory {} does not exist", directory.display());
        Err(because(failure::WORKING_DIRECTORY_MISSING, message))
    }

    fn order(&self) -> PathBuf {
        self.step.join("exec.json")
    }

    /// Gives a user what lies in our directory, and the way there: passing through, no more.
    fn let_in(&self, user: &User, path: &Path) -> Result<(), Failure> {
        let own = self.attempt.parent().and_then(Path::parent).into_iter().chain(self.attempt.parent());
        let steps = self.step.ancestors().take_while(|directory| *directory != self.attempt);
        let opened = own.chain([self.attempt]).chain(steps).try_for_each(|directory| {
            let mode = fs::metadata(directory)?.permissions().mode();
            fs::set_permissions(directory, Permissions::from_mode(mode | 0o011))
        });
        let given = opened.and_then(|()| chown(path, Some(user.uid), Some(user.gid)));
        given.map_err(|error| {
            because(failure::START_FAILED, format!("{} cannot be given to {}: {error}", path.display(), user.name))
        })
    }

    fn variables(&self, command: &mut Command, own: &[Variable]) -> Result<(), Failure> {
        self.variables.iter().chain(own).try_for_each(|variable| set(command, variable))
    }

    /// From a file without a name, so that nobody waits for anybody and nothing is left.
    fn stdin(&self, text: Option<&str>) -> Result<Stdio, Failure> {
        let Some(text) = text else { return Ok(Stdio::null()) };
        let path = self.file("stdin", text, 0o600)?;
        let opened = File::open(&path).and_then(|file| fs::remove_file(&path).map(|()| file));
        opened
            .map(Stdio::from)
            .map_err(|error| because(failure::START_FAILED, format!("standard input could not be written: {error}")))
    }
}

fn set(command: &mut Command, variable: &Variable) -> Result<(), Failure> {
    let nameable = !variable.name.is_empty() && !variable.name.contains(['=', '\0']) && !variable.value.contains('\0');
    if !nameable {
        return Err(because(failure::START_FAILED, format!("environment variable {:?} cannot be set", variable.name)));
    }
    command.env(&variable.name, &variable.value);
    Ok(())
}

/// The agent's own settings, its keys among them, are not the script's.
fn without_ours(command: &mut Command) {
    let ours = |name: &OsString| name.as_encoded_bytes().starts_with(b"DANDORI_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
}

/// What a login of this user begins with; nothing of the agent's.
fn as_user(command: &mut Command, user: &User) {
    command.env_clear();
    for name in ["LANG", "LC_ALL", "TZ"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", &user.home)
        .env("USER", &user.name)
        .env("LOGNAME", &user.name)
        .env("SHELL", &user.shell);
}

fn path_text(path: &Path) -> Result<String, Failure> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| because(failure::START_FAILED, "the agent's directory has a name that is not UTF-8"))
}

/// The user of this name; none where that is who we are.
fn find_user(name: &str) -> Result<Option<User>, Failure> {
    let missing = || because(failure::USER_MISSING, format!("there is no user {name:?} on this host"));
    // A name with a NUL is nobody's.
    let found = unistd::User::from_name(name).ok().flatten().ok_or_else(missing)?;
    if found.uid == unistd::geteuid() {
        return Ok(None);
    }
    if !unistd::geteuid().is_root() {
        return Err(because(failure::USER_MISSING, format!("the agent is not root and may not become user {name:?}")));
    }
    let c_name = std::ffi::CString::new(name).map_err(|_| missing())?;
    let groups = unistd::getgrouplist(&c_name, found.gid).map_err(|error| {
        because(failure::USER_MISSING, format!("the groups of user {name:?} cannot be read: {error}"))
    })?;
    Ok(Some(User {
        name: found.name,
        uid: found.uid.as_raw(),
        gid: found.gid.as_raw(),
        groups: groups.into_iter().map(unistd::Gid::as_raw).collect(),
        home: found.dir,
        shell: found.shell,
    }))
}

impl Ready {
    /// Runs the program to its end.
    pub(crate) async fn run(
        mut self,
        place: &Place<'_>,
        spools: &Spools,
        cancel: &mut tokio::signal::unix::Signal,
    ) -> Ended {
        self.command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let script = match spawn_patiently(&mut self.command) {
            Ok(script) => script,
            Err(error) => return Ended::Failure(exec::not_started(&self.named, &error)),
        };
        let (status, cause) = self.run_to_end(place, script, spools, cancel).await;
        if let Some(failure) = self.order.as_deref().and_then(exec::failure_of) {
            return Ended::Failure(failure);
        }
        self.ended(status, cause)
    }

    async fn run_to_end(
        &self,
        place: &Place<'_>,
        mut script: Child,
        spools: &Spools,
        cancel: &mut tokio::signal::unix::Signal,
    ) -> (io::Result<ExitStatus>, Option<Cause>) {
        let group = Pid::from_raw(script.id() as i32);
        note_script(place.attempt, group);
        let stdout = script.stdout.take().map(|pipe| spools.stdout.capture(pipe));
        let stderr = script.stderr.take().map(|pipe| spools.stderr.capture(pipe));
        let mut gone = wait_uncollected(group);

        let cause = tokio::select! {
            biased;
            _ = &mut gone => None,
            _ = cancel.recv() => Some(Cause::Cancelled),
            () = sleep(Duration::from_secs(u64::from(self.timeout_seconds))) => Some(Cause::TimedOut),
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
        if let Some(group) = &self.group {
            group.kill();
        }
        let status = script.wait();
        // Something that left the group may still hold the pipe: what it writes is not the script's.
        let grace = tokio::time::Instant::now() + DRAIN_GRACE;
        for told in [stdout, stderr].into_iter().flatten() {
            let _held = tokio::time::timeout_at(grace, told).await;
        }
        (status, cause)
    }

    fn ended(&self, status: io::Result<ExitStatus>, cause: Option<Cause>) -> Ended {
        let what = self.what;
        let status = match status {
            Ok(status) => status,
            Err(error) => {
                return Ended::Failure(because(
                    failure::INDETERMINATE,
                    format!("{what} could not be waited for: {error}"),
                ));
            }
        };
        let exit_code = status.code().map(i64::from).or(status.signal().map(|signal| 128 + i64::from(signal)));
        let exceeded = self.exceeded(exit_code).filter(|_| cause.is_none());
        if let Some(message) = exceeded {
            return Ended::Failure(Failure { code: failure::LIMIT_EXCEEDED.to_owned(), message, exit_code });
        }
        let (code, message) = match (cause, status.code(), status.signal()) {
            (Some(Cause::TimedOut), _, _) => {
                (failure::TIMED_OUT, format!("{what} ran for longer than {} seconds", self.timeout_seconds))
            }
            (Some(Cause::Cancelled), _, _) => (failure::CANCELLED, "cancelled while it ran".to_owned()),
            (None, Some(code), _) => return Ended::ExitCode(i64::from(code)),
            (None, None, Some(signal)) => (failure::KILLED, format!("{what} was killed by {}", signal_name(signal))),
            (None, None, None) => (failure::KILLED, format!("{what} ended as {status}")),
        };
        Ended::Failure(Failure { code: code.to_owned(), message, exit_code })
    }

    /// Which limit killed it, where that can be known.
    fn exceeded(&self, exit_code: Option<i64>) -> Option<String> {
        let (what, limits) = (self.what, &self.limits);
        // The signal, or a shell's word for a child that got it.
        let used_up = exit_code == Some(128 + Signal::SIGXCPU as i64);
        if let Some(seconds) = limits.cpu_seconds.filter(|_| used_up) {
            return Some(format!("{what} used more than {seconds} seconds of processor time"));
        }
        let mib = limits.memory_mib?;
        let out_of_memory = self.group.as_ref().is_some_and(Cgroup::ran_out_of_memory);
        out_of_memory.then(|| format!("{what} used more than {mib} MiB of memory"))
    }
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
    let noted = journal::to_json(&process).and_then(|bytes| fs::write(directory.join("script.json"), bytes));
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

fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

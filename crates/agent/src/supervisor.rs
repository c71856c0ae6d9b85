//! The supervisor: a process of its own for each attempt, which outlives the agent that started it.
//!
//! It puts `starting` on disk, runs the plan's steps in order, keeps what they write ([`crate::spool`]), ends what runs
//! too long and everything when it is told to (`SIGTERM`), kills what is left of each step, and puts `exit.json` on
//! disk. It tries that until it succeeds, is told to end, or has no directory.
//!
//! **It does not know** the agent or the server. Its only words are one line on its standard output when
//! `starting` is on disk, which nobody needs to hear.
//!
//! **Invariant:** a step of an attempt with the file `starting` is begun by the process that created it, or not at all.

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use api::agent::{Ended, Failure, StepEnded, Variable, failure};
use document::{Action, Job, Plan, Step, Stream, Verdict};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::download;
use crate::host;
use crate::journal::{self, Exit, StepExit, Stored};
use crate::judge::{self, Before, Lines};
use crate::local_document;
use crate::policy::Policy;
use crate::program::{self, Place, Ready, Spools};
use crate::spool::{Kept, Room, Spool};
use crate::steps::{Flow, Judged, Turn, because, platform_here};

/// How long to wait before trying again to write a result that could not be written.
const RESULT_RETRY: Duration = Duration::from_secs(1);

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
    let cancel = signal(SignalKind::terminate())?;
    let stored: Stored = journal::read_json(&directory.join("offer.json"))?.ok_or(io::ErrorKind::NotFound)?;
    let secrets = journal::read_secrets(directory, &stored)?;
    if !journal::claim_start(directory, &host::boot_id()?)? {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "attempt was begun by another process"));
    }
    let _nobody_hears = writeln!(io::stdout(), "{STARTING}").and_then(|()| io::stdout().flush());
    // It is ours alone now, and we have read it.
    journal::forget_secrets(directory);

    let room = Room::new(stored.host.output_bytes_max);
    let policy = Policy::read(stored.host.policy.clone());
    let exit = Supervisor { policy, directory, stored: &stored, secrets: Arc::new(secrets), room, cancel }.run().await;
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

/// Where an action stands.
#[derive(Debug, Clone, Copy)]
struct Nesting {
    /// The plan's step that it is, if it is one.
    step: Option<usize>,
    /// In so many documents that were read on this host.
    depth: u32,
}

fn private_directory(directory: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| because(failure::START_FAILED, format!("the step's directory could not be made: {error}")))
}

struct Supervisor<'a> {
    directory: &'a Path,
    stored: &'a Stored,
    secrets: Arc<Vec<Variable>>,
    room: Room,
    policy: Policy,
    cancel: Signal,
}

impl Supervisor<'_> {
    /// Each step in its turn.
    async fn run(mut self) -> Exit {
        let stored = self.stored;
        let started_at = host::now();
        let (mut flow, mut steps) = (Flow::default(), vec![]);
        for (at, step) in stored.offer.plan.steps.iter().enumerate() {
            let (started_at, turn) = (host::now(), flow.turn(step, platform_here()));
            let ran = turn == Turn::Run;
            let (judged, kept) = match turn {
                Turn::Run => self.run_step(at, step).await,
                Turn::Skip(why) => (Judged { ended: StepEnded::Skipped(why), verdict: Verdict::Normal }, None),
                Turn::Cancelled => (Judged::failed(because(failure::CANCELLED, "cancelled before it began")), None),
            };
            flow.ended(step, &judged);
            let exit = StepExit {
                name: step.name.clone(),
                ended: judged.ended,
                verdict: judged.verdict,
                started_at: ran.then_some(started_at),
                finished_at: ran.then(host::now),
                stdout: kept.map(|(stdout, _)| stdout),
                stderr: kept.map(|(_, stderr)| stderr),
            };
            if ran {
                journal::note_step(self.directory, at, &exit);
            }
            steps.push(exit);
        }
        let (ended, verdict) = flow.whole();
        let cut = |of: fn(&StepExit) -> Option<Kept>| steps.iter().filter_map(of).any(|kept| kept.cut);
        Exit {
            ended,
            verdict,
            started_at: Some(started_at),
            finished_at: host::now(),
            stdout_truncated: cut(|step| step.stdout),
            stderr_truncated: cut(|step| step.stderr),
            steps,
        }
    }

    async fn run_step(&mut self, at: usize, step: &Step) -> (Judged, Option<(Kept, Kept)>) {
        let directory = journal::step_directory(self.directory, at);
        if let Err(failure) = private_directory(&directory) {
            return (Judged::failed(failure), None);
        }
        let spool = |name: &str| Spool::create(&directory.join(name), self.room.clone());
        let spools = Spools { stdout: spool("stdout"), stderr: spool("stderr") };
        let judged = self.perform(&step.action, directory, Nesting { step: Some(at), depth: 0 }, &spools).await;
        (judged, Some((spools.stdout.close(), spools.stderr.close())))
    }

    async fn perform(&mut self, action: &Action, directory: PathBuf, nesting: Nesting, spools: &Spools) -> Judged {
        let place = Place {
            attempt: self.directory,
            step: directory,
            work: self.directory.join("work"),
            variables: self.variables(),
            secrets: self.secrets.clone(),
            groups: self.stored.host.groups.as_deref(),
        };
        if let Err(why) = self.policy.allows_action(action, &place.work) {
            return Judged::failed(because(failure::ACCESS_DENIED, why));
        }
        match action {
            Action::Shell(script) => self.plain(program::shell(&place, script), &place, spools).await,
            Action::PowerShell(script) => self.plain(program::powershell(&place, script), &place, spools).await,
            Action::Job(job) => self.job(job, &place, spools).await,
            Action::Download(wanted) => match download::perform(wanted, place.attempt, nesting.step, &place.work) {
                Ok(words) => {
                    spools.stdout.say(&words);
                    Judged::plain(Ended::ExitCode(0))
                }
                Err(failure) => Judged::failed(failure),
            },
            Action::Document(wanted) => match local_document::read(wanted, nesting.depth, &place.work) {
                // A document in a document: the compiler has to be told that this ends.
                Ok(plan) => Box::pin(self.document(&plan, &place, nesting, spools)).await,
                Err(failure) => Judged::failed(failure),
            },
        }
    }

    /// Runs the steps of a document as one step, whose output they share.
    async fn document(&mut self, plan: &Plan, place: &Place<'_>, nesting: Nesting, spools: &Spools) -> Judged {
        let mut flow = Flow::default();
        for (at, step) in plan.steps.iter().enumerate() {
            let judged = match flow.turn(step, platform_here()) {
                Turn::Run => {
                    let directory = place.step.join(at.to_string());
                    match private_directory(&directory) {
                        Ok(()) => {
                            let nesting = Nesting { step: None, depth: nesting.depth + 1 };
                            self.perform(&step.action, directory, nesting, spools).await
                        }
                        Err(failure) => Judged::failed(failure),
                    }
                }
                Turn::Skip(why) => Judged { ended: StepEnded::Skipped(why), verdict: Verdict::Normal },
                Turn::Cancelled => Judged::failed(because(failure::CANCELLED, "cancelled before it began")),
            };
            // The output is all that is told of steps in a step.
            if let StepEnded::Failure(why) = &judged.ended {
                spools.stderr.say(&format!("step {}: {}\n", step.name, why.message));
            }
            flow.ended(step, &judged);
        }
        let (ended, verdict) = flow.whole();
        match ended {
            Ended::ExitCode(code) => Judged { ended: StepEnded::ExitCode(code), verdict },
            Ended::Failure(failure) => Judged::failed(failure),
        }
    }

    async fn plain(&mut self, ready: Result<Ready, Failure>, place: &Place<'_>, spools: &Spools) -> Judged {
        match ready {
            Ok(ready) => Judged::plain(ready.run(place, spools, &mut self.cancel).await),
            Err(failure) => Judged::failed(failure),
        }
    }

    async fn job(&mut self, job: &Job, place: &Place<'_>, spools: &Spools) -> Judged {
        let lines = |stream| Lines::of(&job.judgement, stream);
        let (stdout, stderr) = match (lines(Stream::Stdout), lines(Stream::Stderr)) {
            (Ok(stdout), Ok(stderr)) => (stdout, stderr),
            (Err(message), _) | (_, Err(message)) => return Judged::failed(because(failure::START_FAILED, message)),
        };
        let ready = match program::job(place, job) {
            Ok(ready) => ready,
            Err(failure) => return Judged::failed(failure),
        };
        let base = ready.working_directory.clone();
        let before = Before::of(&job.judgement, &base);
        spools.stdout.watch(stdout);
        spools.stderr.watch(stderr);
        let ended = ready.run(place, spools, &mut self.cancel).await;
        let watched = [spools.stdout.watched(), spools.stderr.watched()].into_iter().flatten();
        let written = watched.map(Lines::worst).max().unwrap_or_default();
        judge::judge(&job.judgement, ended, written, &before, &base)
    }

    /// What every program of ours is told.
    fn variables(&self) -> Vec<Variable> {
        let variable = |name: &str, value: &str| Variable { name: name.to_owned(), value: value.to_owned() };
        vec![
            variable("AWS_SSM_INSTANCE_ID", &self.stored.instance_id),
            variable("DANDORI_ATTEMPT", &self.stored.offer.attempt),
        ]
    }
}

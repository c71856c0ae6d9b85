//! The steps of an invocation as AWS shows them: its plugins.

use std::borrow::Cow;

use base::Timestamp;
use document::{Stream, Verdict};

use crate::message::{Ended, Failure, Outcome, StepEnded, StepOutcome};
use crate::output;
use crate::run::{Invocation, Run};
use crate::status::InvocationStatus;

/// One step of a command on one instance, as far as is known.
#[derive(Debug, Clone)]
pub struct Plugin<'r> {
    /// Its place in the plan.
    pub step: usize,
    /// The step's name; that of its action where the document gives it none.
    pub name: &'r str,
    pub status: InvocationStatus,
    /// −1 until there is one.
    pub response_code: i64,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub verdict: Verdict,
    /// Why it did not run to its end, or not as it should.
    pub failure: Option<Failure>,
    pub stdout: Cow<'r, str>,
    /// What it wrote; if it wrote nothing, why it did not run to its end.
    pub stderr: Cow<'r, str>,
    pub stdout_truncated: bool,
    pub stderr_truncated: bool,
}

impl Plugin<'_> {
    /// Whether more of a stream was written than is here.
    pub fn is_truncated(&self, stream: Stream) -> bool {
        match stream {
            Stream::Stdout => self.stdout_truncated,
            Stream::Stderr => self.stderr_truncated,
        }
    }

    /// AWS's `CommandPlugins[].Output`.
    pub fn output(&self) -> String {
        output::both(&self.stdout, &self.stderr)
    }
}

impl Run {
    /// Each step of the plan on one instance. Until the invocation has ended, and where it ended before a step was
    /// reported, the step stands where the invocation does.
    pub fn plugins<'r>(&'r self, invocation: &'r Invocation) -> Vec<Plugin<'r>> {
        let Some((send, _)) = self.sent() else { return vec![] };
        let names: Vec<&str> = send.plan.steps.iter().map(|step| &*step.name).collect();
        match (&*names, invocation.outcome()) {
            ([name], Some(outcome)) => vec![of_outcome(0, name, invocation, outcome)],
            (names, Some(outcome)) => {
                let reported = |step: usize, name: &str| {
                    let again = names[..step].iter().filter(|before| **before == name).count();
                    outcome.steps.iter().filter(|one| one.name == name).nth(again)
                };
                let plugin = |(step, name): (usize, &&'r str)| match reported(step, name) {
                    Some(reported) => of_step(step, reported),
                    None => Plugin { stderr: reason(&outcome.ended), ..standing(step, name, invocation) },
                };
                names.iter().enumerate().map(plugin).collect()
            }
            (names, None) => names.iter().enumerate().map(|(step, name)| standing(step, name, invocation)).collect(),
        }
    }

    /// The step of this name, or the only one (`GetCommandInvocation`, PluginName).
    pub fn plugin<'r>(&'r self, invocation: &'r Invocation, name: Option<&str>) -> Option<Plugin<'r>> {
        let mut plugins = self.plugins(invocation);
        match name {
            Some(name) => plugins.into_iter().find(|plugin| plugin.name == name),
            None if plugins.len() == 1 => plugins.pop(),
            None => None,
        }
    }
}

/// The only step: what is known of it is known of the invocation.
fn of_outcome<'r>(step: usize, name: &'r str, invocation: &'r Invocation, outcome: &'r Outcome) -> Plugin<'r> {
    Plugin {
        step,
        name,
        status: invocation.status(),
        response_code: outcome.response_code(),
        started_at: invocation.started_at(),
        finished_at: invocation.finished_at(),
        verdict: outcome.verdict,
        failure: outcome.failure(),
        stdout: Cow::Borrowed(&outcome.stdout),
        stderr: if outcome.stderr.is_empty() { reason(&outcome.ended) } else { Cow::Borrowed(&outcome.stderr) },
        stdout_truncated: outcome.stdout_truncated,
        stderr_truncated: outcome.stderr_truncated,
    }
}

fn of_step(step: usize, reported: &StepOutcome) -> Plugin<'_> {
    let outcome = reported.as_outcome();
    let told: Cow<'_, str> = match &reported.ended {
        StepEnded::Failure(failure) if reported.stderr.is_empty() => {
            Cow::Owned(format!("{}: {}", failure.code, failure.cause))
        }
        StepEnded::Failure(_) | StepEnded::ExitCode(_) | StepEnded::Skipped(_) => Cow::Borrowed(&reported.stderr),
    };
    Plugin {
        step,
        name: &reported.name,
        status: InvocationStatus::of(&outcome),
        response_code: outcome.response_code(),
        started_at: reported.started_at,
        finished_at: reported.finished_at,
        verdict: reported.verdict,
        failure: outcome.failure(),
        stdout: Cow::Borrowed(match &reported.ended {
            StepEnded::Skipped(why) if reported.stdout.is_empty() => why,
            StepEnded::Skipped(_) | StepEnded::ExitCode(_) | StepEnded::Failure(_) => &reported.stdout,
        }),
        stderr: told,
        stdout_truncated: reported.stdout_truncated,
        stderr_truncated: reported.stderr_truncated,
    }
}

/// A step of which nothing is known but where its invocation stands.
fn standing<'r>(step: usize, name: &'r str, invocation: &Invocation) -> Plugin<'r> {
    let only = step == 0;
    Plugin {
        step,
        name,
        status: invocation.status(),
        response_code: -1,
        started_at: invocation.started_at().filter(|_| only && invocation.outcome().is_none()),
        finished_at: None,
        verdict: Verdict::Normal,
        failure: None,
        stdout: Cow::Borrowed(""),
        stderr: Cow::Borrowed(""),
        stdout_truncated: false,
        stderr_truncated: false,
    }
}

fn reason(ended: &Ended) -> Cow<'_, str> {
    match ended {
        Ended::Failure(failure) => Cow::Owned(format!("{}: {}", failure.code, failure.cause)),
        Ended::ExitCode(_) => Cow::Borrowed(""),
    }
}

impl StepOutcome {
    /// As if it had been the only step, without its output.
    fn as_outcome(&self) -> Outcome {
        let ended = match &self.ended {
            StepEnded::ExitCode(code) => Ended::ExitCode(*code),
            StepEnded::Failure(failure) => Ended::Failure(failure.clone()),
            StepEnded::Skipped(_) => Ended::ExitCode(0),
        };
        Outcome { verdict: self.verdict, ..Outcome::of(ended) }
    }
}

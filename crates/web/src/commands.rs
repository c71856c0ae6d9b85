//! Run Command: what is sent to instances, and what becomes of it.

use api::{
    Attempt, Command, CommandCancel, CommandSend, CommandTarget, Ending, Instance, Invocation, InvocationStep, Page,
    Verdict,
};
use axum::Json;
use axum::extract::State as Extracted;
use base::Timestamp;
use runtime::commands::{self, CommandFilter};
use runtime::directories::Changing;
use serde::Deserialize;

use crate::State;
use crate::extract::{Asked, Body, Name, Paging, Who};
use crate::refusal::Answer;
use crate::wire::{self, page};

pub(crate) async fn instances(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<Instance>> {
    let paged = state.runtime.instance_list(&caller, paging.page()).await?;
    Ok(Json(page(paged, wire::instance)))
}

pub(crate) async fn list(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<Command>> {
    let paged = state.runtime.command_list(&caller, CommandFilter::default(), paging.page()).await?;
    Ok(Json(page(paged, |run| command(&run, Shown::Line))))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    /// Whoever asks again and again leaves the outputs out.
    #[serde(default = "wanted")]
    output: bool,
}

fn wanted() -> bool {
    true
}

pub(crate) async fn show(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Asked(wanted): Asked<Wanted>,
) -> Answer<Command> {
    let run = state.runtime.command(&caller, &id).await?;
    Ok(Json(command(&run, if wanted.output { Shown::Whole } else { Shown::WithoutOutput })))
}

pub(crate) async fn send(state: Extracted<State>, Who(caller): Who, Body(body): Body<CommandSend>) -> Answer<Command> {
    let run = state.runtime.command_send(&caller, from_send(body)).await?;
    Ok(Json(command(&run, Shown::WithoutOutput)))
}

pub(crate) async fn cancel(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Body(body): Body<CommandCancel>,
) -> Answer<Command> {
    let how = Changing { reason: body.change.reason, dry_run: body.change.dry_run };
    let run = state.runtime.command_cancel_by(&caller, &id, body.instances, how).await?;
    Ok(Json(command(&run, Shown::WithoutOutput)))
}

fn from_send(send: CommandSend) -> commands::CommandSend {
    commands::CommandSend {
        document_name: send.document,
        document_version: send.document_version,
        parameters: send.parameters,
        instance_ids: send.instances,
        targets: send.targets.into_iter().map(target).collect(),
        timeout_seconds: send.timeout,
        comment: send.comment,
        max_concurrency: send.max_concurrency,
        max_errors: send.max_errors,
        ..commands::CommandSend::default()
    }
}

fn target(target: CommandTarget) -> fleet::Target {
    let key = match &*target.key {
        "group" => "dandori:AgentGroup".to_owned(),
        "name" => "dandori:Agent".to_owned(),
        _ => target.key,
    };
    fleet::Target { key, values: target.values }
}

/// How much of a command is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Whole,
    WithoutOutput,
    Line,
}

fn command(run: &fleet::Run, shown: Shown) -> Command {
    let (send, requested) = run.sent().map_or((None, Timestamp(0)), |(send, at)| (Some(send), at));
    Command {
        id: send.map_or(String::new(), |send| send.command.0.to_string()),
        document: send.map_or(String::new(), |send| send.document_name.clone()),
        comment: send.map_or(String::new(), |send| send.comment.clone()),
        status: run.status().status().to_owned(),
        status_details: run.status().details().to_owned(),
        requested,
        ended: run.ended_at(),
        invocations: run.invocations().iter().map(|one| invocation(run, one, shown)).collect(),
    }
}

fn invocation(run: &fleet::Run, one: &fleet::Invocation, shown: Shown) -> Invocation {
    let outcome = one.outcome();
    let failure = outcome.and_then(fleet::Outcome::failure);
    let told = outcome.filter(|_| shown == Shown::Whole);
    let (attempts, steps) = match shown {
        Shown::Whole | Shown::WithoutOutput => {
            let steps = run.plugins(one).into_iter().map(step).collect();
            (one.attempts().iter().map(attempt).collect(), steps)
        }
        Shown::Line => (vec![], vec![]),
    };
    Invocation {
        instance_id: one.instance.0.to_string(),
        status: one.status().status().to_owned(),
        status_details: one.status().details().to_owned(),
        exit_code: outcome.map(fleet::Outcome::response_code),
        verdict: outcome.map(|outcome| verdict(outcome.verdict)),
        started: one.started_at(),
        ended: one.ended_at(),
        error: failure.as_ref().map(|failure| failure.code.to_string()),
        cause: failure.map(|failure| failure.cause),
        attempt: one.attempt().map(fleet::AttemptId::number),
        attempts,
        steps,
        delivery_problem: run.delivery(&one.instance).and_then(|delivery| delivery.problem.clone()),
        late: one.late().map(ending),
        stdout: told.map(|outcome| outcome.stdout.clone()),
        stderr: told.map(|outcome| outcome.stderr.clone()),
    }
}

fn attempt(attempt: &fleet::Attempt) -> Attempt {
    Attempt { number: attempt.attempt.number(), ending: ending(&attempt.outcome) }
}

fn ending(outcome: &fleet::Outcome) -> Ending {
    let failure = outcome.failure();
    Ending {
        status: fleet::InvocationStatus::of(outcome).details().to_owned(),
        exit_code: outcome.response_code(),
        verdict: verdict(outcome.verdict),
        error: failure.as_ref().map(|failure| failure.code.to_string()),
        cause: failure.map(|failure| failure.cause),
        started: outcome.started_at,
        finished: outcome.finished_at,
    }
}

fn step(plugin: fleet::Plugin<'_>) -> InvocationStep {
    let ending = Ending {
        status: plugin.status.details().to_owned(),
        exit_code: plugin.response_code,
        verdict: verdict(plugin.verdict),
        error: plugin.failure.as_ref().map(|failure| failure.code.to_string()),
        cause: plugin.failure.map(|failure| failure.cause),
        started: plugin.started_at,
        finished: plugin.finished_at,
    };
    InvocationStep { name: plugin.name.to_owned(), ending }
}

fn verdict(verdict: fleet::Verdict) -> Verdict {
    match verdict {
        fleet::Verdict::Normal => Verdict::Normal,
        fleet::Verdict::Warning => Verdict::Warning,
        fleet::Verdict::Abnormal => Verdict::Abnormal,
    }
}

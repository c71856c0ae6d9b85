//! Executions.

use api::{Execution, ExecutionStart, ExecutionStop, ExecutionSummary, Progress, StateProgress};
use axum::Json;
use axum::extract::State as Extracted;
use engine::Failure;
use runtime::Page;
use runtime::executions::ExecutionFilter;
use serde::Deserialize;

use crate::State;
use crate::extract::{Asked, Body, Name, Paging, Who};
use crate::refusal::Answer;
use crate::wire::{self, Events};

#[derive(Debug, Deserialize)]
pub(crate) struct Filter {
    status: Option<api::Status>,
    /// A name or an ARN.
    definition: Option<String>,
    limit: Option<u32>,
    token: Option<String>,
}

pub(crate) async fn list(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(asked): Asked<Filter>,
) -> Answer<api::Page<ExecutionSummary>> {
    let Filter { status, definition, limit, token } = asked;
    let filter = ExecutionFilter {
        map_run_arn: None,
        machine_arn: definition.map(|definition| wire::machine_arn(&caller, &definition)),
        status: status.map(wire::from_status),
        redriven: None,
    };
    let page = Paging::new(limit, token).page();
    let paged = state.runtime.execution_list(&caller, filter, page).await?;
    Ok(Json(wire::page(paged, wire::summary)))
}

pub(crate) async fn start(
    state: Extracted<State>,
    Who(caller): Who,
    Body(body): Body<ExecutionStart>,
) -> Answer<ExecutionSummary> {
    let started = state.runtime.execution_start(&caller, wire::start(&caller, body)).await?;
    if let Some(express) = wire::express(&caller, &started) {
        return Ok(Json(express));
    }
    let execution = state.runtime.execution(&caller, &started.arn).await?;
    Ok(Json(wire::summary(execution.summary)))
}

pub(crate) async fn show(state: Extracted<State>, Who(caller): Who, Name(arn): Name) -> Answer<Execution> {
    let execution = state.runtime.execution(&caller, &arn).await?;
    Ok(Json(wire::execution(execution)))
}

pub(crate) async fn stop(
    state: Extracted<State>,
    Who(caller): Who,
    Name(arn): Name,
    Body(body): Body<ExecutionStop>,
) -> Answer<ExecutionSummary> {
    let failure = Failure { error: body.error.map(Into::into), cause: body.cause.map(Into::into) };
    state.runtime.execution_stop(&caller, &arn, failure).await?;
    let execution = state.runtime.execution(&caller, &arn).await?;
    Ok(Json(wire::summary(execution.summary)))
}

/// The history folded, so that whoever draws it need not read it.
pub(crate) async fn states(
    state: Extracted<State>,
    Who(caller): Who,
    Name(arn): Name,
) -> Answer<api::Page<StateProgress>> {
    let (mut progress, mut events, mut token) = (Progress::default(), Events::default(), None);
    loop {
        let page = Page { limit: api::PAGE_MAX, token };
        let paged = state.runtime.execution_history(&caller, &arn, false, page).await?;
        paged.items.iter().for_each(|event| progress.apply(&events.event(event)));
        token = paged.next;
        if token.is_none() {
            return Ok(Json(api::Page { items: progress.states, next: None }));
        }
    }
}

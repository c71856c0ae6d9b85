//! Definitions.

use api::{Definition, DefinitionPut, DefinitionSummary, Page};
use axum::Json;
use axum::extract::State as Extracted;
use runtime::Refusal;

use crate::State;
use crate::extract::{Asked, Body, Name, Paging, Who};
use crate::refusal::Answer;
use crate::wire;

pub(crate) async fn list(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<DefinitionSummary>> {
    let paged = state.runtime.state_machine_list(&caller, paging.page()).await?;
    Ok(Json(wire::page(paged, wire::definition_summary)))
}

pub(crate) async fn show(state: Extracted<State>, Who(caller): Who, Name(id): Name) -> Answer<Definition> {
    let machine = state.runtime.state_machine(&caller, &wire::machine_arn(&caller, &id)).await?;
    Ok(Json(wire::definition(machine)))
}

/// Creating is tried first: of two that put at once, one creates and the other updates.
pub(crate) async fn put(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Body(body): Body<DefinitionPut>,
) -> Answer<Definition> {
    let machine = match state.runtime.state_machine_create(&caller, wire::create(&caller, &id, &body)).await {
        Err(Refusal::StateMachineAlreadyExists(_)) => {
            state.runtime.state_machine_update(&caller, wire::update(&caller, &id, body)).await?
        }
        created => created?,
    };
    Ok(Json(wire::definition(machine)))
}

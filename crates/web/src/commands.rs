//! Run Command, to look at: instances, and what was sent to them.

use api::{Command, Instance, Page};
use axum::Json;
use axum::extract::State as Extracted;
use runtime::commands::CommandFilter;

use crate::State;
use crate::extract::{Asked, Name, Paging, Who};
use crate::refusal::Answer;
use crate::wire;

pub(crate) async fn instances(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<Instance>> {
    let paged = state.runtime.instance_list(&caller, paging.page()).await?;
    Ok(Json(wire::page(paged, wire::instance)))
}

pub(crate) async fn list(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<Command>> {
    let paged = state.runtime.command_list(&caller, CommandFilter::default(), paging.page()).await?;
    Ok(Json(wire::page(paged, |run| wire::command(&run, wire::Output::Left))))
}

pub(crate) async fn show(state: Extracted<State>, Who(caller): Who, Name(id): Name) -> Answer<Command> {
    let run = state.runtime.command(&caller, &id).await?;
    Ok(Json(wire::command(&run, wire::Output::Told)))
}

//! Documents: what commands run.

use api::{Document, DocumentPut, DocumentSummary, Page};
use axum::Json;
use axum::extract::State as Extracted;
use runtime::documents::{DocumentFilter, VersionChoice};
use serde::Deserialize;

use crate::State;
use crate::extract::{Asked, Body, Name, Paging, Who};
use crate::refusal::Answer;
use crate::wire;

pub(crate) async fn list(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<DocumentSummary>> {
    let paged = state.runtime.document_list(&caller, &DocumentFilter::default(), paging.page()).await?;
    Ok(Json(wire::page(paged, wire::document_summary)))
}

/// Which version, and in which form.
#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    version: Option<String>,
    format: Option<api::DocumentFormat>,
}

pub(crate) async fn show(
    state: Extracted<State>,
    Who(caller): Who,
    Name(name): Name,
    Asked(Which { version, format }): Asked<Which>,
) -> Answer<Document> {
    let choice = VersionChoice { version, name: None };
    let text = state.runtime.document_text(&caller, &name, &choice, format.map(wire::from_document_format)).await?;
    Ok(Json(wire::document(text)))
}

pub(crate) async fn put(
    state: Extracted<State>,
    Who(caller): Who,
    Name(name): Name,
    Body(body): Body<DocumentPut>,
) -> Answer<Document> {
    let put = state.runtime.document_put(&caller, &name, wire::document_content(body)).await?;
    Ok(Json(wire::document(put)))
}

/// The whole document, or the version that is named.
pub(crate) async fn delete(
    state: Extracted<State>,
    Who(caller): Who,
    Name(name): Name,
    Asked(Which { version, .. }): Asked<Which>,
) -> Answer<()> {
    match version {
        None => state.runtime.document_delete(&caller, &name).await?,
        Some(version) => {
            let choice = VersionChoice { version: Some(version), name: None };
            state.runtime.document_delete_version(&caller, &name, choice).await?;
        }
    }
    Ok(Json(()))
}

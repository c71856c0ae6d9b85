//! `dandori definition …`

use api::{Definition, DefinitionPut, DefinitionSummary};
use hyper::Method;

use crate::args;
use crate::client::{Client, encoded};
use crate::execution::{pages, read_file};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::output::Out;
use crate::table::{Cell, Table};
use crate::words::{Column, Say};

/// Definitions that one list shows.
const LISTED_MAX: u32 = 10_000;

pub async fn run(client: &Client, out: &Out, command: args::Definition) -> Result<Exit, Fault> {
    match command {
        args::Definition::List => list(client, out).await,
        args::Definition::Show { id } => show(client, out, &id).await,
        args::Definition::Put { file, name, role } => put(client, out, &file, &name, role).await,
        args::Definition::Check(command) => crate::check::run(out, &command),
    }
}

async fn list(client: &Client, out: &Out) -> Result<Exit, Fault> {
    let (items, _) = pages::<DefinitionSummary>(client, "/definitions", "", LISTED_MAX).await?;
    out.list(&items, definitions, Say::NoDefinitions)?;
    Ok(Exit::Ok)
}

fn definitions(items: &[DefinitionSummary]) -> Table {
    let mut table = Table::new([Column::Name, Column::Kind, Column::Created, Column::Arn]);
    table.rows.extend(items.iter().map(|item| {
        vec![Cell::text(&item.name), Cell::text(&item.kind), Cell::Time(Some(item.created)), Cell::text(&item.arn)]
    }));
    table
}

async fn show(client: &Client, out: &Out, id: &str) -> Result<Exit, Fault> {
    let definition: Definition = client.get(&path(id)).await?;
    out.one(&definition, || {
        Table::fields([
            (Column::Name, Cell::text(&definition.summary.name)),
            (Column::Kind, Cell::text(&definition.summary.kind)),
            (Column::Arn, Cell::text(&definition.summary.arn)),
            (Column::Role, Cell::text(&definition.role_arn)),
            (Column::Created, Cell::Time(Some(definition.summary.created))),
            (Column::Updated, Cell::Time(Some(definition.updated))),
        ])
    })?;
    // People want to read it as it was written; programs have it in a field.
    if out.format == args::Format::Table {
        out.data(&format!("\n{}\n", definition.definition.trim_end()))?;
    }
    Ok(Exit::Ok)
}

async fn put(client: &Client, out: &Out, file: &str, name: &str, role_arn: Option<String>) -> Result<Exit, Fault> {
    let body = DefinitionPut { definition: read_file(file)?, role_arn };
    let put: Definition = client.send(Method::PUT, &path(name), &body).await?;
    let DefinitionSummary { name, arn, .. } = &put.summary;
    match out.format {
        args::Format::Table => out.message(&out.say(Say::DefinitionPut { name, arn })),
        args::Format::Tsv | args::Format::Json | args::Format::Jsonl => {
            out.one(&put.summary, || {
                Table::fields([(Column::Name, Cell::text(name)), (Column::Arn, Cell::text(arn))])
            })?;
        }
    }
    Ok(Exit::Ok)
}

fn path(id: &str) -> String {
    format!("/definitions/{}", encoded(id))
}

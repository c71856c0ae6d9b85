//! `dandori document …`

use api::{Document, DocumentFormat, DocumentPut, DocumentSummary};
use hyper::Method;

use crate::args;
use crate::client::{Client, encoded};
use crate::execution::{is_yes, pages, read_file};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::output::Out;
use crate::table::{Cell, Table};
use crate::words::{Column, Say};

/// Documents that one list shows.
const LISTED_MAX: u32 = 10_000;

pub async fn run(client: &Client, out: &Out, command: args::Document) -> Result<Exit, Fault> {
    match command {
        args::Document::List => list(client, out).await,
        args::Document::Get { id, which, form } => get(client, out, &id, which, form).await,
        args::Document::Put { file, name, form, version_name } => {
            let put = DocumentPut { format: form_of(&file, form), text: read_file(&file)?, version_name };
            self::put(client, out, &name, &put).await
        }
        args::Document::Delete { id, which, yes } => delete(client, out, &id, which, yes).await,
    }
}

async fn list(client: &Client, out: &Out) -> Result<Exit, Fault> {
    let (items, _) = pages::<DocumentSummary>(client, "/documents", "", LISTED_MAX).await?;
    out.list(&items, documents, Say::NoDocuments)?;
    Ok(Exit::Ok)
}

fn documents(items: &[DocumentSummary]) -> Table {
    let mut table =
        Table::new([Column::Name, Column::Owner, Column::Version, Column::Kind, Column::Platform, Column::Created]);
    table.rows.extend(items.iter().map(|item| {
        vec![
            Cell::text(&item.name),
            Cell::text(&item.owner),
            Cell::text(item.version.to_string()),
            Cell::text(&item.kind),
            Cell::text(item.platforms.join(",")),
            Cell::Time(Some(item.created)),
        ]
    }));
    table
}

/// The text is what was asked for; the rest is for programs.
async fn get(
    client: &Client,
    out: &Out,
    id: &str,
    version: Option<String>,
    form: Option<args::Form>,
) -> Result<Exit, Fault> {
    let version = version.map(|version| format!("version={}", encoded(&version)));
    let form = form.map(|form| format!("format={}", form.name()));
    let query: Vec<String> = version.into_iter().chain(form).collect();
    let document: Document = client.get(&format!("{}?{}", path(id), query.join("&"))).await?;
    match out.format {
        args::Format::Table | args::Format::Tsv => out.data(&format!("{}\n", document.text.trim_end()))?,
        args::Format::Json => out.json(&document)?,
        args::Format::Jsonl => out.json_line(&document)?,
    }
    Ok(Exit::Ok)
}

async fn put(client: &Client, out: &Out, name: &str, put: &DocumentPut) -> Result<Exit, Fault> {
    let document: Document = client.send(Method::PUT, &path(name), put).await?;
    let DocumentSummary { name, version, .. } = &document.summary;
    match out.format {
        args::Format::Table => out.message(&out.say(Say::DocumentPut { name, version: *version })),
        args::Format::Tsv | args::Format::Json | args::Format::Jsonl => {
            out.one(&document.summary, || {
                Table::fields([(Column::Name, Cell::text(name)), (Column::Version, Cell::text(version.to_string()))])
            })?;
        }
    }
    Ok(Exit::Ok)
}

async fn delete(client: &Client, out: &Out, id: &str, version: Option<String>, yes: bool) -> Result<Exit, Fault> {
    if !yes {
        let Some(answer) = out.ask(&out.say(Say::DeleteQuestion { name: id })) else {
            return Err(Fault::new(api::Code::Usage, "", out.say(Say::DeleteNeedsYes)));
        };
        if !is_yes(&answer) {
            out.message(&out.say(Say::NotDeleted));
            return Ok(Exit::Usage);
        }
    }
    let query = version.map(|version| format!("?version={}", encoded(&version))).unwrap_or_default();
    client.delete(&format!("{}{query}", path(id))).await?;
    out.message(&out.say(Say::Deleted { name: id }));
    Ok(Exit::Ok)
}

/// What is said, or what the file's name says.
fn form_of(file: &str, form: Option<args::Form>) -> DocumentFormat {
    match form {
        Some(args::Form::Json) => DocumentFormat::Json,
        Some(args::Form::Yaml) => DocumentFormat::Yaml,
        None if file.ends_with(".yaml") || file.ends_with(".yml") => DocumentFormat::Yaml,
        None => DocumentFormat::Json,
    }
}

fn path(id: &str) -> String {
    format!("/documents/{}", encoded(id))
}

//! `dandori activation …`: with which hosts become instances.

use api::{Activation, ActivationCreate, ActivationCreated};
use hyper::Method;
use serde::Serialize;

use crate::args;
use crate::client::{Client, encoded};
use crate::execution::pages;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::output::Out;
use crate::table::{Cell, Table, Tone};
use crate::words::{Column, Say};

/// Activations that one list shows.
const LISTED_MAX: u32 = 10_000;

/// Where the command that is copied keeps the agent's directory.
const DATA: &str = "/var/lib/dandori-agent";

pub async fn run(client: &Client, out: &Out, command: args::Activation) -> Result<Exit, Fault> {
    match command {
        args::Activation::Create(command) => create(client, out, command).await,
        args::Activation::List => {
            let (items, _) = pages::<Activation>(client, "/activations", "", LISTED_MAX).await?;
            out.list(&items, activations, Say::NoActivations)?;
            Ok(Exit::Ok)
        }
        args::Activation::Delete { id } => {
            let nothing = serde_json::json!({});
            let _: serde_json::Value =
                client.send(Method::DELETE, &format!("/activations/{}", encoded(&id)), &nothing).await?;
            out.message(&out.say(Say::ActivationDeleted { id: &id }));
            Ok(Exit::Ok)
        }
    }
}

/// What came of it, with what is typed on the host.
#[derive(Serialize)]
struct Created {
    #[serde(flatten)]
    created: ActivationCreated,
    command: String,
}

async fn create(client: &Client, out: &Out, command: args::ActivationCreate) -> Result<Exit, Fault> {
    let wanted = ActivationCreate {
        name: command.name,
        description: command.description,
        registrations: Some(command.registrations),
        expires_in_seconds: Some(u64::from(command.hours) * 60 * 60),
        iam_role: command.role,
        tags: command.tags.into_iter().map(|(key, value)| format!("{key}={value}")).collect(),
    };
    let created: ActivationCreated = client.send(Method::POST, "/activations", &wanted).await?;
    let url = client.url();
    // A code may begin with what an option begins with.
    let command = format!(
        "dandori agent register --server {url} --id {} --code={} --server-key {} --data {DATA}",
        created.id, created.code, created.server_key
    );
    let created = Created { created, command };
    out.one(&created, || {
        Table::fields([
            (Column::Id, Cell::text(&created.created.id)),
            (Column::Code, Cell::text(&created.created.code)),
            (Column::Expires, Cell::Time(Some(created.created.expires))),
            (Column::ServerKey, Cell::text(&created.created.server_key)),
            (Column::Command, Cell::text(&created.command)),
        ])
    })?;
    out.message(&out.say(Say::RegisterThere));
    Ok(Exit::Ok)
}

fn activations(items: &[Activation]) -> Table {
    let mut table = Table::new([
        Column::Status,
        Column::Id,
        Column::Name,
        Column::Registrations,
        Column::Expires,
        Column::Created,
        Column::Comment,
    ]);
    table.rows.extend(items.iter().map(|item| {
        let (word, tone) = state(item);
        vec![
            Cell::Word(word.to_owned(), tone),
            Cell::text(&item.id),
            Cell::text(item.name.clone().unwrap_or_default()),
            Cell::text(format!("{}/{}", item.registrations, item.registrations_max)),
            Cell::Time(Some(item.expires)),
            Cell::Time(Some(item.created)),
            Cell::text(item.description.clone().unwrap_or_default()),
        ]
    }));
    table
}

fn state(item: &Activation) -> (&'static str, Tone) {
    match (item.expired, item.registrations >= item.registrations_max) {
        (true, _) => ("expired", Tone::Over),
        (false, true) => ("used", Tone::Over),
        (false, false) => ("open", Tone::Good),
    }
}

//! `dandori command …`

use api::Command;

use crate::args;
use crate::client::{Client, encoded};
use crate::execution::pages;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::output::Out;
use crate::table::{Cell, Table, Tone};
use crate::words::{Column, Say};

pub async fn sent(client: &Client, out: &Out, command: args::Sent) -> Result<Exit, Fault> {
    match command {
        args::Sent::List { limit } => {
            let (items, more) = pages::<Command>(client, "/commands", "", limit).await?;
            out.list(&items, commands, Say::NoCommands)?;
            if more {
                out.message(&out.say(Say::More { shown: items.len() }));
            }
            Ok(Exit::Ok)
        }
        args::Sent::Show { id } => {
            let command: Command = client.get(&format!("/commands/{}", encoded(&id))).await?;
            show(out, &command)?;
            Ok(Exit::Ok)
        }
    }
}

fn commands(items: &[Command]) -> Table {
    let mut table =
        Table::new([Column::Status, Column::Id, Column::Document, Column::Time, Column::Instance, Column::Comment]);
    table.rows.extend(items.iter().map(|item| {
        let instances: Vec<_> = item.invocations.iter().map(|invocation| invocation.instance_id.as_str()).collect();
        vec![
            Cell::Word(item.status.clone(), tone(&item.status)),
            Cell::text(&item.id),
            Cell::text(&item.document),
            Cell::Time(Some(item.requested)),
            Cell::text(instances.join(",")),
            Cell::text(&item.comment),
        ]
    }));
    table
}

fn show(out: &Out, command: &Command) -> Result<(), Fault> {
    out.one(command, || {
        let mut fields = vec![
            (Column::Status, Cell::Word(command.status.clone(), tone(&command.status))),
            (Column::Id, Cell::text(&command.id)),
            (Column::Document, Cell::text(&command.document)),
            (Column::Time, Cell::Time(Some(command.requested))),
            (Column::Comment, Cell::text(&command.comment)),
        ];
        for invocation in &command.invocations {
            fields.push((Column::Instance, Cell::text(&invocation.instance_id)));
            fields.push((Column::Status, Cell::Word(invocation.status_details.clone(), tone(&invocation.status))));
            fields.extend(invocation.exit_code.map(|code| (Column::ExitCode, Cell::Number(code))));
            let outputs = [(Column::Stdout, &invocation.stdout), (Column::Stderr, &invocation.stderr)];
            let given = outputs
                .into_iter()
                .filter_map(|(column, text)| text.as_ref().filter(|text| !text.is_empty()).map(|text| (column, text)));
            fields.extend(given.map(|(column, text)| (column, Cell::text(text.trim_end()))));
        }
        Table::fields(fields)
    })
}

fn tone(status: &str) -> Tone {
    match status {
        "Success" => Tone::Good,
        "Failed" | "TimedOut" => Tone::Bad,
        "InProgress" => Tone::Busy,
        "Pending" | "Delayed" => Tone::Waiting,
        _ => Tone::Over,
    }
}

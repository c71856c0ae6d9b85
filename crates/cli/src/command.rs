//! `dandori command …`

use std::time::Duration;

use api::{Code, Command, OutputEnd, OutputPiece};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

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
        args::Sent::Output(asked) => output(client, out, asked).await,
    }
}

async fn output(client: &Client, out: &Out, asked: args::SentOutput) -> Result<Exit, Fault> {
    let instance = match &asked.instance {
        Some(instance) => instance.clone(),
        None => only_instance(client, out, &asked.id).await?,
    };
    let path = format!("/commands/{}/invocations/{}/output", encoded(&asked.id), encoded(&instance));
    let mut query = format!("stream={}", if asked.stderr { "stderr" } else { "stdout" });
    query += &asked.step.as_ref().map(|step| format!("&step={}", encoded(step))).unwrap_or_default();
    query += &asked.attempt.map(|attempt| format!("&attempt={attempt}")).unwrap_or_default();
    query += &asked.tail.map(|bytes| -bytes).or(asked.from).map(|from| format!("&from={from}")).unwrap_or_default();
    match asked.follow {
        true => follow_output(client, out, &format!("{path}/live?{query}")).await,
        false => {
            let mut download = client.download(&format!("{path}?{query}")).await?;
            while let Some(bytes) = download.next().await? {
                out.bytes(&bytes)?;
            }
            Ok(Exit::Ok)
        }
    }
}

async fn only_instance(client: &Client, out: &Out, id: &str) -> Result<String, Fault> {
    let command: Command = client.get(&format!("/commands/{}", encoded(id))).await?;
    match &*command.invocations {
        [one] => Ok(one.instance_id.clone()),
        several => {
            let names: Vec<_> = several.iter().map(|invocation| invocation.instance_id.as_str()).collect();
            let text = out.say(Say::WhichInstance { instances: &names.join(", ") });
            Err(Fault::new(Code::Ambiguous, id, text))
        }
    }
}

/// Shows an output to its end, whatever becomes of connections on the way.
async fn follow_output(client: &Client, out: &Out, path: &str) -> Result<Exit, Fault> {
    const TRIES: u32 = 10;
    let (mut last, mut tries): (Option<String>, u32) = (None, 0);
    loop {
        match client.stream(path, last.as_deref()).await {
            Ok(mut stream) => {
                while let Some(message) = stream.next().await {
                    tries = 0;
                    match &*message.kind {
                        "output" => {
                            let piece: OutputPiece = read(&message.data)?;
                            let bytes = BASE64_STANDARD.decode(piece.data);
                            out.bytes(&bytes.map_err(|error| strange(&error.to_string()))?)?;
                            last = message.id.or(last);
                        }
                        "end" => {
                            let end: OutputEnd = read(&message.data)?;
                            if end.cut {
                                out.message(&out.say(Say::OutputCut));
                            }
                            return Ok(Exit::Ok);
                        }
                        _ => (),
                    }
                }
            }
            // Where it was once, it will be again; where it never was, somebody should know.
            Err(fault) if last.is_none() || tries >= TRIES => return Err(fault),
            Err(_) => (),
        }
        tries += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn read<T: serde::de::DeserializeOwned>(data: &str) -> Result<T, Fault> {
    serde_json::from_str(data).map_err(|error| strange(&error.to_string()))
}

fn strange(why: &str) -> Fault {
    Fault::new(Code::AnswerStrange, "", why)
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
